"""What every store must do, over each kind of store there is."""

import re
import shutil
import uuid

import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.data import load_dataset
from student_perf.runs import tags
from student_perf.runs.record import RunRecord
from student_perf.store import rows
from student_perf.store.client import open_store
from student_perf.store.excerpt import excerpt_of
from student_perf.store.stage import Stage
from student_perf.store.views import SweepShape
from tests.servers import mlflow_server, postgres

NO_POSTGRES = pytest.mark.skipif(not shutil.which("initdb"), reason="no PostgreSQL here: no initdb")
STORES = ["rows", "client", pytest.param("server", marks=pytest.mark.slow)]
STORES.append(pytest.param("postgres", marks=[pytest.mark.slow, NO_POSTGRES]))


@pytest.fixture(scope="module", params=STORES)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def uri(kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp(kind)
    if kind == "server":
        with mlflow_server(folder) as address:
            yield address
    elif kind == "postgres":
        with postgres() as address:
            yield address.replace("postgresql:", "postgresql+psycopg:")
    else:
        yield f"sqlite:///{folder}/mlflow.db"


@pytest.fixture
def store(kind, uri, monkeypatch):
    """An open store with an experiment of the test's own."""
    if kind == "client":
        monkeypatch.setattr(rows, "KNOWN_REVISIONS", ())
    # A short name: in PostgreSQL an artifact address has 200 characters at most.
    return open_store(TrackingConfig(True, uri, uuid.uuid4().hex[:8]))


@pytest.fixture
def run_of(uri):
    """What the store knows of a run."""
    return MlflowClient(tracking_uri=uri).get_run


@pytest.fixture
def make(tmp_path):
    """Makes the record of a run that came to its end, with a file."""

    def make(name, kind="trial", status="FINISHED", parent=None, **more):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.yaml").write_text("seed: 0\n")
        (folder / "model.skops").write_text("is sent as a model, not as a file")
        number = {tags.TRIAL: name} if kind == "trial" else {}
        known = {tags.KIND: kind, tags.RECORD_ID: f"{hash(folder) % 16**8:032x}"} | number
        if parent is not None:
            known[tags.PARENT] = parent
        scores = {"cv_accuracy_mean": 0.5, "fold_accuracy": [0.4, float("nan"), 0.6]}
        params = {"model.C": "1", "columns.a(%)": "x" * 7000}
        record = RunRecord(folder, name, kind, params, known, scores, status, **more)
        record.started, record.ended = 1_999_999_999.0, 2_000_000_000.0
        return record

    return make


@pytest.fixture
def rows_of_grades(compose_config, grades):
    words = ("dataset=csv", f"dataset.path={grades}", "dataset.target=grade")
    return excerpt_of(load_dataset(compose_config(*words).dataset))


def check_sent(uri, run, record):
    """Names, state, times, values and files of a run are those of its record."""
    client = MlflowClient(tracking_uri=uri)
    assert (run.info.run_name, run.info.start_time) == (record.name, 1_999_999_999_000)
    assert run.info.end_time == 2_000_000_000_000
    assert run.data.params.keys() == {"model.C", "columns.a___"}
    assert run.data.params["model.C"] == "1"
    cut = run.data.params["columns.a___"]
    assert len(cut) == 6000
    assert re.fullmatch(r"x+\.\.\. \(cut: 7,000 characters in all, SHA-256 [0-9a-f]{64}\)", cut)
    assert run.data.tags.items() >= record.tags.items()
    assert run.data.metrics["cv_accuracy_mean"] == 0.5
    history = client.get_metric_history(run.info.run_id, "fold_accuracy")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.4), (2, 0.6)]
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["config.yaml"]


@pytest.mark.parametrize(
    ("status", "theirs"),
    [("FINISHED", "FINISHED"), ("PRUNED", "KILLED"), ("FAILED", "FAILED"), ("STOPPED", "KILLED")],
)
def test_a_record_is_sent_whole_and_found_again(store, make, run_of, uri, status, theirs):
    record = make("0", status=status)
    assert store.find(record) is None
    run_id = store.send(record)
    assert store.find(record) == run_id
    run = run_of(run_id)
    assert run.info.status == theirs
    check_sent(uri, run, record)


def test_a_run_that_was_begun_is_completed_and_sending_twice_changes_nothing(
    store, make, run_of, uri
):
    record = make("0")
    run_id = store.open(record)
    assert run_of(run_id).info.status == "RUNNING"
    assert store.find(record) == run_id
    for _ in range(2):
        assert store.send(record, run_id) == run_id
        run = run_of(run_id)
        assert run.info.status == "FINISHED"
        check_sent(uri, run, record)
    record.params["model.C"] = "2"
    store.send(record, run_id)
    assert run_of(run_id).data.params["model.C"] == "1"
    assert store.open(record, run_id) == run_id
    assert run_of(run_id).info.status == "RUNNING"


def test_only_chosen_files_are_sent(store, make, uri):
    record = make("0")
    (record.folder / "more.csv").write_text("1\n")
    run_id = store.send(record, files=[record.folder / "more.csv"])
    files = MlflowClient(tracking_uri=uri).list_artifacts(run_id)
    assert [file.path for file in files] == ["more.csv"]


def test_records_added_as_rows_are_as_those_sent(store, make, kind, run_of, uri):
    records = [make("0"), make("1", status="PRUNED")]
    ids = store.add_rows(records)
    assert len(ids) == (2 if kind == "rows" else 0)
    for run_id, record in zip(ids, records, strict=False):
        assert store.find(record) == run_id
        check_sent(uri, run_of(run_id), record)


def test_a_sweep_knows_its_trials_and_retires_what_was_replaced(store, make, run_of):
    sweep_id = store.open(make("mine", "sweep"))
    trials = [
        make(str(n), "trial", status, sweep_id) for n, status in enumerate(["FINISHED", "PRUNED"])
    ]
    ids = [store.send(trial) for trial in trials]
    store.send(make("7"))  # of no sweep
    kept, gone = (make(name, "final", parent=sweep_id) for name in ("winner", "former"))
    kept_id, gone_id = store.send(kept), store.open(gone)
    assert store.children(sweep_id) == {
        0: (ids[0], "FINISHED"),
        1: (ids[1], "KILLED"),
    }
    for _ in range(2):
        store.retire(sweep_id, {kept.record_id})
        kinds = [run_of(run_id).data.tags[tags.KIND] for run_id in (kept_id, gone_id, *ids)]
        assert kinds == ["final", "replaced", "trial", "trial"]
        assert run_of(gone_id).info.status == "KILLED"
    assert run_of(kept_id).info.status == "FINISHED"


def test_a_run_comes_back_from_the_bin_with_those_below_it(store, make, run_of, uri):
    client = MlflowClient(tracking_uri=uri)
    sweep_id = store.open(make("mine", "sweep"))
    trial_id = store.send(make("0", parent=sweep_id))
    assert store.resume(sweep_id) is Stage.ACTIVE
    for run_id in (sweep_id, trial_id):
        client.delete_run(run_id)
    assert store.children(sweep_id) == {}
    assert store.resume(sweep_id) is Stage.DELETED
    assert store.children(sweep_id) == {0: (trial_id, "FINISHED")}
    assert run_of(sweep_id).info.lifecycle_stage == "active"
    assert store.resume("0" * 32) is Stage.ABSENT
    other = open_store(TrackingConfig(True, uri, uuid.uuid4().hex[:8]))
    assert other.resume(sweep_id) is Stage.ABSENT


def test_trials_of_a_run_that_is_gone_get_another(store, make, run_of, uri):
    client = MlflowClient(tracking_uri=uri)
    ids = [store.send(make(str(n), parent="f" * 32)) for n in range(2)]
    client.delete_run(ids[1])
    store.adopt("f" * 32, parent := store.open(make("mine", "sweep")))
    assert store.children(parent) == {n: (ids[n], "FINISHED") for n in range(2)}


def test_tags_that_changed_reach_a_run_that_goes_on(store, make, run_of):
    record = make("mine", "sweep", "STOPPED")
    run_id = store.send(record)
    record.tags |= {"team": "b", tags.NOTE: "more"}
    store.send(record, run_id)
    known = run_of(run_id).data.tags
    assert (known["team"], known[tags.NOTE]) == ("b", "more")


@pytest.mark.parametrize("way", ["rows", "send"])
def test_runs_name_their_dataset(store, make, run_of, uri, kind, way, rows_of_grades):
    record = make("0")
    record.tags[tags.DATA_SHA256] = rows_of_grades.sha256
    if way == "send":
        ids = [store.send(record, dataset=rows_of_grades) for _ in range(1)]
    else:
        ids = store.add_rows([record, make("1")], {rows_of_grades.sha256: rows_of_grades})
        assert len(ids) == (2 if kind == "rows" else 0)
    inputs = [run_of(run_id).inputs.dataset_inputs for run_id in ids]
    for (described,) in inputs[:1]:
        assert described.dataset.name == "csv"
        assert described.dataset.digest == rows_of_grades.sha256[:32]
        assert [(tag.key, tag.value) for tag in described.tags] == [
            ("mlflow.data.context", "training")
        ]
        experiment = run_of(ids[0]).info.experiment_id
        found = MlflowClient(tracking_uri=uri).search_runs([experiment], "dataset.name = 'csv'")
        assert [run.info.run_id for run in found] == ids[:1]
    assert inputs[1:] in ([], [[]])


def test_marks_replace_earlier_ones(store, make, run_of, uri):
    run_id = store.send(make("0"))
    store.mark({run_id: {"rank": 2.0, "to_best": -0.1, tags.TIED: "worse"}})
    store.mark({run_id: {"rank": 1.0, tags.TIED: "tied"}, "0" * 32: {"rank": 2.0}})
    run = run_of(run_id)
    assert (run.data.metrics["rank"], run.data.metrics["to_best"]) == (1.0, -0.1)
    assert run.data.tags[tags.TIED] == "tied"
    assert run.info.status == "FINISHED"
    assert MlflowClient(tracking_uri=uri).get_metric_history(run_id, "rank")[-1].value == 1.0


def test_only_a_server_has_a_page_of_its_own(store, make, kind, uri):
    sweep_id = store.open(make("mine", "sweep"))
    store.send(make("1", "single"))
    address, shown = store.show_run(sweep_id), store.show_sweep(sweep_id, None)
    assert shown == address
    shape = SweepShape("mine", ("accuracy",), ("model.C",))
    shown = store.show_sweep(sweep_id, shape)
    if kind == "server":
        assert address.startswith(f"{uri}/#/experiments/")
        assert f"/runs/{sweep_id}?" in address
        assert shown.endswith("viewStateShareKey=student_perf.sweep.mine")
    else:
        assert (address, shown) == (None, None)
