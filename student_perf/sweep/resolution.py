"""What these rows and folds could show at all, said before the first trial."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from student_perf.compare.comparable import Key, answered_rows
from student_perf.experiment.prepare import PreparedData
from student_perf.experiment.records import make_record
from student_perf.runs import layout
from student_perf.runs.record import RunRecord, load_record
from student_perf.runs.seal import accept_changes
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.power import ASSUMED_CORRELATION, share_deviation, smallest_difference
from student_perf.sweep.plan import SweepPlan
from student_perf.text import format_number, plural

_MOST_LOOKED_AT = 20  # trials whose scores say how much differences vary
_SHARE = 0.5  # of right answers: the worst case


def resolution_line(plan: SweepPlan, data: PreparedData) -> str:
    """The smallest difference between two configurations that the folds would show, and by what
    that is known.
    """
    name, folds = plan.base.objective.metric, data.split.folds
    if len(folds) < 2:
        return (
            "A single validation part cannot show which differences are real; use "
            "split=repeated_kfold."
        )
    std, known_by = _deviation(plan, data)
    what = f"What {len(folds)} folds can show: "
    if math.isnan(std):
        return f"{what}not known before the first trials on these rows."
    least = smallest_difference(std, len(folds), data.split.test_over_train)
    return (
        f"{what}a true difference in {METRICS[name].label} of about {format_number(least)} between "
        f"two configurations is found in 4 of 5 cases, a smaller one less often ({known_by})."
    )


def _deviation(plan: SweepPlan, data: PreparedData) -> tuple[float, str]:
    """Deviation over folds of a difference, from earlier trials or by assumption, and which."""
    name, folds = plan.base.objective.metric, data.split.folds
    scores = [record.fold_scores(name) for record in _earlier(plan, data)]
    known = [one for one in scores if len(one) == len(folds) and np.isfinite(one).all()]
    spreads = [float((a - b).std(ddof=1)) for a, b in combinations(known, 2)]
    if spreads := [spread for spread in spreads if spread > 0]:
        return float(np.median(spreads)), f"by {plural(len(known), 'earlier trial')}"
    if name != "accuracy":
        return math.nan, ""
    n_rows = float(np.mean([_n_effective(data, fold.validation) for fold in folds]))
    known_by = (
        f"assumed: half of the answers right, correlation {ASSUMED_CORRELATION} between those of "
        "the two; training rows add to it"
    )
    return share_deviation(_SHARE, ASSUMED_CORRELATION, n_rows), known_by


def _n_effective(data: PreparedData, rows: np.ndarray) -> float:
    """How many rows of equal weight some rows are worth (Kish 1965)."""
    weights = data.dataset.weights_of(rows)
    return len(rows) if weights is None else float(weights.sum() ** 2 / (weights**2).sum())


def _earlier(plan: SweepPlan, data: PreparedData) -> list[RunRecord]:
    """Finished trials on the same rows and folds: of this sweep, or else of another one."""
    rows = answered_rows(make_record(plan.base, plan.folder, data))
    with accept_changes(warn=False):  # they only say what to expect
        for folder in (plan.folder, *_sweeps_of(rows, plan)):
            trials = islice(layout.iter_below(folder, layout.TRIALS), _MOST_LOOKED_AT)
            records = [load_record(path) for path in trials]
            same = [r for r in records if r.status == "FINISHED" and answered_rows(r) == rows]
            if len(same) > 1:
                return same
    return []


def _sweeps_of(rows: Key, plan: SweepPlan) -> Iterator[Path]:
    """Other sweeps on these rows, by their own records, since a workspace may have hundreds."""
    for folder in layout.iter_below(plan.folder.parent, "*"):
        if folder != plan.folder and answered_rows(load_record(folder)) == rows:
            yield folder
