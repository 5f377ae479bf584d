import subprocess
import sys

import pytest

from student_perf import cli
from student_perf.experiment import run_experiment
from student_perf.terminal import Terminal
from student_perf.tracking.record import RunRecord


@pytest.fixture
def finished(compose_config, workspace):
    config = compose_config("tracking=off", "model=logreg")
    folder = workspace / "outputs/2026-01-02/03-04-05_abcdef01"
    return run_experiment(config, folder, Terminal(quiet=True)).record


def test_report_shows_the_latest_finished_run(finished, workspace, capsys):
    later = workspace / "outputs/2026-01-02/09-00-00_abcdef02"
    later.mkdir(parents=True)
    RunRecord(later, "broken", "single", {}, {}, started=finished.started + 60).fail("X: no")
    assert cli.main(["report"]) == 0
    out = capsys.readouterr().out
    assert finished.name in out
    mean = finished.metrics["cv_accuracy_mean"]
    assert f"{mean:.3f}" in out
    assert str(finished.folder) in out


def test_report_takes_a_folder(finished, capsys):
    assert cli.main(["report", str(finished.folder)]) == 0
    assert finished.name in capsys.readouterr().out


@pytest.mark.parametrize("state", ["none", "failed", "no record"])
def test_report_without_a_result_says_why(state, tmp_path, capsys):
    arguments = ["report"] if state == "none" else ["report", str(tmp_path)]
    if state == "failed":
        RunRecord(tmp_path, "x", "single", {}, {}).fail("DataError: no rows")
    assert cli.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    expected = {"none": "run `make train` first", "failed": "no rows", "no record": "record.json"}
    assert expected[state] in line


def test_ui_without_a_store_says_what_to_do(capsys):
    assert cli.main(["ui"]) == 1
    assert "no such database yet" in capsys.readouterr().err


def test_ui_opens_the_default_store_on_loopback(workspace, monkeypatch):
    calls = []
    monkeypatch.setattr(cli.subprocess, "call", lambda command: calls.append(command) or 0)
    (workspace / "mlflow.db").touch()
    assert cli.main(["ui", "--port", "5050"]) == 0
    (command,) = calls
    assert command[:4] == [sys.executable, "-m", "mlflow", "server"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--port") + 1] == "5050"
    assert command[command.index("--backend-store-uri") + 1] == f"sqlite:///{workspace}/mlflow.db"


def test_ui_of_a_server_is_its_address(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:7000")
    assert cli.main(["ui"]) == 0
    assert "http://127.0.0.1:7000" in capsys.readouterr().out


def test_help_answers_without_heavy_imports():
    program = (
        "import sys, student_perf.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('pandas', 'sklearn', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr


def test_sync_completes_what_mlflow_lacks_and_doubles_nothing(train, workspace, capsys):
    from mlflow import MlflowClient

    space = ["model.C=tag(log,interval(0.1,1))", "hydra.sweeper.n_trials=3", "split.n_splits=2"]
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
    for _ in range(2):
        assert cli.main(["sync", str(folder)]) == 0
        assert len(runs()) == 5
    assert {r.info.status for r in runs()} == {"FINISHED"}
    assert cli.main(["sync"]) == 0
    assert len(runs()) == 5


def test_sync_of_no_sweep_says_so(tmp_path, capsys):
    assert cli.main(["sync", str(tmp_path)]) == 1
    assert "name the folder of a sweep" in capsys.readouterr().err
