import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.pages.board_section import board_section
from student_perf.runs.layout import PREDICTIONS_FILE

RNG = np.random.default_rng(3)
NOISE = RNG.normal(0, 0.02, (3, 5))
LOW, HIGH = (0.4 + NOISE[0]).tolist(), (0.6 + NOISE[1]).tolist()
SAME = (0.595 + NOISE[2]).tolist()


@pytest.fixture
def records(make_record):
    """The best, a simpler one that is tied with it, and a bad one."""
    found = [
        make_record("good", HIGH, model="xgb"),
        make_record("simple", SAME, model="logreg"),
        make_record("bad", LOW, model="rf"),
    ]
    for record, depth in zip(found, "345", strict=True):
        record.params |= {"model.depth": depth, "dataset.target": "grade"}
        record.metrics["dummy_accuracy_mean"] = 0.25
    return found


def save_predictions(record, n=40):
    probability = RNG.uniform(size=n)
    pq.write_table(
        pa.table({
            "row": np.arange(n),
            "fold": np.arange(n) % 5,
            "y_true": np.where(RNG.uniform(size=n) < probability, "high", "low"),
            "proba_low": 1 - probability,
            "proba_high": probability,
        }),
        record.folder / PREDICTIONS_FILE,
    )  # fmt: skip


def test_figures_are_those_of_the_leaderboard(records):
    (board,) = make_leaderboards(records)
    section = board_section(board, None, top=10)
    assert [row.label for row in section.rows] == [line.label for line in board.lines]
    assert [row.line.mean for row in section.rows] == [np.mean(x) for x in (HIGH, SAME, LOW)]
    assert [row.tied for row in section.rows] == ["yes", "yes", "no"]
    assert [row.marked for row in section.rows] == [False, True, False]
    assert section.lead[0].startswith("Recommended: logreg")
    assert section.dummy == 0.25
    assert section.facts["dataset"] == "grades"
    assert not any(math.isnan(row.line.to_best) for row in section.rows)


def test_the_recommended_run_is_shown_whatever_its_place(records):
    (board,) = make_leaderboards(records)
    section = board_section(board, None, top=1)
    assert [row.rank for row in section.rows] == [1, 2]
    assert section.below[0] == "and 1 more run."


def test_best_and_recommended_stand_side_by_side(records):
    for record in records:
        save_predictions(record)
    (board,) = make_leaderboards(records)
    section = board_section(board, None, top=10)
    pairs = [picture.alt for picture in section.pictures if picture.pair]
    assert len(pairs) == 4
    for alt, label in zip(pairs, [line.label for line in board.lines[:2]] * 2, strict=True):
        assert label in alt
    assert "Confusion matrix" in pairs[0]
    assert "calibration error" in pairs[2]
    assert section.change is not None
    assert ("model.depth", "3", "4") in section.change.rows
    for picture in section.pictures:
        assert picture.png.startswith(b"\x89PNG")


def test_what_runs_have_drawn_is_taken_over(records):
    (records[0].folder / "subgroups.png").write_bytes(b"\x89PNG of subgroups")
    (board,) = make_leaderboards(records)
    drawn = board_section(board, None, top=10).pictures[-1]
    assert drawn.png == b"\x89PNG of subgroups"
    assert drawn.alt == f"Scores of subgroups, {board.lines[0].label}"


def test_runs_on_other_folds_say_why_they_are_apart(records, make_record):
    other = make_record("other", HIGH, split="t" * 64)
    boards = make_leaderboards([*records, other])
    lead = board_section(boards[1], boards[0], top=10).lead
    assert "SP503: not paired with the runs above: other folds." in lead


def test_one_validation_part_has_no_pictures_of_folds(make_record):
    (board,) = make_leaderboards([make_record("one", [0.5]), make_record("two", [0.6])])
    section = board_section(board, None, top=10)
    assert section.pictures == []
    assert {row.tied for row in section.rows} == {"-"}
