import sys
from types import SimpleNamespace

import pytest

from student_perf import cli
from student_perf.serving.access import Access


@pytest.fixture
def calls(monkeypatch):
    """What the command hands over, instead of serving it."""
    made = []

    def serve(kept, access, port, limits, announce):
        announce(f"http://{access.host}:{port}")
        made.append((kept, access, port, limits))

    def known(run, store):
        return SimpleNamespace(name=run)

    monkeypatch.setattr("student_perf.serving.serve.serve", serve)
    monkeypatch.setattr("student_perf.store.kept_model.load_kept_model", known)
    return made


def test_the_default_is_loopback_with_limits(calls, capsys):
    assert cli.main(["serve", "somewhere"]) == 0
    ((kept, access, port, limits),) = calls
    assert (kept.name, access, port) == ("somewhere", Access("127.0.0.1"), 8000)
    assert (limits.request_bytes, limits.rows) == (1_048_576, 1000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("somewhere: http://127.0.0.1:8000")


def test_another_address_is_refused_without_a_token(calls, tmp_path, capsys):
    options = ["--host", "0.0.0.0", "--port", "81", "--max-rows", "7", "--max-request-bytes", "99"]
    assert cli.main(["serve", "somewhere", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--host 0.0.0.0: others can reach this address" in line
    token = tmp_path / "token"
    token.write_text("correct-horse-battery-staple\n")
    assert cli.main(["serve", "somewhere", *options, "--token-file", str(token)]) == 0
    ((_, access, _, limits),) = calls
    assert access == Access("0.0.0.0", "correct-horse-battery-staple")
    assert (limits.request_bytes, limits.rows) == (99, 7)


def test_a_token_that_is_none_is_one_line(calls, tmp_path, capsys):
    assert cli.main(["serve", "somewhere", "--token-file", str(tmp_path / "none")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--token-file" in line
    assert calls == []


def test_a_missing_extra_is_one_line_with_the_command(monkeypatch, capsys):
    for name in ("serve", "protocol"):
        monkeypatch.delitem(sys.modules, f"student_perf.serving.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert cli.main(["serve", "somewhere"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs uvicorn, which is not installed; run: " in line
    assert line.endswith(" 'uvicorn>=0.34'")


def test_no_model_and_no_limit_are_one_line(capsys):
    assert cli.main(["serve", "nothing"]) == 1
    assert "nothing: no such run" in capsys.readouterr().err
    assert cli.main(["serve", "nothing", "--max-rows", "0"]) == 1
    assert "--max-rows 0: must be at least 1" in capsys.readouterr().err
