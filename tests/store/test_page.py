from dataclasses import replace

import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError
from student_perf.runs import tags
from student_perf.runs.record import RunRecord
from student_perf.store.client import open_store
from student_perf.store.page import open_address, save_experiment_views
from student_perf.store.views import SweepShape

PAGE = "http://127.0.0.1:5000"
SHAPE = SweepShape("mine", ("accuracy",), ("model.C",), n_folds=2)
VIEWS = [
    "mlflow.note.content",
    "mlflow.sharedViewState.student_perf.pictures",
    "mlflow.sharedViewState.student_perf.runs",
    "mlflow.sharedViewState.student_perf.sweep.mine",
]


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    return TrackingConfig(True, f"sqlite:///{folder}/mlflow.db", "exam")


@pytest.fixture(scope="module")
def store(tracking):
    return open_store(tracking)


@pytest.fixture(scope="module")
def client(store, tracking):
    return MlflowClient(tracking_uri=tracking.uri)


def record_of(folder, kind, **more):
    known = {tags.KIND: kind, tags.DATASET: "grades", **more}
    params = {"objective.metric": "accuracy"}
    return RunRecord(folder, kind, kind, params, known, {"cv_accuracy_mean": 0.5}, "FINISHED")


@pytest.fixture(scope="module")
def runs(store, tmp_path_factory):
    """A sweep and a single run in the store."""
    folder = tmp_path_factory.mktemp("runs")
    records = [record_of(folder, "sweep", **{tags.STUDY: "mine"}), record_of(folder, "single")]
    for record in records:
        record.mlflow_run_id = store.send(record, files=[])
    return records


@pytest.fixture
def experiment(client, store):
    return client.get_experiment_by_name("exam").experiment_id


def test_without_its_view_a_sweep_opens_its_run(tracking, runs, experiment):
    unseen = replace(runs[0], tags=runs[0].tags | {tags.STUDY: "unseen"})
    address = open_address(PAGE, tracking.uri, "exam", unseen)
    assert address == (
        f"{PAGE}/#/experiments/{experiment}/runs/{runs[0].mlflow_run_id}?workflowType=machine_learning"
    )


def test_views_are_written_and_opened(tracking, client, runs, experiment):
    written = save_experiment_views(client, experiment, tracking.uri, SHAPE)
    assert [view.name for view in written] == ["Pictures", "Runs and winners", "Sweep mine"]
    assert sorted(client.get_experiment(experiment).tags) == VIEWS
    start = f"{PAGE}/#/experiments/{experiment}/runs?workflowType=machine_learning"
    assert open_address(PAGE, tracking.uri, "exam", runs[0]) == (
        f"{start}&viewStateShareKey=student_perf.sweep.mine"
    )
    assert open_address(PAGE, tracking.uri, "exam") == (
        f"{start}&viewStateShareKey=student_perf.runs"
    )
    single = runs[1].mlflow_run_id
    assert f"/runs/{single}?" in open_address(PAGE, tracking.uri, "exam", runs[1])


def test_views_are_made_once_and_a_users_own_description_stays(tracking, tmp_path):
    ours = replace(tracking, experiment="described")
    store = open_store(ours)
    run_id = store.send(record_of(tmp_path, "single"), files=[])
    client = MlflowClient(tracking_uri=tracking.uri)
    experiment = client.get_run(run_id).info.experiment_id
    client.set_experiment_tag(experiment, tags.NOTE, "the second team's runs")
    for _ in range(2):
        assert store.show_run(run_id) is None
        known = client.get_experiment(experiment).tags
        assert sorted(known) == VIEWS[:3]
        assert known[tags.NOTE] == "the second team's runs"
        again = known.setdefault("before", known[VIEWS[2]])
        assert known[VIEWS[2]] == again


def test_what_is_not_there_is_said_or_opens_the_list(tracking, runs, tmp_path):
    everything = f"{PAGE}/#/experiments?workflowType=machine_learning"
    assert open_address(PAGE, tracking.uri, "another") == everything
    with pytest.raises(ConfigError, match="is not in MLflow"):
        open_address(PAGE, tracking.uri, "exam", record_of(tmp_path, "single"))
    gone = record_of(tmp_path, "single")
    gone.mlflow_run_id = "0" * 32
    with pytest.raises(ConfigError, match="is not in this store; name another by --store"):
        open_address(PAGE, tracking.uri, "exam", gone)


def test_a_failure_is_one_line_in_the_log(tracking, client, caplog, monkeypatch):
    monkeypatch.setattr("student_perf.store.page.page_version", lambda uri: 1 / 0)
    assert save_experiment_views(client, "1", tracking.uri, SHAPE) == []
    assert [record.message for record in caplog.records] == [
        "no saved view for MLflow's page: ZeroDivisionError: division by zero"
    ]
