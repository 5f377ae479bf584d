"""Which split the rows ask for, and how far a score moves under it: said before any training.

How far is measured with a small forest, which remembers rows as flexible models do, on development
rows alone. Both figures come from parts of equal size, so what differs is who is held out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from student_perf.config.schema import DatasetConfig, NestedSplit, SplitConfig
from student_perf.data.dataset import Dataset, group_numbers
from student_perf.data.dates import times_of
from student_perf.evaluation.splits import Split
from student_perf.evaluation.structure import Kind, Tie, column_line, find_structure
from student_perf.scoring.answers import Answers
from student_perf.scoring.checks import all_classes
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.metrics import METRICS, Metric
from student_perf.scoring.paired import ALPHA, row_difference
from student_perf.text import format_number

_MOST_LINES = 2
_MOST_ROWS = 1500
_N_FOLDS = 3
_N_TREES = 12
_ROWS_PER_BLOCK = 20
_MISSING = -1e6
_SURE = 2.0  # standard errors
_HELD_OUT = {
    "copied rows": ("with copies on two sides", "on one"),
    "time": ("with rows drawn at random", "with the latest held out"),
    "blocks": ("with rows drawn at random", "with blocks of rows held out"),
    "groups": ("with rows drawn at random", "with whole groups held out"),
}
_USES = {"groups": "split=group_kfold", "time": "split=temporal"}  # what a declared fact is for

Folds = list[tuple[np.ndarray, np.ndarray]]


def advise(
    dataset: Dataset, split: Split, config: SplitConfig, declared: DatasetConfig, metric: str
) -> list[str]:
    """A line for each tie between rows that the split does not respect, and for copies.

    Args:
        dataset: The rows; targets are read of the development rows only.
        split: The sides of the rows.
        config: What made them.
        declared: What the config says of the groups and time of the rows.
        metric: Name of the metric that decides.
    """
    found = [*_declared(declared), *find_structure(dataset, split.development)]
    found = [one for one in found if _counts(one, config)]
    first = {one.kind: one for one in reversed(found)}  # what is declared before what is guessed
    if len(first) > 1:
        first.pop("blocks", None)  # what has a name explains them
    chosen = sorted(first.values(), key=found.index)[:_MOST_LINES]
    rows = split.development
    moves = [(one, measure(one, dataset, rows, metric)) for one in chosen]
    return [
        _line(one, move, config, metric)
        for one, move in moves
        # Blocks that nobody has named are only worth a word if they change something.
        if move is not None and not (one.kind == "blocks" and move.is_chance)
    ]


def _declared(declared: DatasetConfig) -> list[Tie]:
    facts: list[tuple[Kind, str | None]] = [("groups", declared.group), ("time", declared.time)]
    return [
        Tie(kind, (name,), f"{column_line(kind, name)} is declared", _USES[kind])
        for kind, name in facts
        if name is not None
    ]


def _counts(tie: Tie, config: SplitConfig) -> bool:
    """Whether a tie says something about this split that its choice has not answered."""
    if tie.kind == "copied rows":
        return True
    if tie.kind == "sorted by target":
        return False  # drawn folds do not mind, and given ones were chosen
    return config.is_drawn and getattr(config, "group", None) is None


def _line(tie: Tie, move: Move, config: SplitConfig, metric: str) -> str:
    moved, what = _moved(tie, move, metric), tie.message
    if tie.kind != "copied rows":
        asks = "to split so anyway" if move.is_chance else "the rows ask for"
        return f"{what}; {moved}; {asks}: {_asked_for(tie, config)}"
    if _is_of_rows(config) and config.keep_duplicates_together:
        return f"{what}, kept on one side here; {moved}; to take them out: {tie.line}"
    line = "split.keep_duplicates_together=true" if _is_of_rows(config) else tie.line
    return f"{what}, on two sides here; {moved}; type: {line}"


def _asked_for(tie: Tie, config: SplitConfig) -> str:
    """What to type; a nested split keeps the declared groups together itself."""
    if not isinstance(config, NestedSplit) or tie.kind == "time":
        return tie.line
    name = tie.columns[0] if tie.columns else "COLUMN"
    return column_line(tie.kind, name)


def _is_of_rows(config: SplitConfig) -> bool:
    return config.is_drawn and getattr(config, "group", None) is None


def _moved(tie: Tie, move: Move, metric: str) -> str:
    before, after = _HELD_OUT[tie.kind]
    chance = ", a difference within chance" if move.is_chance else ""
    return (
        f"{METRICS[metric].label} of a small forest: {format_number(move.now)} {before}, "
        f"{format_number(move.then)} {after}{chance}"
    )


@dataclass(frozen=True)
class Move:
    """A metric with rows held out as if they did not know each other, then as a tie asks for,
    and whether the difference may be chance.
    """

    now: float
    then: float
    is_chance: bool


def measure(tie: Tie, dataset: Dataset, rows: np.ndarray, metric: str) -> Move | None:
    """How far a metric of a small forest moves; `rows` are those whose targets may be read. None if
    they cannot be divided as the tie asks for, as with a single group, or if the metric is
    undefined.
    """
    rng = np.random.default_rng(0)
    if tie.kind != "copied rows":  # copies would be known wherever they are
        rows = rows[np.sort(np.unique(dataset.duplicate_groups[rows], return_index=True)[1])]
    rows, unit = _some(rows, _units(tie, dataset, rows), rng)
    if tie.kind == "time":
        then = _windows(unit)
        now = _shuffled(then, rng)
    else:
        now, then = (_folds_of_units(one, rng) for one in (np.arange(len(rows)), unit))
    if not now or not then:
        return None
    groups = None if tie.kind == "time" else unit
    before, after = (
        _by_row(METRICS[metric], _answers(dataset, rows, folds, groups), folds)
        for folds in (now, then)
    )
    if not np.isfinite([before.mean, after.mean]).all():
        return None
    return Move(before.mean, after.mean, is_chance=not _differ(before, after))


def _by_row(metric: Metric, answers: Answers, folds: Folds) -> RowScores:
    row = np.concatenate([validation for _, validation in folds])
    return row_scores(metric, answers, row, np.zeros(len(row), dtype=np.int64))


def _differ(before: RowScores, after: RowScores) -> bool:
    """By the rows that both have answered; in time other rows are held out, and nothing pairs."""
    if np.array_equal(before.unit, after.unit):
        return row_difference(after, before).p_value < ALPHA
    error = np.hypot(before.error, after.error)
    return bool(abs(after.mean - before.mean) > _SURE * error)


def _units(tie: Tie, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """What is to be held out together, or the order of time, shape (n,)."""
    if tie.kind == "copied rows":
        return group_numbers(pd.Series(dataset.duplicate_groups[rows]))
    if not tie.columns:
        return np.arange(len(rows)) // _ROWS_PER_BLOCK
    if tie.kind == "time" and dataset.times is not None:
        times: np.ndarray = dataset.times[rows]
        return times
    column = dataset.column(tie.columns[0], "dataset.group").iloc[rows]
    return times_of(column) if tie.kind == "time" else group_numbers(column)


def _some(
    rows: np.ndarray, unit: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """At most `_MOST_ROWS` rows of whole units, as far as units are not larger."""
    if len(rows) <= _MOST_ROWS:
        return rows, unit
    order = rng.permutation(len(np.unique(unit)))[np.unique(unit, return_inverse=True)[1]]
    chosen = np.sort(np.argsort(order, kind="stable")[:_MOST_ROWS])
    return rows[chosen], unit[chosen]


def _folds_of_units(unit: np.ndarray, rng: np.random.Generator) -> Folds:
    names, of_row = np.unique(unit, return_inverse=True)
    fold = rng.permutation(np.arange(len(names)) % _N_FOLDS)[of_row]
    folds = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(_N_FOLDS)]
    return _with_both_sides(folds)


def _windows(times: np.ndarray) -> Folds:
    """The later half of the rows in windows, each with all rows before it."""
    cuts = np.unique(np.quantile(times, np.linspace(0.5, 1, _N_FOLDS)[:-1], method="lower"))
    ends = [*cuts[1:], np.inf]
    folds = [
        (np.flatnonzero(times < start), np.flatnonzero((times >= start) & (times < end)))
        for start, end in zip(cuts, ends, strict=True)
    ]
    return _with_both_sides(folds)


def _with_both_sides(folds: Folds) -> Folds:
    return [(train, validation) for train, validation in folds if len(train) and len(validation)]


def _shuffled(folds: Folds, rng: np.random.Generator) -> Folds:
    """Folds of the same sizes, whose rows are drawn."""
    drawn = []
    for train, validation in folds:
        rows = rng.permutation(np.concatenate([train, validation]))
        drawn.append((rows[: len(train)], rows[len(train) :]))
    return drawn


def _answers(
    dataset: Dataset, rows: np.ndarray, folds: Folds, groups: np.ndarray | None
) -> Answers:
    """What a small forest says of all held-out rows; features and folds count from 0 to n."""
    features = np.column_stack([_numbers(dataset.features[n].iloc[rows]) for n in dataset.features])
    target, n_classes = dataset.target[rows], len(dataset.classes)
    # Here, since few tables need them.
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    kind = ExtraTreesClassifier if n_classes else ExtraTreesRegressor
    outputs = []
    for train, validation in folds:
        forest = kind(n_estimators=_N_TREES, random_state=0).fit(features[train], target[train])
        if n_classes:
            answer = forest.predict_proba(features[validation])
            outputs.append(all_classes(answer, forest.classes_, n_classes, ""))
        else:
            outputs.append(forest.predict(features[validation]))
    held_out = np.concatenate([validation for _, validation in folds])
    weights = dataset.weights_of(rows[held_out])
    of_groups = None if groups is None else groups[held_out]
    return Answers(target[held_out], np.concatenate(outputs), weights, of_groups)


def _numbers(column: pd.Series) -> np.ndarray:
    if column.dtype == np.float64:
        return column.fillna(_MISSING).to_numpy()
    return pd.factorize(column, sort=True)[0].astype(np.float64)
