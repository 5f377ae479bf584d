import sys

import pytest

from student_perf import cli
from student_perf.runs.layout import ADDRESS_FILE
from student_perf.runs.record import load_record
from student_perf.store import page_server
from tests.made_runs import change_record


@pytest.mark.parametrize(
    ("words", "says"),
    [([], "-m student_perf.train` first"), (["--store", "/tmp/runs"], "must start with a")],
)
def test_ui_without_a_store_says_what_to_do(words, says, workspace, capsys):
    assert cli.main(["ui", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not list(workspace.iterdir())


@pytest.mark.slow
def test_ui_opens_the_default_store_on_loopback(workspace, monkeypatch):
    calls = []
    monkeypatch.setattr(page_server, "serve_page", lambda *words: calls.append(words))
    (workspace / "mlflow.db").touch()
    assert cli.main(["ui", "--port", "5050"]) == 0
    ((uri, port, _),) = calls
    assert (uri, port) == (f"sqlite:///{workspace}/mlflow.db", 5050)


@pytest.fixture
def no_server(monkeypatch):
    monkeypatch.setattr(page_server, "serve_page", lambda uri, port, ready: ready())


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_ui_opens_the_sweep_or_the_run_that_is_meant(train, workspace, no_server, capsys):
    words = ("split.n_splits=2", "report.importance=false", "hydra.sweeper.study_name=mine")
    assert "ui mine\n" in train("-m", "model.C=0.1,1", *words).out
    folder = workspace / "multirun" / "mine"
    winner = load_record(folder / "winner").mlflow_run_id
    shown = {
        (): "/runs?workflowType=machine_learning&viewStateShareKey=student_perf.runs",
        ("mine",): "&viewStateShareKey=student_perf.sweep.mine",
        ("latest",): "&viewStateShareKey=student_perf.sweep.mine",
        (winner[:8],): f"/runs/{winner}?workflowType=machine_learning",
    }
    capsys.readouterr()
    for arguments, end in shown.items():
        assert cli.main(["ui", *arguments]) == 0
        out = capsys.readouterr().out.strip().splitlines()[-1]
        assert out.startswith(
            "MLflow's page (Ctrl-C ends it): http://127.0.0.1:5000/#/experiments/"
        )
        assert out.endswith(end)


def test_ui_of_a_run_that_is_nowhere_says_so(capsys, run):
    record = run()
    assert cli.main(["ui", "nothing"]) == 1
    assert "nothing: no such run" in capsys.readouterr().err
    assert cli.main(["ui", str(record.folder)]) == 1
    assert "--store" in capsys.readouterr().err


def test_ui_of_a_run_on_a_server_is_the_address_that_was_noted(make_record, monkeypatch, capsys):
    record = make_record("one", [0.5, 0.6])
    change_record(record, params={"tracking.uri": "https://me:***@mlflow.example.org"})
    address = "https://mlflow.example.org/#/experiments/1/runs/ab?workflowType=machine_learning"
    (record.folder / ADDRESS_FILE).write_text(address)
    assert cli.main(["ui", str(record.folder)]) == 0
    assert address in capsys.readouterr().out


def test_ui_of_a_server_is_its_address(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:7000")
    assert cli.main(["ui"]) == 0
    assert "http://127.0.0.1:7000" in capsys.readouterr().out


def test_optunas_page_is_of_a_sweep_on_this_disk(sweep_folder, workspace, monkeypatch, capsys):
    folder, served = sweep_folder([[0.5, 0.6]]), []
    monkeypatch.setattr(
        "student_perf.sweep.dashboard.serve_study",
        lambda journal, port, ready: served.append((journal, port)) or ready(),
    )
    assert cli.main(["ui", str(folder), "--optuna"]) == 1
    assert "its study is in a database" in capsys.readouterr().err
    (folder / "study.journal").touch()
    for word in (folder, folder / "0"):
        assert cli.main(["ui", str(word), "--optuna", "--port", "5051"]) == 0
    assert served == [(folder / "study.journal", 5051)] * 2
    assert "http://127.0.0.1:5051/dashboard/studies/0" in capsys.readouterr().out


def test_without_optuna_dashboard_one_line_says_what_to_install(sweep_folder, monkeypatch, capsys):
    folder = sweep_folder([[0.5, 0.6]])
    (folder / "study.journal").touch()
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    assert cli.main(["ui", str(folder), "--optuna"]) == 1
    assert "-m pip install 'optuna-dashboard>=0.20'" in capsys.readouterr().err
