"""`tasks.py` does what `make` does, without make."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from student_perf.paths import PROJECT_DIR

MAKEFILE = (PROJECT_DIR / "Makefile").read_text(encoding="utf-8")
TARGETS = tasks.read_targets(MAKEFILE)
VARIABLES = dict(tasks._VARIABLE.findall(MAKEFILE))
PLAIN = [name for name, _ in tasks._without_shell(TARGETS)]


def test_the_targets_that_people_need_run_without_a_shell():
    assert {"setup", "train", "sweep", "report", "compare", "test", "ui"} <= set(PLAIN)
    assert "lint" not in PLAIN  # its pipes need a shell


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("name", [name for name in PLAIN if TARGETS[name][2]])
def test_a_target_runs_the_lines_that_make_runs(name, tmp_path):
    (tmp_path / ".installed").touch()
    given = {"train": ["model=xgb", "seed=7"], "sweep": ["model=rf,xgb"]}.get(name, [])
    words = {"train": "ARGS", "sweep": "SWEEP_ARGS"}
    more = [f"{words[name]}={' '.join(given)}"] if given else []
    # Of `make test`, which would have this one say where it is.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    run = subprocess.run(
        ["make", "-n", name, f"VENV={tmp_path}", *more],
        cwd=PROJECT_DIR, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ours = [tasks.words_of(line, VARIABLES, given, tmp_path / "bin") for line in TARGETS[name][2]]
    assert [shlex.split(line) for line in run.stdout.splitlines()] == ours


def test_words_may_hold_blanks_and_are_refused_where_none_belong():
    line = TARGETS["train"][2][0]
    words = tasks.words_of(line, VARIABLES, ["dataset.target=Nota final"], Path("bin"))
    assert words[-1] == "dataset.target=Nota final"
    with pytest.raises(tasks.TaskError, match="takes no words"):
        tasks.words_of(TARGETS["report"][2][0], VARIABLES, ["latest"], Path("bin"))


def test_an_unknown_target_is_one_line_and_the_list_names_words_without_make(capsys):
    assert tasks.main(["trian"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tasks.py: trian: must be one of setup, train")
    assert tasks.main([]) == 0
    assert "run one experiment (model=xgb seed=7)" in capsys.readouterr().out


def test_it_needs_nothing_but_python():
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(PROJECT_DIR / "tasks.py")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "  train " in run.stdout
