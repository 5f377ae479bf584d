import subprocess
import sys

import pytest

from student_perf import cli
from student_perf.errors import TrackingError
from student_perf.runs.record import load_record
from tests.sweep.conftest import wait_until


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_sync_completes_what_mlflow_lacks_and_doubles_nothing(train, workspace, capsys):
    from mlflow import MlflowClient

    space = ["model.C=tag(log,interval(0.1,1))", "hydra.sweeper.n_trials=3"]
    space += ["split.n_splits=2", "report.importance=false"]
    assert train("-m", *space).code == 0
    uri = f"sqlite:///{workspace}/mlflow.db"
    client = MlflowClient(tracking_uri=uri)
    (folder,) = (workspace / "multirun").iterdir()

    def runs():
        (experiment,) = client.search_experiments(filter_string="name = 'student_perf'")
        return client.search_runs([experiment.experiment_id])

    before = {run.info.run_id for run in runs()}
    assert len(before) == 3 + 1 + 1
    lost = next(r for r in runs() if r.data.tags.get("student_perf.trial_number") == "1"
                and r.data.tags["student_perf.kind"] == "trial")  # fmt: skip
    client.delete_run(lost.info.run_id)
    capsys.readouterr()
    for line in (f"{folder.name}: 1 run", f"{folder.name}: is in MLflow"):
        assert cli.main(["sync", str(folder)]) == 0
        assert capsys.readouterr().out.splitlines() == [line]
        assert len(runs()) == 5
    assert {r.info.status for r in runs()} == {"FINISHED"}
    assert cli.main(["sync"]) == 0
    assert len(runs()) == 5


@pytest.mark.slow
def test_a_deleted_run_comes_back_if_it_is_named(train, workspace, capsys):
    from mlflow import MlflowClient

    assert train("model=tree", "split.n_splits=2", "report.importance=false").code == 0
    (folder,) = (workspace / "outputs").glob("*/*")
    run_id = load_record(folder).mlflow_run_id
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    client.delete_run(run_id)
    assert cli.main(["sync"]) == 0
    assert "Nothing is pending." in capsys.readouterr().out
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    assert cli.main(["sync", str(folder)]) == 0
    assert f"run {run_id} is back from MLflow's bin" in capsys.readouterr().out
    assert client.get_run(run_id).info.lifecycle_stage == "active"
    assert cli.main(["sync", str(folder)]) == 0
    assert "is in MLflow" in capsys.readouterr().out
    client.delete_run(run_id)
    client._tracking_client.store._hard_delete_run(run_id)
    assert cli.main(["sync", str(folder)]) == 0
    again = load_record(folder).mlflow_run_id
    assert client.get_run(again).info.status == "FINISHED"


# A run whose training never ends.
ENDLESS = """
import sys, time
from student_perf.experiment import run
from student_perf.train import main
run.compute = lambda *words, **more: time.sleep(3600)
if __name__ == "__main__":
    sys.exit(main())
"""


@pytest.mark.fault(
    "Processes",
    "kill -9 of a run",
    "shown as FAILED everywhere; `sync` sends it once",
)
@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_run_that_was_killed_has_ended_everywhere_and_is_sent(workspace, tmp_path, capsys):
    from mlflow import MlflowClient

    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    process = subprocess.Popen([sys.executable, script, "model=tree", "split.n_splits=2"])
    try:
        wait_until(lambda: list((workspace / "outputs").glob("*/*/provenance.json")))
        (folder,) = (workspace / "outputs").glob("*/*")
        assert load_record(folder).status == "RUNNING"
    finally:
        process.kill()
        process.wait()
    assert load_record(folder).status == "FAILED"
    assert cli.main(["report", str(folder)]) == 1
    assert "the run is FAILED (ended without a word, last seen" in capsys.readouterr().err
    assert cli.main(["sync"]) == 0
    run_id = load_record(folder).mlflow_run_id
    assert f"run {run_id}" in capsys.readouterr().out
    run = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db").get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.tags["student_perf.error"].startswith("ended without a word")
    assert cli.main(["sync"]) == 0
    assert "Nothing is pending." in capsys.readouterr().out


def test_sync_of_no_sweep_says_so(tmp_path, capsys):
    assert cli.main(["sync", str(tmp_path)]) == 1
    assert "name the folder of a run or a sweep" in capsys.readouterr().err


def test_what_cannot_be_sent_holds_up_no_other(monkeypatch, capsys):
    from student_perf.store import publisher

    def send(name, is_named):
        if name == "away":
            raise TrackingError("the store is away")
        return f"{name}: sent"

    monkeypatch.setattr(publisher, "iter_tracked", lambda _: iter(["away", "here"]))
    monkeypatch.setattr(publisher, "publish_later", send)
    assert cli.main(["sync"]) == 1
    message = capsys.readouterr()
    assert message.err == "student_perf: the store is away\n"
    assert message.out == "here: sent\n"
