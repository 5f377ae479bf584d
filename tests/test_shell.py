"""Lines to type work where they are read."""

import shlex
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from student_perf.shell import (
    in_shell,
    install_extra,
    install_line,
    line,
    own_line,
    python_command,
    train_line,
    with_workspace,
)


def test_the_python_that_runs_is_named_from_the_current_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / ".venv/bin/python"))
    monkeypatch.chdir(tmp_path)
    assert python_command() == ".venv/bin/python"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert python_command() == str(tmp_path / ".venv/bin/python")
    monkeypatch.setattr("shutil.which", lambda _: sys.executable)
    assert python_command() == "python"


def test_words_are_quoted_and_the_workspace_is_named():
    python = python_command()
    assert own_line("check", "a b") == f"{python} -m student_perf check 'a b'"
    assert train_line("model=rf") == f"{python} -m student_perf.train model=rf"
    with with_workspace(Path("other place")):
        words = shlex.split(own_line("ui", "1234"))
        assert words[-4:] == ["ui", "1234", "--workspace", "other place"]
    assert "--workspace" not in own_line("ui")


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("dataset.target='Calificación'", "\"dataset.target='Calificación'\""),
        ("model.C=1,10", "model.C=1,10"),
        ("a=choice(b, c)", "'a=choice(b, c)'"),
        ("it's $HOME", "'it'\"'\"'s $HOME'"),
        ("it's!", "'it'\"'\"'s!'"),
    ],
)
def test_a_word_for_a_shell_is_one_word_and_readable(word, written):
    assert in_shell(word) == written
    assert shlex.split(line(["a", word])) == ["a", word]


def test_an_extra_is_installed_by_its_packages_which_a_wheel_has_too():
    line = install_extra("boosting")
    assert line.startswith(install_line())
    names = [word.partition(">")[0] for word in shlex.split(line)[4:]]
    assert names == ["catboost", "lightgbm"]


def test_a_copied_folder_is_installed_with_its_extra(monkeypatch):
    def unknown(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", unknown)
    assert shlex.split(install_extra("serve"))[-2:] == ["-e", ".[serve]"]


@pytest.mark.parametrize("extra", ["serve", "explain", "sheets", "postgres", "dashboard"])
def test_an_extra_names_packages(extra):
    assert shlex.split(install_extra(extra))[4:]
