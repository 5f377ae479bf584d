import shutil
from dataclasses import replace
from itertools import islice, repeat
from pathlib import Path

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from student_perf import cli
from student_perf.config.schema import TrackingConfig
from student_perf.errors import TrackingError
from student_perf.locks import holding
from student_perf.runs import tags
from student_perf.runs.layout import ERROR_FILE, RUN_ID_FILE, SENDING_LOCK_FILE, SWEEP_LOCK_FILE
from student_perf.runs.record import RunRecord, load_record
from student_perf.store import client, publisher, rows
from student_perf.store.client import RunStore
from student_perf.store.publisher import follow_sweep, publish_later, publish_sweep
from student_perf.store.standings import Standings
from student_perf.store.views import SweepShape

QUICK = ["split.n_splits=2", "report.importance=false"]
NOWHERE = "tracking.uri=http://127.0.0.1:9"


@pytest.fixture
def sweep(tmp_path):
    """A finished sweep of four trials on disk: two good ones, a pruned and a failed one."""
    folder = tmp_path / "sweep"
    folder.mkdir()
    for number, status in enumerate(["FINISHED", "FINISHED", "PRUNED", "FAILED"]):
        record = RunRecord(
            folder / str(number),
            f"trial-{number}",
            "trial",
            {"model.C": str(number)},
            {
                "student_perf.trial_number": str(number),
                "student_perf.kind": "trial",
                "student_perf.record_id": f"{number:032x}",
            },
            metrics={"cv_accuracy_mean": 0.5 + number / 10, "fold_accuracy": [0.4, 0.6]},
            status=status,
            ended=2_000_000_000.0,
        )
        record.folder.mkdir()
        (record.folder / "config.yaml").write_text("seed: 0\n")
        record.save()
    parent = RunRecord(folder, "mine", "sweep", {"sweep.sampler": "tpe"}, {}, {"best_value": 0.6})
    parent.finish()
    return folder, TrackingConfig(True, f"sqlite:///{tmp_path}/mlflow.db", "exam")


def add_kept(folder, name="winner"):
    """A kept record without data or model beside it."""
    tags = {"student_perf.record_id": name, "student_perf.trial_number": "1",
            "student_perf.kind": "final", "student_perf.data_sha256": "0"}  # fmt: skip
    record = RunRecord(folder / name, name, "final", {}, tags)
    record.folder.mkdir()
    record.finish()
    return record


@pytest.fixture
def without_rows(monkeypatch):
    """Kept runs are sent without their rows."""
    monkeypatch.setattr("student_perf.store.publisher._dataset_of", lambda record: None)


def runs_of(tracking):
    client = MlflowClient(tracking_uri=tracking.uri)
    experiment = client.get_experiment_by_name("exam")
    return client, client.search_runs([experiment.experiment_id])


def test_states_values_and_files_arrive_below_the_parent(sweep):
    folder, tracking = sweep
    assert publish_sweep(folder, tracking) == 5
    client, runs = runs_of(tracking)
    by_name = {run.info.run_name: run for run in runs}
    parent = by_name.pop("mine")
    assert (parent.info.status, parent.data.metrics) == ("FINISHED", {"best_value": 0.6})
    statuses = [by_name[f"trial-{n}"].info.status for n in range(4)]
    assert statuses == ["FINISHED", "FINISHED", "KILLED", "FAILED"]
    for number in range(4):
        run = by_name[f"trial-{number}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.params == {"model.C": str(number)}
        history = client.get_metric_history(run.info.run_id, "fold_accuracy")
        assert sorted((m.step, m.value) for m in history) == [(0, 0.4), (1, 0.6)]
        assert [f.path for f in client.list_artifacts(run.info.run_id)] == ["config.yaml"]
        assert load_record(folder / str(number)).mlflow_run_id == run.info.run_id


@pytest.mark.parametrize("way", ["rows", "client"])
@pytest.mark.slow
def test_trials_and_the_winner_get_their_places_and_the_page_its_view(
    sweep, without_rows, monkeypatch, way
):
    folder, tracking = sweep
    if way == "client":
        by_client(monkeypatch)
    add_kept(folder)
    shape = SweepShape("mine", ("accuracy",), ("model.C",))
    Standings(shape, {0: {"rank": 2.0}, 1: {"rank": 1.0, tags.TIED: "tied"}}).save(folder)
    publish_sweep(folder, tracking)
    Standings(shape, {0: {"rank": 1.0}, 1: {"rank": 2.0, tags.TIED: "worse"}}).save(folder)
    publish_sweep(folder, tracking)
    client, runs = runs_of(tracking)
    ranks = {run.info.run_name: run.data.metrics.get("rank") for run in runs}
    assert ranks == {
        "trial-0": 1, "trial-1": 2, "trial-2": None, "trial-3": None, "winner": 2, "mine": None
    }  # fmt: skip
    tied = {r.info.run_name: r.data.tags[tags.TIED] for r in runs if tags.TIED in r.data.tags}
    assert tied == {"trial-1": "worse", "winner": "worse"}
    experiment = client.get_experiment_by_name("exam")
    assert "mlflow.sharedViewState.student_perf.sweep.mine" in experiment.tags


def by_client(patch):
    """Have trials sent through MLflow's client, as to a server."""
    patch.setattr(rows, "KNOWN_REVISIONS", ())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "owner", "step", "call"),
    [
        ("client", RunStore, "open", 3),
        ("client", client, "_send_values", 3),
        ("client", client, "_send_files", 3),
        ("rows", client.shutil, "copy2", 3),
        ("rows", rows.SqliteRuns, "_add", 3),
        ("rows", rows.SqliteRuns, "add", 1),
        ("rows", RunRecord, "save", 3),
    ],
)
def test_killed_anywhere_and_started_again_nothing_is_doubled(
    sweep, monkeypatch, way, owner, step, call
):
    folder, tracking = sweep
    original = getattr(owner, step)
    calls = []

    def dying(*args, **kwargs):
        calls.append(1)
        result = original(*args, **kwargs)
        if len(calls) == call:
            raise SystemExit(9)  # as a kill would: no handler of ours runs
        return result

    with monkeypatch.context() as patch:
        if way == "client":
            by_client(patch)
        patch.setattr(owner, step, dying)
        with pytest.raises(SystemExit):
            publish_sweep(folder, tracking)
    publish_sweep(folder, tracking)
    publish_sweep(folder, tracking)
    client, runs = runs_of(tracking)
    assert len(runs) == 5
    assert sorted(run.info.status for run in runs) == sorted(
        ["FINISHED", "FINISHED", "FINISHED", "KILLED", "FAILED"]
    )
    ids = {run.info.run_id for run in runs}
    assert {load_record(folder / str(number)).mlflow_run_id for number in range(4)} < ids
    assert {path.name for path in folder.parent.glob("mlartifacts/exam/*")} <= ids
    for run in runs:
        for name in run.data.metrics:
            steps = [m.step for m in client.get_metric_history(run.info.run_id, name)]
            assert len(steps) == len(set(steps))


def test_a_metric_that_is_not_defined_on_a_fold_is_left_out(sweep):
    folder, tracking = sweep
    record = load_record(folder / "0")
    record.metrics["fold_accuracy"] = [0.5, float("nan"), 0.7]
    record.save()
    publish_sweep(folder, tracking)
    client, runs = runs_of(tracking)
    (run,) = [r for r in runs if r.info.run_name == "trial-0"]
    history = client.get_metric_history(run.info.run_id, "fold_accuracy")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.5), (2, 0.7)]


@pytest.mark.slow
def test_trials_that_still_run_wait_for_the_next_look(sweep):
    folder, tracking = sweep
    record = load_record(folder / "1")
    record.status = "RUNNING"
    record.save()
    with holding(folder / SWEEP_LOCK_FILE):
        assert publish_sweep(folder, tracking) == 4
    assert publish_sweep(folder, tracking) == 0  # ended without a word, so it is run again
    record.finish()
    publish_sweep(folder, tracking)
    assert len(runs_of(tracking)[1]) == 5


@pytest.mark.slow
def test_a_run_that_the_store_refused_is_sent_again(sweep, monkeypatch):
    folder, tracking = sweep

    def full(*_args, **_kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        by_client(patch)
        patch.setattr(client, "_send_files", full)
        with pytest.raises(TrackingError):
            publish_sweep(folder, tracking)
    assert "FAILED" in {run.info.status for run in runs_of(tracking)[1]}
    publish_sweep(folder, tracking)
    _, runs = runs_of(tracking)
    by_name = {run.info.run_name: run for run in runs}
    assert by_name["trial-0"].info.status == "FINISHED"
    assert "student_perf.error" not in by_name["trial-0"].data.tags
    assert len(runs) == 5


@pytest.mark.slow
def test_a_trial_that_mlflow_refuses_holds_up_no_other(sweep, monkeypatch):
    folder, tracking = sweep
    params = client._iter_params

    def one_key_twice(record):
        twice = [("model_C", "1"), ("model_C", "2")] if record.name == "trial-1" else []
        return iter([*params(record), *twice])

    monkeypatch.setattr(client, "_iter_params", one_key_twice)
    for _ in range(2):
        looks = iter([False, False, False, True])
        with pytest.raises(TrackingError, match="model_C"):
            publish_sweep(folder, tracking, lambda looks=looks: next(looks))
        _, runs = runs_of(tracking)
        statuses = {run.info.run_name: run.info.status for run in runs}
        assert statuses == {"mine": "FINISHED", "trial-0": "FINISHED", "trial-1": "FAILED",
                            "trial-2": "KILLED", "trial-3": "FAILED"}  # fmt: skip
        assert "model_C" in (folder / "1" / ERROR_FILE).read_text()
        assert load_record(folder / "3").mlflow_run_id is not None
    monkeypatch.setattr(client, "_iter_params", params)
    (folder / ERROR_FILE).write_text("of an earlier try")
    assert publish_sweep(folder, tracking) == 1
    assert len(runs_of(tracking)[1]) == 5
    assert not (folder / ERROR_FILE).exists()
    assert not (folder / "1" / ERROR_FILE).exists()


@pytest.mark.slow
def test_a_sweep_that_goes_on_completes_its_run_with_what_params_it_had(sweep):
    folder, tracking = sweep
    publish_sweep(folder, tracking)
    parent = load_record(folder)
    parent.params |= {"sweep.sampler": "random", "sweep.pruner": "median"}
    parent.metrics = {"best_value": 0.7}
    parent.save()
    publish_sweep(folder, tracking)
    (run,) = [r for r in runs_of(tracking)[1] if r.info.run_name == "mine"]
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"best_value": 0.7})
    assert run.data.params == {"sweep.sampler": "tpe", "sweep.pruner": "median"}


@pytest.mark.usefixtures("without_rows")
@pytest.mark.parametrize("step", ["_begin", "_send_complete"])
@pytest.mark.slow
def test_a_winner_replaced_before_it_was_sent_leaves_no_run_going(sweep, monkeypatch, step):
    folder, tracking = sweep
    add_kept(folder)
    original = getattr(publisher, step)

    def dying(*args):
        if step == "_begin":
            original(*args)
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr(publisher, step, dying)
        with pytest.raises(SystemExit):
            publish_sweep(folder, tracking)
    record = load_record(folder / "winner")
    record.tags["student_perf.record_id"] = "another"
    record.name = "better"
    record.save()
    publish_sweep(folder, tracking)
    _, runs = runs_of(tracking)
    statuses = {run.info.run_name: run.info.status for run in runs}
    assert (statuses["winner"], statuses["better"]) == ("KILLED", "FINISHED")
    kinds = {run.info.run_name: run.data.tags["student_perf.kind"] for run in runs
             if "winner" in run.info.run_name or "better" in run.info.run_name}  # fmt: skip
    assert kinds == {"winner": "replaced", "better": "final"}
    assert "RUNNING" not in statuses.values()
    assert len(runs) == 7


@pytest.mark.usefixtures("without_rows")
@pytest.mark.slow
def test_the_winner_is_not_taken_for_its_trial(sweep):
    folder, tracking = sweep
    (folder / "1").rename(folder / "later")
    publish_sweep(folder, tracking)
    add_kept(folder)
    publish_sweep(folder, tracking)
    assert len(runs_of(tracking)[1]) == 5
    (folder / "later").rename(folder / "1")
    publish_sweep(folder, tracking)
    assert len(runs_of(tracking)[1]) == 6


def test_a_store_that_fails_leaves_its_reason_where_the_sweep_looks(sweep, monkeypatch):
    folder, tracking = sweep

    def gone(*_args, **_kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(RunStore, "send", gone)
    with pytest.raises(TrackingError, match="disk full"):
        publish_sweep(folder, tracking)
    over = Path(folder) / "over"
    over.touch()
    follow_sweep(folder, tracking)
    assert "disk full" in (folder / ERROR_FILE).read_text()
    monkeypatch.undo()
    publish_sweep(folder, tracking)
    assert len(runs_of(tracking)[1]) == 5
    assert (folder / RUN_ID_FILE).read_text()


def test_a_store_that_fails_for_a_while_is_tried_again_while_the_sweep_goes_on(sweep, monkeypatch):
    folder, tracking = sweep
    failed = []

    def flaky(*words):
        if len(failed) < 3:
            failed.append((folder / ERROR_FILE).is_file())
            raise TrackingError("database is locked")
        (folder / "over").touch()
        return publish_sweep(*words)

    monkeypatch.setattr(publisher, "publish_sweep", flaky)
    monkeypatch.setattr(publisher, "growing_pauses", lambda: repeat(0.0))
    follow_sweep(folder, tracking)
    assert failed == [False, True, True]
    assert not (folder / ERROR_FILE).exists()
    assert len(runs_of(tracking)[1]) == 5


def test_the_last_attempt_is_made_when_the_sweep_is_over_and_a_removed_folder_ends_it(
    sweep, monkeypatch
):
    folder, tracking = sweep
    attempts = []

    def broken(*_words):
        attempts.append(1)
        (folder / "over").touch()
        raise TrackingError("no answer")

    monkeypatch.setattr(publisher, "publish_sweep", broken)
    follow_sweep(folder, tracking)
    assert len(attempts) == 2  # the pause before the second was cut short
    assert "no answer" in (folder / ERROR_FILE).read_text()
    (folder / "over").unlink()
    monkeypatch.setattr(publisher, "publish_sweep", lambda *_words: removed(folder))
    follow_sweep(folder, tracking)
    assert not folder.exists()


def removed(folder):
    shutil.rmtree(folder)
    raise TrackingError("no such folder")


def test_pauses_grow_up_to_half_a_minute():
    assert list(islice(publisher.growing_pauses(), 7)) == [1, 2, 4, 8, 16, 30, 30]


@pytest.mark.slow
@pytest.mark.usefixtures("without_rows")
def test_a_winner_goes_below_the_sweep_once(sweep):
    folder, tracking = sweep
    add_kept(folder)
    for n_lacking in (6, 0):
        assert publish_sweep(folder, tracking) == n_lacking
        _, runs = runs_of(tracking)
        (winner,) = [r for r in runs if r.info.run_name == "winner"]
        assert winner.data.tags["mlflow.parentRunId"] == (folder / RUN_ID_FILE).read_text()
        assert load_record(folder / "winner").mlflow_run_id == winner.info.run_id
    record = load_record(folder / "winner")
    record.mlflow_run_id = None  # killed before this was written down
    record.save()
    publish_sweep(folder, tracking)
    assert len(runs_of(tracking)[1]) == 6
    assert load_record(folder / "winner").mlflow_run_id == winner.info.run_id


@pytest.mark.slow
@pytest.mark.usefixtures("without_rows")
@pytest.mark.parametrize("purged", [False, True])
@pytest.mark.parametrize("deleted", [["mine"], ["mine", "trial-1", "winner"]])
def test_a_sweep_whose_runs_were_deleted_is_whole_again(sweep, purged, deleted):
    folder, tracking = sweep
    add_kept(folder)
    publish_sweep(folder, tracking)
    client, runs = runs_of(tracking)
    for run in runs:
        if run.info.run_name in deleted:
            client.delete_run(run.info.run_id)
            if purged:
                client._tracking_client.store._hard_delete_run(run.info.run_id)
    for is_lacking in (True, False):
        assert (publish_sweep(folder, tracking) > 0) is is_lacking
        _, runs = runs_of(tracking)
        names = [f"trial-{n}" for n in range(4)]
        assert sorted(run.info.run_name for run in runs) == ["mine", *names, "winner"]
        (parent,) = [run.info.run_id for run in runs if run.info.run_name == "mine"]
        assert parent == (folder / RUN_ID_FILE).read_text()
        below = {run.data.tags.get("mlflow.parentRunId") for run in runs} - {None}
        assert below == {parent}
        (winner,) = [run.info.run_id for run in runs if run.info.run_name == "winner"]
        assert load_record(folder / "winner").mlflow_run_id == winner
    assert not (folder / ERROR_FILE).exists()


@pytest.mark.usefixtures("without_rows")
@pytest.mark.slow
def test_another_experiment_gets_the_whole_sweep(sweep):
    folder, tracking = sweep
    add_kept(folder)
    publish_sweep(folder, tracking)
    publish_sweep(folder, replace(tracking, experiment="another"))
    client, runs = runs_of(tracking)
    assert len(runs) == 6
    other = client.get_experiment_by_name("another").experiment_id
    assert len(client.search_runs([other])) == 6


@pytest.mark.usefixtures("without_rows")
@pytest.mark.slow
def test_a_winner_that_may_be_replaced_waits_until_it_is_settled(sweep):
    folder, tracking = sweep
    add_kept(folder)
    was_sent = []

    def is_over():
        was_sent.append(load_record(folder / "winner").mlflow_run_id is not None)
        if len(was_sent) == 2:
            (folder / publisher.SETTLED_FILE).touch()
        return len(was_sent) == 3

    publish_sweep(folder, tracking, is_over)
    assert was_sent == [False, False, True]


@pytest.mark.usefixtures("without_rows")
def test_a_winner_that_failed_is_sent_without_the_model_of_an_earlier_one(sweep):
    folder, tracking = sweep
    add_kept(folder).fail("out of memory")
    (folder / "winner" / "model.skops").write_text("of an earlier one")
    publish_sweep(folder, tracking)
    statuses = {run.info.run_name: run.info.status for run in runs_of(tracking)[1]}
    assert statuses["winner"] == "FAILED"


@pytest.mark.usefixtures("without_rows")
@pytest.mark.slow
def test_a_winner_that_is_refused_does_not_hold_up_the_rest(sweep, monkeypatch):
    folder, tracking = sweep
    add_kept(folder, "refused")
    add_kept(folder, "winner")
    send = RunStore.send

    def picky(self, record, *args, **kwargs):
        if record.name == "refused":
            raise OSError("too large")
        return send(self, record, *args, **kwargs)

    monkeypatch.setattr(RunStore, "send", picky)
    with pytest.raises(TrackingError, match="too large"):
        publish_sweep(folder, tracking)
    statuses = {run.info.run_name: run.info.status for run in runs_of(tracking)[1]}
    assert (statuses["mine"], statuses["winner"]) == ("FINISHED", "FINISHED")
    assert statuses["refused"] != "FINISHED"
    assert "too large" in (folder / "refused" / ERROR_FILE).read_text()
    monkeypatch.undo()
    monkeypatch.setattr("student_perf.store.publisher._dataset_of", lambda record: None)
    publish_sweep(folder, tracking)
    assert load_record(folder / "refused").mlflow_run_id is not None
    assert not (folder / "refused" / ERROR_FILE).exists()


def test_two_do_not_send_the_same_sweep_at_a_time(sweep, monkeypatch):
    folder, tracking = sweep
    monkeypatch.setattr(publisher, "_LOCK_SECONDS", 0.1)
    with (
        FileLock(folder / SENDING_LOCK_FILE),
        pytest.raises(TrackingError, match="another process is sending"),
    ):
        publish_sweep(folder, tracking)
    assert publish_sweep(folder, tracking) == 5


def test_a_password_does_not_stay_in_the_file_with_the_error(sweep, monkeypatch):
    folder, _ = sweep
    (folder / "over").touch()
    follow_sweep(folder, TrackingConfig(True, "mysql://me:secret@nowhere/db", "e"))
    assert "secret" not in (folder / ERROR_FILE).read_text()


def only_run(workspace):
    (record,) = (load_record(p.parent) for p in (workspace / "outputs").glob("*/*/record.json"))
    return record


def reachable(record, workspace):
    """The record as if its server had come back, as a sqlite store."""
    record.params["tracking.uri"] = f"sqlite:///{workspace}/mlflow.db"
    record.save()
    return record


def sent_runs(workspace):
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'student_perf'")
    return client, client.search_runs([experiment.experiment_id])


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_training_goes_on_without_a_server_and_is_sent_later_once(train, workspace, capsys):
    done = train(NOWHERE, *QUICK)
    assert done.code == 0
    assert "accuracy" in done.out
    text = " ".join(done.out.split())
    record = only_run(workspace)
    assert "Not in MLflow yet: tracking.uri=http://127.0.0.1:9: no answer" in text
    assert f"-m student_perf sync {record.folder}" in text
    assert (record.status, record.mlflow_run_id) == ("FINISHED", None)

    assert cli.main(["sync"]) == 1  # still away: one line, and nothing is lost
    assert "no answer" in capsys.readouterr().err
    reachable(record, workspace)
    assert cli.main(["sync"]) == 0
    assert record.name in capsys.readouterr().out
    client, found = sent_runs(workspace)
    (sent,) = found
    assert sent.info.status == "FINISHED"
    assert sent.data.metrics["cv_accuracy_mean"] == record.metrics["cv_accuracy_mean"]
    assert (
        sent.inputs.dataset_inputs[0].dataset.digest
        == (record.tags["student_perf.data_sha256"][:32])
    )
    names = {file.path for file in client.list_artifacts(sent.info.run_id)}
    assert {"metrics.json", "predictions.parquet", "confusion_matrix.png"} <= names
    assert load_record(record.folder).mlflow_run_id == sent.info.run_id

    assert cli.main(["sync"]) == 0
    assert "Nothing is pending" in capsys.readouterr().out
    assert len(sent_runs(workspace)[1]) == 1


@pytest.mark.usefixtures("mlflow_loaded")  # before it is, its modules are only stand-ins
@pytest.mark.parametrize(
    "step",
    [
        pytest.param("mlflow.pyfunc.save_model", marks=pytest.mark.slow),
        pytest.param("student_perf.store.client.send_model", marks=pytest.mark.slow),
        pytest.param("student_perf.store.client._send_values", marks=pytest.mark.slow),
        "student_perf.store.client._send_files",
    ],
)
def test_sent_again_after_being_cut_off_it_is_the_same_run(train, workspace, monkeypatch, step):
    train(NOWHERE, *QUICK)
    record = reachable(only_run(workspace), workspace)

    def cut(*_args, **_kwargs):
        raise SystemExit  # as a kill would: no handler runs

    with monkeypatch.context() as patch:
        patch.setattr(step, cut)
        with pytest.raises(SystemExit):
            publish_later(record)
    assert load_record(record.folder).mlflow_run_id is None
    assert publish_later(load_record(record.folder)) is not None
    store, (sent,) = sent_runs(workspace)
    assert sent.info.status == "FINISHED"
    history = store.get_metric_history(sent.info.run_id, "fold_accuracy")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == record.metrics[
        "fold_accuracy"
    ]
    assert len(sent.inputs.dataset_inputs) == 1
    models = [store.get_logged_model(one.model_id) for one in sent.outputs.model_outputs]
    (model,) = [model for model in models if model.status == "READY"]
    assert client.logged_model_id(store, sent) == model.model_id
    scores = {metric.key: metric.dataset_name for metric in model.metrics}
    assert scores["cv_accuracy_mean"] == "econmath"


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_sweep_without_a_server_is_sent_with_its_winner(train, workspace, capsys):
    done = train("-m", "model.C=0.1,1", NOWHERE, *QUICK)
    assert done.code == 0
    assert done.out.count("Not in MLflow yet") == 1
    (folder,) = (workspace / "multirun").iterdir()
    reachable(load_record(folder), workspace)
    for _ in range(2):
        assert cli.main(["sync", str(folder)]) == 0
        client, found = sent_runs(workspace)
        kinds = sorted(run.data.tags["student_perf.kind"] for run in found)
        assert kinds == ["final", "sweep", "trial", "trial"]
        (sweep,) = (r for r in found if r.data.tags["student_perf.kind"] == "sweep")
        parents = {r.data.tags.get("mlflow.parentRunId") for r in found if r is not sweep}
        assert parents == {sweep.info.run_id}
        (winner,) = (r for r in found if r.data.tags["student_perf.kind"] == "final")
        assert load_record(folder / "winner").mlflow_run_id == winner.info.run_id
        assert len(winner.inputs.dataset_inputs) == 1
        (model,) = client.search_logged_models([winner.info.experiment_id])
        assert model.source_run_id == winner.info.run_id


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_the_same_sweep_again_sends_what_the_first_could_not(train, workspace):
    words = ["-m", "model.C=0.1,1", "hydra.sweeper.study_name=mine", *QUICK]
    train(*words, NOWHERE)
    done = train(*words)
    assert (done.code, "Not in MLflow yet" in done.out) == (0, False)
    found = sent_runs(workspace)[1]
    kinds = sorted(run.data.tags["student_perf.kind"] for run in found)
    assert kinds == ["final", "sweep", "trial", "trial"]
    assert {run.info.status for run in found} == {"FINISHED"}
    (folder,) = (workspace / "multirun").iterdir()
    assert f"winner   run {load_record(folder / 'winner').mlflow_run_id}" in done.out


@pytest.mark.slow
def test_a_masked_password_has_to_be_given_again(train, workspace, monkeypatch):
    train(NOWHERE, *QUICK)
    record = only_run(workspace)
    record.params["tracking.uri"] = "postgresql://me:***@host/db"
    with pytest.raises(TrackingError, match="set MLFLOW_TRACKING_URI"):
        publish_later(record)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/mlflow.db")
    assert publish_later(record) is not None
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert publish_later(record) is None  # sent already, so that nobody needs the password


@pytest.mark.slow
def test_a_run_is_found_by_its_record(train, workspace):
    train(*QUICK)
    record = only_run(workspace)
    tracking = TrackingConfig(True, f"sqlite:///{workspace}/mlflow.db", "student_perf")
    assert RunStore(tracking).find(record) == record.mlflow_run_id
    record.tags["student_perf.record_id"] = "another"
    assert RunStore(tracking).find(record) is None
