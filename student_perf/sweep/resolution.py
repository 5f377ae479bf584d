"""What these rows could show at all, said before the first trial."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, islice
from pathlib import Path

import numpy as np

from student_perf.compare.comparable import Key, answered_rows
from student_perf.errors import ChangedError
from student_perf.experiment.prepare import PreparedData
from student_perf.experiment.records import make_record
from student_perf.runs import layout
from student_perf.runs.record import RunRecord, load_record
from student_perf.runs.seal import accept_changes
from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import METRICS, TRAINING
from student_perf.scoring.paired import by_rows
from student_perf.scoring.power import ASSUMED_CORRELATION, share_error, smallest_difference
from student_perf.sweep.plan import SweepPlan
from student_perf.text import format_number, plural

_MOST_LOOKED_AT = 20  # trials whose scores say how much differences vary
_SHARE = 0.5  # of right answers: the worst case


def resolution_line(plan: SweepPlan, data: PreparedData) -> str:
    """The smallest difference between two configurations that the held-out rows would show, and by
    what that is known.
    """
    name = plan.base.objective.metric
    rows = data.split.validated
    error, known_by = _error(plan, data, rows)
    groups = data.dataset.groups_of(rows)
    n_units = len(rows) if groups is None else len(np.unique(groups))
    units = "" if groups is None else f", {plural(n_units, 'group')},"
    what = f"What {plural(len(rows), 'held-out row')}{units} can show: "
    if math.isnan(error):
        return f"{what}not known before the first trials on these rows."
    least = smallest_difference(error, max(1, n_units - 1))
    return (
        f"{what}a true difference in {METRICS[name].label} of about {format_number(least)} between "
        f"two configurations is found in 4 of 5 cases, a smaller one less often ({known_by})."
    )


def _error(plan: SweepPlan, data: PreparedData, rows: np.ndarray) -> tuple[float, str]:
    """Standard error of a difference, from earlier trials or by assumption, and which."""
    name = plan.base.objective.metric
    with accept_changes(warn=False):  # they only say what to expect
        earlier = _earlier(plan, data)
    scores = [_row_scores(record, name) for record in earlier]
    known = [one for one in scores if one is not None]
    # Of trials that declare other groups of rows the pairs would be of other units.
    known = [one for one in known if np.array_equal(one.unit, known[0].unit)]
    pairs = [float(by_rows([a], b).error[0]) for a, b in combinations(known, 2)]
    if errors := [error for error in pairs if error > 0]:
        return float(np.median(errors)), f"by {plural(len(known), 'earlier trial')}"
    if name != "accuracy":
        return math.nan, ""
    known_by = (
        f"assumed: half of the answers right, correlation {ASSUMED_CORRELATION} between those of "
        "the two"
    )
    return TRAINING * share_error(
        _SHARE, ASSUMED_CORRELATION, data.dataset.n_effective(rows)
    ), known_by


def _row_scores(record: RunRecord, metric: str) -> RowScores | None:
    """The metric by row; None of a trial whose files were changed, which the sweep itself says."""
    try:
        return record.row_scores(metric)
    except ChangedError:
        return None


def _earlier(plan: SweepPlan, data: PreparedData) -> list[RunRecord]:
    """Finished trials on the same rows and folds: of this sweep, or else of another one."""
    rows = answered_rows(make_record(plan.base, plan.folder, data))
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
