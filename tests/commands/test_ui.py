import sys

import pytest

from student_perf import cli
from student_perf.commands import ui


@pytest.mark.parametrize(
    ("words", "says"),
    [([], "no such database; run `make train`"), (["--store", "/tmp/runs"], "must start with a")],
)
def test_ui_without_a_store_says_what_to_do(words, says, workspace, capsys):
    assert cli.main(["ui", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
    assert not list(workspace.iterdir())


def test_ui_opens_the_default_store_on_loopback(workspace, monkeypatch):
    calls = []
    monkeypatch.setattr(ui.subprocess, "call", lambda command: calls.append(command) or 0)
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
