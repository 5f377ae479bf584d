import math

import pandas as pd
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.outcome import load_sweep
from student_perf.runs.record import load_record
from student_perf.store.standings import load_standings
from student_perf.sweep import standings
from student_perf.sweep.standings import write_standings

FOLDS = [[0.5, 0.5, 0.6], [0.7, 0.6, 0.7], [0.4, 0.4, 0.5], [0.1, 0.1, 0.2]]


def written(folder):
    write_standings(load_sweep(folder))
    return load_standings(folder)


def test_places_are_those_of_the_leaderboard(sweep_folder):
    folder = sweep_folder(FOLDS)
    marks = written(folder).marks
    board = make_leaderboards([load_record(folder / str(n)) for n in range(4)])[0]
    for place, line in enumerate(board.lines, start=1):
        assert marks[line.record.trial_number] == {
            "rank": place,
            "to_best": line.to_best,
            "to_best_low": line.to_best_low,
            "to_best_high": line.to_best_high,
            "p_to_best": line.p_value,
            "student_perf.tied": "tied" if line.tied else "worse",
        }
    assert {mark["student_perf.tied"] for mark in marks.values()} == {"tied", "worse"}


def test_the_leaderboard_is_a_table_with_what_was_drawn(sweep_folder):
    folder = sweep_folder(FOLDS)
    written(folder)
    table = pd.read_csv(folder / "leaderboard.csv", dtype={"run": str})
    board = make_leaderboards([load_record(folder / str(n)) for n in range(4)])[0]
    assert list(table["run"]) == [line.label for line in board.lines]
    assert list(table["rank"]) == [1, 2, 3, 4]
    assert list(table["mean"]) == pytest.approx([line.mean for line in board.lines])
    assert list(table["ci95_low"]) == pytest.approx([line.low for line in board.lines])
    drawn = [line.record.swept["model.C"] for line in board.lines]
    assert [str(value) for value in table["model.C"]] == drawn


def test_the_view_is_that_of_the_sweep(sweep_folder):
    shape = written(sweep_folder(FOLDS)).shape
    assert (shape.study, shape.objectives, shape.n_folds) == ("mine", ("accuracy",), 3)
    assert shape.shared == shape.parameters
    assert [name.removeprefix("swept.") for name in shape.parameters] == ["model.C"]


def test_of_a_single_fold_nothing_is_called_tied(sweep_folder):
    marks = written(sweep_folder([[0.5], [0.7]])).marks
    assert marks[1]["rank"] == 1
    assert marks[0]["to_best"] == pytest.approx(-0.2)
    assert not {"p_to_best", "to_best_low", "student_perf.tied"} & set(marks[0])
    assert all(not isinstance(v, float) or math.isfinite(v) for v in marks[0].values())


def test_who_once_had_a_rank_keeps_one(sweep_folder, monkeypatch):
    monkeypatch.setattr(standings, "_MOST_RANKED", 2)
    first = written(sweep_folder(FOLDS[:2], study="first"))
    assert set(first.marks) == {0, 1}
    folder = sweep_folder([*FOLDS[:2], [0.8, 0.8, 0.9], [0.9, 0.8, 0.9]])
    first.save(folder)
    marks = written(folder).marks
    assert {n: mark["rank"] for n, mark in marks.items()} == {3: 1, 2: 2, 1: 3, 0: 4}


def test_without_a_finished_trial_nothing_is_written(sweep_folder):
    folder = sweep_folder(FOLDS[:1])
    load_record(folder / "0").fail("ValueError: no luck")
    assert written(folder) is None


def test_a_failure_is_one_line_in_the_log(sweep_folder, monkeypatch, caplog):
    monkeypatch.setattr(standings, "make_standings", lambda *_: 1 / 0)
    assert written(sweep_folder(FOLDS)) is None
    assert [r.message for r in caplog.records] == [
        "no ranks for MLflow: ZeroDivisionError: division by zero"
    ]
