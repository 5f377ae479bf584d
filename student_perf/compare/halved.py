"""What `hydra.sweeper.pruner=halving` did in a sweep, in words.

A trial that it stopped has no score: what a model scores on a sample of the rows is not comparable
with what it scores on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from student_perf.runs.record import RunRecord
from student_perf.text import plural

RUNGS = "rungs"  # user attribute of a trial: rows and scores of its rungs, which are none of its


def rungs_of(record: RunRecord) -> dict[str, Any]:
    """What a trial's record says of its rungs; empty if it climbed none."""
    attributes = record.optuna.get("user_attrs", {})
    return dict(attributes.get(RUNGS) or {})


def is_stopped(record: RunRecord) -> bool:
    """Whether halving stopped a trial on a sample."""
    return record.status == "PRUNED" and bool(rungs_of(record))


def halving_lines(trials: Sequence[RunRecord]) -> list[str]:
    """How many trials ran on all rows, and how much of the full search's work the fits were."""
    climbed = [trial for trial in trials if rungs_of(trial)]
    ended = [trial for trial in trials if trial.status in ("FINISHED", "PRUNED")]
    if not climbed or not ended:
        return []
    stopped = [trial for trial in climbed if is_stopped(trial)]
    sizes = sorted({rungs_of(trial)["rows"][-1] for trial in stopped})
    shares = [rungs_of(trial).get("share", 0.0) for trial in ended]
    n_whole = len(ended) - len(stopped)
    work = (sum(shares) + n_whole) / len(ended)
    line = f"Halving: {n_whole} of {plural(len(ended), 'trial')} ran on all rows"
    if stopped:
        rows = " or ".join(f"{size:,}" for size in sizes)
        verb = "was" if len(stopped) == 1 else "were"
        line += f"; {len(stopped)} {verb} stopped on samples of {rows} training rows"
        line += ", without a score, and may be better on all rows"
    line += f". The fits took {work:.0%} of the full search's rows."
    if unjudged := sum(None in rungs_of(trial)["scores"] for trial in climbed):
        line += f" {plural(unjudged, 'trial')} could not be judged on a sample and went on."
    return [line]
