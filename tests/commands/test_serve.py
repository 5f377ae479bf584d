import sys

import pytest

from student_perf import cli


@pytest.fixture
def calls(monkeypatch):
    """What the command hands over, instead of serving it."""
    made = []

    def serve(kept, host, port, limits, announce):
        announce(f"http://{host}:{port}")
        made.append((kept, host, port, limits))

    monkeypatch.setattr("student_perf.serving.serve.serve", serve)
    monkeypatch.setattr("student_perf.store.kept_model.load_kept_model", lambda run, store: run)
    return made


def test_the_default_is_loopback_with_limits(calls, capsys):
    assert cli.main(["serve", "somewhere"]) == 0
    ((kept, host, port, limits),) = calls
    assert (kept, host, port) == ("somewhere", "127.0.0.1", 8000)
    assert (limits.request_bytes, limits.rows) == (1_048_576, 1000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("somewhere: http://127.0.0.1:8000")


def test_another_address_comes_with_a_warning(calls, capsys):
    options = ["--host", "0.0.0.0", "--port", "81", "--max-rows", "7", "--max-request-bytes", "99"]
    assert cli.main(["serve", "somewhere", *options]) == 0
    assert (calls[0][3].request_bytes, calls[0][3].rows) == (99, 7)
    assert "--host 0.0.0.0: anyone who reaches" in capsys.readouterr().err


def test_a_missing_extra_is_one_line_with_the_command(monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "student_perf.serving.serve", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["serve", "somewhere"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("needs uvicorn, which is not installed; run: pip install -e '.[serve]'")


def test_no_model_and_no_limit_are_one_line(capsys):
    assert cli.main(["serve", "nothing"]) == 1
    assert "nothing: no such run" in capsys.readouterr().err
    assert cli.main(["serve", "nothing", "--max-rows", "0"]) == 1
    assert "--max-rows 0: must be at least 1" in capsys.readouterr().err
