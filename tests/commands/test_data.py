import json
import re
from pathlib import Path

import pytest

from student_perf.cli import main
from student_perf.commands.data import _try


def test_a_file_is_shown_within_80_columns(grades, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["data", str(grades), "dataset.target=grade"]) == 0
    out = capsys.readouterr().out
    # The heading is a path, and is never cut.
    assert max(map(len, out.splitlines()[1:])) <= 80
    assert "grade (target)" in out
    assert "What these data can answer" in out


@pytest.mark.slow
def test_json_page_and_dataset_file(grades, capsys, tmp_path):
    words = ["--html", str(tmp_path / "look.html"), "--write", str(tmp_path / "mine.yaml")]
    assert main(["data", str(grades), "dataset.target=grade", "--format", "json", *words]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n_rows"] == 120
    assert report["answers"]["metric"] == "accuracy"
    assert "<h2>Columns</h2>" in (tmp_path / "look.html").read_text()
    assert (tmp_path / "mine.yaml").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.csv"], "nowhere.csv: no such file"),
        (["econmath", "split.n_split=3"], "did you mean n_splits"),
        (["econmath", "--write", "x.yaml"], "needs a file and its target"),
    ],
)
def test_an_error_is_one_line(words, message, capsys):
    assert main(["data", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("conf/dataset", "student_perf.train dataset=mine"),
        ("other/dataset", "--config-dir .*other dataset=mine"),
        ("other", "move it to conf/dataset, then .* dataset=mine"),
    ],
)
def test_the_line_to_try_finds_the_file(place, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / place).mkdir(parents=True)
    assert re.search(line, _try(Path(place) / "mine.yaml"))
