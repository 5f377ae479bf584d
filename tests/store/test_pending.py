import pytest
from mlflow import MlflowClient

from student_perf import cli
from student_perf.errors import TrackingError
from student_perf.runs.record import load_record
from student_perf.store.client import RunStore
from student_perf.store.pending import send

QUICK = ["split.n_splits=2", "report.importance=false"]
NOWHERE = "tracking.uri=http://127.0.0.1:9"


def only_run(workspace):
    (record,) = (load_record(p.parent) for p in (workspace / "outputs").glob("*/*/record.json"))
    return record


def reachable(record, workspace):
    """The record as if its server had come back, as a sqlite store."""
    record.params["tracking.uri"] = f"sqlite:///{workspace}/mlflow.db"
    record.save()
    return record


def runs(workspace):
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'student_perf'")
    return client, client.search_runs([experiment.experiment_id])


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
    client, found = runs(workspace)
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
    assert len(runs(workspace)[1]) == 1


@pytest.mark.parametrize("step", ["_send_values", "_send_files", "_send_model"])
def test_sent_again_after_being_cut_off_it_is_the_same_run(train, workspace, monkeypatch, step):
    train(NOWHERE, *QUICK)
    record = reachable(only_run(workspace), workspace)

    def cut(*_args, **_kwargs):
        raise SystemExit  # as a kill would: no handler runs

    with monkeypatch.context() as patch:
        patch.setattr(f"student_perf.store.client.{step}", cut)
        with pytest.raises(SystemExit):
            send(record)
    assert load_record(record.folder).mlflow_run_id is None
    assert send(load_record(record.folder)) is not None
    client, (sent,) = runs(workspace)
    assert sent.info.status == "FINISHED"
    history = client.get_metric_history(sent.info.run_id, "fold_accuracy")
    assert [m.value for m in sorted(history, key=lambda m: m.step)] == record.metrics[
        "fold_accuracy"
    ]
    assert len(sent.inputs.dataset_inputs) == 1


def test_a_sweep_without_a_server_is_sent_with_its_winner(train, workspace, capsys):
    done = train("-m", "model.C=0.1,1", NOWHERE, *QUICK)
    assert done.code == 0
    assert done.out.count("Not in MLflow yet") == 1
    (folder,) = (workspace / "multirun").iterdir()
    reachable(load_record(folder), workspace)
    for _ in range(2):
        assert cli.main(["sync", str(folder)]) == 0
        client, found = runs(workspace)
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


def test_the_same_sweep_again_sends_what_the_first_could_not(train, workspace):
    words = ["-m", "model.C=0.1,1", "hydra.sweeper.study_name=mine", *QUICK]
    train(*words, NOWHERE)
    done = train(*words)
    assert (done.code, "Not in MLflow yet" in done.out) == (0, False)
    found = runs(workspace)[1]
    kinds = sorted(run.data.tags["student_perf.kind"] for run in found)
    assert kinds == ["final", "sweep", "trial", "trial"]
    assert {run.info.status for run in found} == {"FINISHED"}
    (folder,) = (workspace / "multirun").iterdir()
    assert f"winner   run {load_record(folder / 'winner').mlflow_run_id}" in done.out


def test_a_masked_password_has_to_be_given_again(train, workspace, monkeypatch):
    train(NOWHERE, *QUICK)
    record = only_run(workspace)
    record.params["tracking.uri"] = "postgresql://me:***@host/db"
    with pytest.raises(TrackingError, match="set MLFLOW_TRACKING_URI"):
        send(record)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{workspace}/mlflow.db")
    assert send(record) is not None


def test_a_run_is_found_by_its_record(train, workspace):
    from student_perf.config.schema import TrackingConfig

    train(*QUICK)
    record = only_run(workspace)
    tracking = TrackingConfig(True, f"sqlite:///{workspace}/mlflow.db", "student_perf")
    assert RunStore(tracking).find(record) == record.mlflow_run_id
    record.tags["student_perf.record_id"] = "another"
    assert RunStore(tracking).find(record) is None
