import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.data import load_dataset
from student_perf.experiment.run import run_experiment
from student_perf.plots.figures import RUN_FIGURES
from student_perf.runs import tags
from student_perf.runs.record import RunRecord
from student_perf.store.attachments import (
    PICTURES,
    describe_dataset,
    model_name,
    one_key,
)
from student_perf.store.client import open_store
from student_perf.store.excerpt import excerpt_of
from student_perf.terminal import Terminal
from tests.conftest import compose_config


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A tracked run, and the client of its store."""
    folder = tmp_path_factory.mktemp("tracked")
    uri = f"sqlite:///{folder}/mlflow.db"
    config = compose_config("model=tree", "split.n_splits=3", f"tracking.uri={uri}")
    record = run_experiment(config, folder / "run", Terminal(quiet=True)).record
    return record, MlflowClient(tracking_uri=uri)


def test_the_model_is_named_and_has_the_scores_of_its_run_on_its_dataset(tracked):
    record, client = tracked
    run = client.get_run(record.mlflow_run_id)
    (output,) = run.outputs.model_outputs
    model = client.get_logged_model(output.model_id)
    assert model.name == "tree-econmath"
    assert model.tags[tags.SOURCE_NAME] == "student_perf.train"
    scores = {metric.key: metric for metric in model.metrics}
    assert scores.keys() == {k for k in run.data.metrics if not k.startswith("fold_")}
    best = scores["cv_accuracy_mean"]
    assert best.value == record.mean("accuracy")
    assert (best.dataset_name, best.dataset_digest) == ("econmath", record.data_sha256[:32])
    found = client.search_logged_models(
        [run.info.experiment_id],
        f"metrics.cv_accuracy_mean > {best.value - 0.01}",
        datasets=[{"dataset_name": "econmath"}],
    )
    assert [one.model_id for one in found] == [output.model_id]


@pytest.mark.slow
def test_a_registered_version_shows_the_same_model_and_result(tracked):
    from student_perf.store.registry import Registry

    record, client = tracked
    uri = record.tracking_uri
    version = Registry(uri, "grades").register(record.mlflow_run_id)
    known = client.get_model_version("grades", version.number)
    assert known.description.startswith("- **Result**: accuracy ")
    (output,) = client.get_run(record.mlflow_run_id).outputs.model_outputs
    assert known.source == f"models:/{output.model_id}"


def test_tables_have_one_key_and_pictures_one_name(tracked):
    record, client = tracked
    run_id = record.mlflow_run_id
    known = client.get_run(run_id).data.tags
    tables = {entry["path"] for entry in json.loads(known[tags.LOGGED_TABLES])}
    assert tables == {"tables/subgroups.json", "tables/classification_report.json"}
    place = client.download_artifacts(run_id, "tables/classification_report.json")
    table = json.loads(Path(place).read_text())
    assert table["columns"] == ["class", "precision", "recall", "f1-score", "support"]
    assert [line[0] for line in table["data"]] == ["under_60", "60_to_70", "70_to_80", "from_80"]
    files = [file.path for file in client.list_artifacts(run_id, "images")]
    for name in PICTURES["classification"]:
        assert any(file.startswith(f"images/{name}+step+0") for file in files), name


def test_pictures_are_those_that_runs_leave():
    left = {figure.name: figure.of for figure in RUN_FIGURES}
    for task, names in PICTURES.items():
        assert {left[name] for name in names} == {task, "findings"}


def test_a_tables_key_is_made_of_its_columns_and_missing_figures_are_null():
    table = pd.DataFrame(
        {"column": ["all", "age"], "group": [np.nan, "20"], "n": [9, 4], "low": [0.5, np.nan]}
    )
    assert one_key(table, ["column", "group"]) == {
        "columns": ["column, group", "low", "n"],  # the number of rows last
        "data": [["all", 0.5, 9], ["age, 20", None, 4]],
    }


def test_a_models_name_has_no_sign_that_mlflow_refuses(tmp_path):
    record = RunRecord(tmp_path, "one", "single", {"model.name": "a/b:c"}, {tags.DATASET: "d.e"})
    assert model_name(record) == "a_b_c-d_e"


def test_a_dataset_is_described_from_few_rows_but_counted_whole(compose_config, tmp_path):
    file = tmp_path / "grades.csv"
    lines = [f"{'' if n == 400 else n},{'x' if n % 2 else 'y'},{n % 3}" for n in range(500)]
    file.write_text("\n".join(["hours,school,grade", *lines]))
    config = compose_config("dataset=csv", f"dataset.path={file}", "dataset.target=grade")
    excerpt = excerpt_of(load_dataset(config.dataset))
    assert len(excerpt.rows) == 101
    record = RunRecord(tmp_path, "one", "single", {}, {tags.SOURCE_NAME: "student_perf.train"})
    described = describe_dataset(excerpt, record).dataset
    assert json.loads(described.profile) == {"num_rows": 500, "num_elements": 1500}
    columns = {one["name"]: one for one in json.loads(described.schema)["mlflow_colspec"]}
    assert columns.keys() == {"hours", "school", "grade"}
    assert columns["hours"]["type"] == "double"  # since one is missing, far below
    assert json.loads(described.source)["tags"] == {tags.SOURCE_NAME: "student_perf.train"}
    assert str(tmp_path) not in described.source


def test_sent_twice_a_run_has_one_model_and_its_tables_once(tracked):
    record, client = tracked
    store = open_store(TrackingConfig(True, record.tracking_uri, record.experiment))
    before = client.get_run(record.mlflow_run_id)
    store.send(record, record.mlflow_run_id)
    after = client.get_run(record.mlflow_run_id)
    assert after.data.metrics == before.data.metrics
    assert len(after.outputs.model_outputs) == len(before.outputs.model_outputs) == 1
    place = client.download_artifacts(record.mlflow_run_id, "tables/classification_report.json")
    assert len(json.loads(Path(place).read_text())["data"]) == 4
