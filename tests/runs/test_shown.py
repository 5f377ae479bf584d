from dataclasses import replace

import pandas as pd
import pytest

from student_perf.experiment.run import run_experiment
from student_perf.runs.layout import INTRODUCTION_FILE, METRICS_FILE, SUBGROUPS_FILE
from student_perf.runs.record import Recorded, RunRecord, write_json
from student_perf.runs.shown import (
    Introduction,
    _table,
    read_introduction,
    read_lineage,
    read_result,
    show_introduction,
    show_result,
    write_introduction,
)
from student_perf.tables.files import csv_text
from student_perf.terminal import Terminal


@pytest.fixture
def empty(tmp_path):
    """A run that has left nothing but its record."""
    return Recorded(RunRecord(tmp_path, "mine", "single", {}, {}), {})


def show_again(run):
    show_introduction(Terminal(), read_introduction(run), read_lineage(run))
    show_result(Terminal(), read_result(run))


def test_a_run_is_shown_again_line_by_line(compose_config, workspace, capsys):
    config = compose_config("tracking=off", "model=tree", "dataset.subgroups=[male]")
    record = run_experiment(config, workspace / "r", Terminal(), kind="final").record
    lines = capsys.readouterr().out.splitlines()
    run = Recorded(record, config.composed)
    show_again(run)
    again = capsys.readouterr().out.splitlines()
    assert again == lines[: len(again)]
    (place,) = (line for line in lines[len(again) :] if line)
    assert place.split() == ["winner", str(run.folder)]
    for start in ("  target ", "  Test rows (n = ", "    groups of held-out", "  Permuted,"):
        assert any(line.startswith(start) for line in again), start

    (run.folder / INTRODUCTION_FILE).unlink()  # as a run of an earlier version
    record.seal()
    show_again(run)
    assert capsys.readouterr().out.splitlines()[0] == ""  # the metrics come first


def test_an_introduction_comes_back_without_its_secrets(empty):
    said = Introduction({"target": "a, b"}, ["one"], ["postgresql://me:secret9@host"], ["some"])
    write_introduction(empty.folder, said)
    assert read_introduction(empty) == replace(said, warnings=["postgresql://me:***@host"])
    write_json(empty.folder / INTRODUCTION_FILE, {"facts": None, "notes": [1]})
    assert read_introduction(empty) == Introduction(notes=["1"])


def test_words_of_a_table_stay_words(empty):
    table = pd.DataFrame(
        {
            "column": ["a", "a"],
            "group": ["NA", "01"],
            "n": [3, 4],
            "metric": "accuracy",
            "value": [0.5, float("nan")],
            "note": ["", "too few"],
        }
    )
    (empty.folder / SUBGROUPS_FILE).write_text(csv_text(table))
    read = _table(empty.record, SUBGROUPS_FILE)
    assert read["group"].tolist() == ["NA", "01"]
    assert read["note"].tolist() == ["", "too few"]
    assert read["value"].isna().tolist() == [False, True]


def test_a_nested_result_has_neither_dummy_nor_verdict(empty, capsys):
    row = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6, "folds": [0.4, 0.6]}
    empty.record.params["objective.metric"] = "accuracy"
    write_json(empty.folder / METRICS_FILE, {"metrics": {"accuracy": row}})
    show_again(empty)
    out = capsys.readouterr().out
    assert "0.400 to 0.600" in out
    assert "dummy baseline" not in out
