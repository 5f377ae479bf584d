"""What halving did, from the records of trials."""

from pathlib import Path

import pytest

from student_perf.compare.halved import RUNGS, halving_lines, rungs_of
from student_perf.runs.record import RunRecord


def trial(status, rows=None, share=0.0, scores=None):
    """A record of a trial that climbed rungs, if it has rows."""
    known = {"of": "a", "rows": rows, "scores": scores or [0.5] * len(rows or ()), "share": share}
    optuna = {"user_attrs": {RUNGS: known}} if rows else {}
    return RunRecord(Path(), "xgb-0", "trial", {}, {}, status=status, optuna=optuna)


def test_it_counts_what_ran_on_all_rows_and_the_work_of_all_fits():
    trials = [
        trial("FINISHED", [2_222, 6_667], 0.1),
        trial("PRUNED", [2_222], 0.025),
        trial("PRUNED", [2_222, 6_667], 0.1),
        trial("FINISHED"),  # a reference
        trial("RUNNING", [2_222], 0.025),
        trial("FAILED", [2_222, 6_667], 0.1),
    ]
    (line,) = halving_lines(trials)
    assert line == (
        "Halving: 2 of 4 trials ran on all rows; 2 were stopped on samples of 2,222 or 6,667 "
        "training rows, without a score, and may be better on all rows. The fits took 56% of the "
        "full search's rows."
    )


def test_it_says_if_nothing_was_stopped_and_what_could_not_be_judged():
    trials = [trial("FINISHED", [9], 0.1, [None]), trial("FINISHED", [9], 0.1)]
    (line,) = halving_lines(trials)
    assert line == (
        "Halving: 2 of 2 trials ran on all rows. The fits took 110% of the full search's rows. "
        "1 trial could not be judged on a sample and went on."
    )


@pytest.mark.parametrize("trials", [[], [trial("FINISHED"), trial("PRUNED")]])
def test_without_halving_it_says_nothing(trials):
    assert halving_lines(trials) == []
    assert all(rungs_of(one) == {} for one in trials)
