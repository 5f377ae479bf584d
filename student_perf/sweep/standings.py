"""The places of a sweep's trials, for MLflow's page and as a table: the figures of `compare`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator

import pandas as pd

from student_perf.atomic import write_atomic
from student_perf.compare.apart import deciding_keys, set_name
from student_perf.compare.comparable import is_seed
from student_perf.compare.leaderboard import Line
from student_perf.compare.outcome import SweepOutcome
from student_perf.compare.show import rows
from student_perf.errors import one_line
from student_perf.runs import tags
from student_perf.runs.layout import LEADERBOARD_FILE
from student_perf.store.standings import Standings, load_standings
from student_perf.store.views import RANK, SweepShape, logged_parameters
from student_perf.tables.files import csv_text

log = logging.getLogger(__name__)

_MOST_RANKED = 200
_COLUMNS = (
    *("run", "rank", "metric", "mean", "ci95_low", "ci95_high", "minus_best", "p_best", "tied"),
    "fit_seconds",
)


def write_standings(outcome: SweepOutcome) -> None:
    """Leave ranks, differences and the shape of the view in the sweep's folder; nothing before a
    trial has finished. A failure is one line in the log: the sweep itself has not failed.
    """
    folder = outcome.record.folder
    try:
        if outcome.boards:
            before = load_standings(folder)
            make_standings(outcome, set(before.marks) if before else set()).save(folder)
            write_atomic(folder / LEADERBOARD_FILE, csv_text(leaderboard(outcome)))
    except Exception as error:
        log.warning("no ranks for MLflow: %s", one_line(error))


def leaderboard(outcome: SweepOutcome) -> pd.DataFrame:
    """One line for each finished trial, or for the repeats of a configuration, with what it drew:
    best first in each set of those that can be ranked.
    """
    keys = deciding_keys(outcome.boards)
    table = []
    for board in outcome.boards:
        known = {row["run"]: row for row in rows(board)}
        lines = board.lines if outcome.is_apart else outcome.lines
        named = {"set": set_name(board, keys)} if keys else {}
        table += [
            named
            | {name: known[line.label][name] for name in _COLUMNS}
            | {"rank": rank}
            | ({"repeats": line.record.n_repeats} if board.n_repeats > 1 else {})
            | line.record.swept
            for rank, line in enumerate(lines, start=1)
        ]
    return pd.DataFrame(table)


def make_standings(outcome: SweepOutcome, before: set[int]) -> Standings:
    """The standings of the best trials and, as MLflow forgets no metric, of those that had a place
    `before`.
    """
    numbered = [(line.record.trial_number or 0, line) for line in outcome.lines]
    marks = {
        number: dict(_marks(outcome, place, line))
        for place, (number, line) in enumerate(numbered, start=1)
        if place <= _MOST_RANKED or number in before
    }
    return Standings(shape_of(outcome), marks)


def shape_of(outcome: SweepOutcome) -> SweepShape:
    """What the view of the sweep depends on."""
    names, shared = logged_parameters(outcome.parameters, outcome.finished)
    return SweepShape(
        study=outcome.record.study or outcome.record.name,
        objectives=tuple(outcome.objectives.metrics),
        parameters=names,
        shared=shared,
        constraints=tuple(outcome.objectives.limits),
        n_folds=max(len(t.fold_scores(outcome.metric)) for t in outcome.finished),
        is_ranked=not outcome.is_apart,
        is_apart=len(outcome.boards) > 1,
        repeats=tuple(name for name in names if is_seed(name)) if outcome.is_apart else (),
    )


def _marks(outcome: SweepOutcome, place: int, line: Line) -> Iterator[tuple[str, float | str]]:
    """Metrics and the tag of a trial; what is not known of a single fold is left out."""
    numbers = {
        RANK: float(place),
        "to_best": line.to_best,
        "to_best_low": line.to_best_low,
        "to_best_high": line.to_best_high,
        "p_to_best": line.p_value,
    }
    yield from ((name, value) for name, value in numbers.items() if math.isfinite(value))
    if not math.isnan(line.p_value):
        yield tags.TIED, "tied" if line.tied else "worse"
