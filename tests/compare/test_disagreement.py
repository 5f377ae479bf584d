from dataclasses import dataclass

import numpy as np
import pytest

from student_perf.compare.disagreement import MOST, disagreement
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.show import closing
from student_perf.runs.predictions import Predictions


@dataclass
class Ran:
    """A record of which only the predictions are asked for."""

    output: np.ndarray | None
    first_row: int = 0

    def predictions(self):
        if self.output is None:
            return None
        n = len(self.output)
        task = "classification" if self.output.ndim == 2 else "regression"
        row, zeros = np.arange(n) + self.first_row, np.zeros(n, dtype=np.int64)
        return Predictions(task, row, zeros, zeros, self.output)


def classes(*codes):
    return Ran(np.eye(3)[list(codes)])


def test_a_row_counts_if_any_of_the_runs_answers_otherwise():
    found = disagreement([classes(0, 0, 1, 2), classes(0, 1, 1, 2), classes(0, 0, 1, 0)], 3)
    assert (found.n_runs, found.n_rows) == (3, 4)
    assert found.any_two == 0.5
    assert found.from_taken == 0.25
    assert found.sentence() == (
        "The answer to 50% of 4 held-out rows depends on which of the 3 tied runs is taken; the "
        "recommended one differs from another in up to 25%."
    )


def test_of_more_tied_runs_than_are_read_both_numbers_are_named():
    runs = [classes(0, 1), classes(0, 2)]
    assert "which of 2 of 3 tied runs is taken" in disagreement(runs, 3).sentence()
    text = disagreement(runs * 30, 60).sentence()
    assert f"which of the first {MOST} of 60 tied runs is taken" in text


def test_numbers_lie_so_far_apart():
    found = disagreement(
        [Ran(np.arange(10.0)), Ran(np.arange(10.0) + np.repeat([0.0, 10, 30], [8, 1, 1]))], 2
    )
    assert found.any_two == pytest.approx(4)
    assert found.tenth == pytest.approx(12)
    assert "4.000 between the lowest and the highest" in found.sentence()


def test_runs_without_predictions_or_on_other_rows_are_left_out():
    one = classes(0, 1)
    assert disagreement([one, Ran(None)], 2) is None
    assert disagreement([one, Ran(np.eye(3)[[1, 1]], first_row=7)], 2) is None
    assert disagreement([], 0) is None


def test_without_the_answers_of_the_run_that_is_taken_nothing_is_said_of_it():
    assert disagreement([Ran(None), classes(0, 1), classes(0, 2)], 3) is None


@pytest.mark.slow
def test_a_leaderboard_of_tied_runs_says_it(run):
    board = make_leaderboards([run("model=logreg"), run("model=tree")])[0]
    assert all(line.tied for line in board.lines)
    (line,) = [line for line in closing(board, 10) if "depends on which" in line]
    assert f"{board.disagreement.any_two:.0%} of 684 held-out rows" in line
    assert 0 < board.disagreement.from_taken == board.disagreement.any_two < 1
