"""How far each row moves a metric: the one source of its standard error and of paired tests.

A metric of n rows is close to its true value plus a sum over the rows. The terms of that sum are
the rows' influences; the root of the sum of their squares is the standard error of the metric, and
the differences of two models' influences on the same rows give that of the difference (Efron 1982,
"The Jackknife, the Bootstrap and Other Resampling Plans", chapter 6).

>>> import numpy as np
>>> from student_perf.scoring.metrics import METRICS
>>> answers = Answers(np.array([10.0, 12.0, 9.0, 15.0]), np.array([11.0, 12.0, 9.5, 13.0]))
>>> moved = influences(METRICS["mean_absolute_error"], answers)
>>> print(f"{np.sqrt((moved**2).sum()):.3f}")
0.427
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from student_perf.scoring.answers import Answers, Counts
from student_perf.scoring.metrics import METRICS, TRAINING, Metric

# Repeats of the folds average out how rows were divided, but train on the same rows every time.
REPEATED = 1.1
_REACH = 1.96  # standard errors from a median to the ends of its interval
_MOST_GROUPS = 100  # of a jackknife over a formula that says nothing about its rows


@dataclass(frozen=True, eq=False)
class RowScores:
    """A metric on rows, and how far each unit of them moves it: `unit` holds their numbers,
    ascending, `moved` their influences, both of shape (n_units,). `unseen` is variance that no row
    shows, see `_unseen`. `own_factor` is that of the metric for other training rows, `is_repeated`
    whether units are in several folds, and `shares_tail` whether the metric's `tail_of` has a heavy
    tail on these rows.

    A unit is a row, however often it was predicted, or a group of rows.
    """

    mean: float
    unit: np.ndarray
    moved: np.ndarray
    unseen: float = 0.0
    own_factor: float = TRAINING
    is_repeated: bool = False
    shares_tail: bool = False

    @property
    def training(self) -> float:
        """The factor on the error for other training rows."""
        return self.own_factor * (REPEATED if self.is_repeated else 1.0)

    @property
    def error(self) -> float:
        """Standard error of the metric, as far as it comes from the rows."""
        return float(np.sqrt((self.moved**2).sum()))

    @property
    def skewness(self) -> float:
        """Skewness of the metric over samples of such rows; 0 if nothing moves it."""
        return float((self.moved**3).sum()) / self.error**3 if self.error > 0 else 0.0

    def has_heavy_tail(self, metric: Metric) -> bool:
        """Whether few rows carry this figure of a metric above a lowest value."""
        n, above = len(self.unit), self.mean - metric.lowest
        variation = (2 if metric.root else 1) * self.error / above * np.sqrt(n) if above > 0 else 0
        return metric.has_heavy_tail(float(variation), n)


def row_scores(
    metric: Metric,
    answers: Answers,
    row: np.ndarray,
    fold: np.ndarray,
    mean: float | None = None,
) -> RowScores:
    """A metric of held-out predictions, and how far each unit of rows moves it.

    Args:
        metric: What is measured.
        answers: The predictions, n of them, fold by fold; their groups are the units if they have
            some, else each row is one. A formula that says nothing about its rows has at most 100
            units: bundles of these.
        row: The row of each, shape (n,).
        fold: The fold of each, shape (n,), ascending.
        mean: The mean over the folds, whose influences are then those on the metric of each fold,
            but for a root, whose folds of few rows hide how much single ones weigh; by default
            the mean over repeats of the metric of all their rows.
    """
    numbers, place = _units(row if answers.groups is None else answers.groups)
    if _is_bundled(metric, answers):
        place %= _MOST_GROUPS
        numbers = numbers[:_MOST_GROUPS]
    moved, figure = np.zeros(len(numbers)), 0.0
    # A fold of a single row, as where each is left out, shows no spread of its own.
    is_whole = mean is None or metric.root
    is_whole = is_whole or np.unique(fold, return_counts=True)[1].min(initial=2) < 2
    of_repeats = repeats(row, fold) if len(answers) else []
    for mine, share in of_repeats if is_whole else _folds(fold):
        part = answers if share == 1 else answers.take(mine)
        each = influences(metric, part, place[mine])
        moved += share * np.bincount(place[mine], each, len(numbers))
        figure += share * metric.of(part) if mean is None else 0.0
    unseen = 0.0
    if metric.of_counts is not None and not metric.between and of_repeats:
        unseen = _unseen(metric, answers.take(of_repeats[0][0]))
    shares_tail = False
    if metric.tail_of is not None and len(answers):
        other = METRICS[metric.tail_of]
        parts = [] if mean is None else _folds(fold)
        of_folds = sum(share * other.of(answers.take(mine)) for mine, share in parts) or None
        shares_tail = row_scores(other, answers, row, fold, of_folds).has_heavy_tail(other)
    mean, is_repeated = figure if mean is None else mean, len(of_repeats) > 1
    return RowScores(mean, numbers, moved, unseen, metric.training, is_repeated, shares_tail)


def _units(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As np.unique with the inverse, by counting where the numbers are those of rows: sorting a
    million of them takes ten times as long, and each metric asks.
    """
    if not len(number) or number.min() < 0 or number.max() > 2 * len(number):
        numbers, place = np.unique(number, return_inverse=True)
        return numbers, place
    occurs = np.bincount(number) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[number]


def mean_of(scores: Sequence[RowScores]) -> RowScores:
    """The mean of several figures of a metric, of other folds or other seeds: a unit that is in
    several of them counts once.
    """
    unit, place = np.unique(np.concatenate([one.unit for one in scores]), return_inverse=True)
    moved = np.concatenate([one.moved for one in scores]) / len(scores)
    mean, unseen = (float(np.mean([getattr(one, k) for one in scores])) for k in ("mean", "unseen"))
    summed, own_factor = np.bincount(place, moved, len(unit)), scores[0].own_factor
    is_repeated = len(unit) < len(moved) or any(one.is_repeated for one in scores)
    shares_tail = any(one.shares_tail for one in scores)
    return RowScores(mean, unit, summed, unseen, own_factor, is_repeated, shares_tail)


def _folds(fold: np.ndarray) -> list[tuple[slice, float]]:
    """Where the predictions of each fold stand, and its share."""
    starts = np.flatnonzero(np.diff(fold, prepend=-1))
    ends = [*starts[1:], len(fold)]
    return [(slice(a, b), 1 / len(starts)) for a, b in zip(starts, ends, strict=True)]


def repeats(row: np.ndarray, fold: np.ndarray) -> list[tuple[slice, float]]:
    """Where the predictions of each repeat stand, and its share of the folds: a new one begins with
    the first fold that holds a row once more.
    """
    starts = np.flatnonzero(np.diff(fold, prepend=-1))
    ends = [*starts[1:], len(fold)]
    seen = np.zeros(int(row.max(initial=0)) + 1, dtype=bool)
    begins: list[int] = [0]
    for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
        rows = row[start:end]
        if seen[rows].any():
            begins.append(number)
            seen[:] = False
        seen[rows] = True
    return [
        (slice(starts[one], ends[other - 1]), (other - one) / len(starts))
        for one, other in zip(begins, [*begins[1:], len(starts)], strict=True)
    ]


def influences(metric: Metric, answers: Answers, bundle: np.ndarray | None = None) -> np.ndarray:
    """How far each row moves a metric, in its units, shape (n,); they sum to about 0.

    Row means: the row minus the mean, by the chain rule if the metric is a root. Metrics of counts:
    the jackknife, which leaves out a row of each cell of the confusion matrix. ROC AUC: the
    structural components of DeLong, DeLong and Clarke-Pearson (1988, Biometrics 44). R2: the
    jackknife, as for the average precision. Spearman's rho: its influence function. The median of
    errors: the sign of each, by the order statistics around it. Any other formula, and ranks of
    rows with weights: a jackknife over bundles of rows, whose numbers are `bundle`, shape (n,), by
    default at most 100 by position.
    NaN if the metric is not defined, or if there are fewer than two rows.
    """
    n = len(answers)
    if n < 2:
        return np.full(n, np.nan)
    if metric.of_rows is not None:
        return _of_rows(metric, answers)
    if metric.of_counts is not None:
        return _of_counts(metric, answers)
    if answers.weights is not None and not metric.takes_weights:
        return np.full(n, np.nan)
    if _is_bundled(metric, answers):
        by_position = np.arange(n) % _MOST_GROUPS
        return _by_bundles(metric, answers, by_position if bundle is None else bundle)
    return _CLOSED[metric.name](answers)


def _is_bundled(metric: Metric, answers: Answers) -> bool:
    """Whether only a jackknife over bundles says how far rows move a metric."""
    if metric.of_rows is not None or metric.of_counts is not None:
        return False
    is_ranked = answers.weights is not None and metric.name not in _WITH_WEIGHTS
    return is_ranked or metric.name not in _CLOSED


def _of_rows(metric: Metric, answers: Answers) -> np.ndarray:
    assert metric.of_rows is not None
    figures, n = metric.of_rows(answers).astype(np.float64), len(answers)
    mean = answers.mean(figures)
    moved: np.ndarray = _shares(answers) * (figures - mean) * np.sqrt(n / (n - 1))
    if metric.root:
        return moved / (2 * np.sqrt(mean)) if mean > 0 else np.zeros(n)
    return moved


def _of_counts(metric: Metric, answers: Answers) -> np.ndarray:
    """All rows of a cell are alike, so that one table a cell says it for all; of rows with weights
    a mean weight is left out, or all that is there. Where a metric is not defined without a row,
    the row counts as if it moved nothing.
    """
    assert metric.of_counts is not None
    n, table = len(answers), answers.counts.table
    seen, cell_of = _units(answers.cells)
    without = np.repeat(table.reshape(1, -1).astype(np.float64), len(seen), axis=0)
    step = np.minimum(answers.weight / n, table.ravel()[seen])
    without[np.arange(len(seen)), seen] -= step
    figure, left = metric.of(answers), metric.of_counts(Counts(without.reshape(-1, *table.shape)))
    change = np.where(np.isnan(left), 0.0, figure - np.asarray(left)) / step
    each = change[cell_of] * _shares(answers) * answers.weight
    moved: np.ndarray = (each - each.mean()) * np.sqrt((n - 1) / n)
    return moved


def _unseen(metric: Metric, answers: Answers) -> float:
    """Variance of what the next rows of a class may do where all that are here were answered alike:
    as if one of them had been answered otherwise, a mistake among hits or a hit among mistakes. It
    counts with a rare class; a share of all rows has Wilson's interval for it.
    """
    assert metric.of_counts is not None
    table = answers.counts.table.astype(np.float64)
    step, tables = answers.weight / len(answers), []
    for k, seen in enumerate(table):
        (places,) = np.nonzero(seen)
        if len(places) == 1:
            others = table.sum(axis=0)
            others[places] = -1.0
            changed = table.copy()
            changed[k, places] -= min(step, float(seen.sum()))
            changed[k, k if k not in places else int(others.argmax())] += step
            tables.append(changed)
    if not tables:
        return 0.0
    change = np.asarray(metric.of_counts(Counts(np.array(tables)))) - metric.of(answers)
    return float(np.nansum(change**2))


def _shares(answers: Answers) -> np.ndarray:
    """Each row's share of all weights, shape (n,)."""
    n = len(answers)
    shares: np.ndarray = np.full(n, 1 / n)
    return shares if answers.weights is None else answers.weights / answers.weight


def _of_roc_auc(answers: Answers) -> np.ndarray:
    n_classes = answers.output.shape[1]
    codes = range(n_classes) if n_classes > 2 else (1,)
    parts = [_of_one_auc(answers.y_true == k, answers.output[:, k]) for k in codes]
    n = len(answers)
    moved: np.ndarray = np.mean(parts, axis=0) * np.sqrt(n / (n - 1))
    return moved


def _of_one_auc(positive: np.ndarray, score: np.ndarray) -> np.ndarray:
    above, below = score[positive], score[~positive]
    if len(above) == 0 or len(below) == 0:
        return np.full(len(score), np.nan)
    beaten = _share_below(np.sort(below), above)
    beating = 1 - _share_below(np.sort(above), below)
    moved = np.empty(len(score))
    moved[positive] = (beaten - beaten.mean()) / len(above)
    moved[~positive] = (beating - beating.mean()) / len(below)
    return moved


def _share_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of the `ordered` ones that lie below each value, ties counting half."""
    below = ordered.searchsorted(values) + ordered.searchsorted(values, "right")
    share: np.ndarray = below / (2 * len(ordered))
    return share


def _of_r2(answers: Answers) -> np.ndarray:
    """The jackknife: both sums of squares without each row follow from those of all."""
    n, share = len(answers), _shares(answers)
    squares = share * answers.errors**2
    distance = (answers.y_true - share @ answers.y_true) ** 2
    spread = share @ distance - share * distance / (1 - share)
    left = np.full(n, np.nan)
    np.divide(squares.sum() - squares, spread, out=left, where=spread > 0)
    moved: np.ndarray = (left - left.mean()) * np.sqrt((n - 1) / n)
    return moved


def _of_spearman(answers: Answers) -> np.ndarray:
    """Both ranks of every row move a little with each row, which `_tail_mean` accounts for."""
    n = len(answers)
    u, v = (_share_below(np.sort(one), one) for one in (answers.y_true, answers.output))
    var_u, var_v, covariance = u.var(), v.var(), ((u - 0.5) * (v - 0.5)).mean()
    if var_u == 0 or var_v == 0:
        return np.full(n, np.nan)

    def moment(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Influence on the mean of a * b."""
        moved: np.ndarray = a * b + _tail_mean(a, b) + _tail_mean(b, a) - 3 * (a * b).mean()
        return moved

    scale = np.sqrt(var_u * var_v)
    shrunk = covariance / scale * (moment(u, u) / var_u + moment(v, v) / var_v) / 2
    moved: np.ndarray = (moment(u, v) / scale - shrunk) / np.sqrt(n * (n - 1))
    return moved


def _of_average_precision(answers: Answers) -> np.ndarray:
    """The jackknife: without a row, the precision changes at the thresholds that it reaches."""
    n, positive, (place, taken, hits) = len(answers), answers.y_true == 1, answers.thresholds
    if not positive.any():
        return np.full(n, np.nan)

    def sums(of_row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of the positive rows above each row's threshold, and of the others."""
        total = np.bincount(place, of_row * positive)
        above = (total.cumsum() - total)[place]
        return above, total.sum() - above

    others = np.maximum(taken - 1, 1)
    above, _ = sums(hits / taken)
    without_hit, without_miss = (hits - 1) / others, hits / others
    n_positive = positive.sum()
    left = (above + sums(without_miss)[1]) / n_positive
    if n_positive > 1:
        own = (above + sums(without_hit)[1] - without_hit) / (n_positive - 1)
        left = np.where(positive, own, left)
    else:  # a metric that is not defined without a row is not moved by it
        left = np.where(positive, (hits / taken)[positive].mean(), left)
    moved: np.ndarray = (left.mean() - left) * np.sqrt((n - 1) / n)
    return moved


def _of_median_error(answers: Answers) -> np.ndarray:
    """The sign of each row's distance to the median, over twice the density there, which follows
    from the ends of the median's interval by order statistics (Woodruff 1952, JASA 47).
    """
    n, share, errors = len(answers), _shares(answers), np.abs(answers.errors)
    order = errors.argsort()
    reach = _REACH * np.sqrt((share**2).sum()) / 2
    places = share[order].cumsum().searchsorted([0.5 - reach, 0.5 + reach])
    low, high = errors[order][np.minimum(places, n - 1)]
    sides = share * np.sign(errors - answers.median(errors))
    moved: np.ndarray = (sides - sides.mean()) * (high - low) / (4 * reach)
    return moved


def _tail_mean(by: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over all rows of their values, counted where `by` is larger than a row's own, and half
    where it is equal; shape (n,).
    """
    _, place = np.unique(by, return_inverse=True)
    total = np.bincount(place, weights=values)
    larger = total.sum() - total.cumsum()
    mean: np.ndarray = (larger + total / 2)[place] / len(by)
    return mean


def _by_bundles(metric: Metric, answers: Answers, bundle: np.ndarray) -> np.ndarray:
    """The influence of each bundle, spread evenly over its rows, so that they sum to it."""
    _, place, size = np.unique(bundle, return_inverse=True, return_counts=True)
    n = len(size)
    if n < 2:
        return np.full(len(place), np.nan)
    left = np.array([metric.of(answers.take(place != one)) for one in range(n)])
    moved: np.ndarray = (left.mean() - left) * np.sqrt((n - 1) / n)
    return (moved / size)[place]


_CLOSED: dict[str, Callable[[Answers], np.ndarray]] = {
    "roc_auc_ovr": _of_roc_auc,
    "r2": _of_r2,
    "spearman": _of_spearman,
    "average_precision": _of_average_precision,
    "median_absolute_error": _of_median_error,
}
_WITH_WEIGHTS = ("r2", "median_absolute_error")  # of these
