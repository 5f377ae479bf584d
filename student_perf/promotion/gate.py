"""Whether a model may take the champion's place: checks on stored predictions of the same rows.

Nothing is fitted and no test row is opened here: the records hold both models' answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from student_perf.errors import ConfigError
from student_perf.inspection.calibration import reliability_of
from student_perf.promotion.limits import GateLimits
from student_perf.runs.layout import METRICS_FILE
from student_perf.runs.looks import count_tries
from student_perf.runs.predictions import Predictions
from student_perf.runs.record import Recorded
from student_perf.scoring.answers import Answers, once_each
from student_perf.scoring.influence import row_scores
from student_perf.scoring.intervals import FIXED_MODEL
from student_perf.scoring.metrics import METRICS, Metric
from student_perf.scoring.paired import ALPHA, by_rows, for_tries, times_of_tries
from student_perf.scoring.power import smallest_difference
from student_perf.text import format_interval, format_p, plural

# What the new run of the champion's config needs is not compared with the champion either.
WAY = "promote that by --force with your reason after --why, and then this run"


@dataclass(frozen=True)
class Check:
    """One question to the challenger; if there are figures, `value` must not exceed `limit`."""

    name: str
    passed: bool
    reason: str
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class PairedRows:
    """Both models' answers, n of each, for the same rows; `row`, shape (n,), has their numbers and
    `what` says what they are. `factor` is that of the standard error, None for what was trained for
    each fold and so varies more. `fold`, shape (n,), has their folds, None if they are all of one
    model.
    """

    what: str
    row: np.ndarray
    challenger: Answers
    champion: Answers
    factor: float | None = FIXED_MODEL
    fold: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        """Number of the rows, however often they were answered."""
        return len(np.unique(self.row))

    def take(self, chosen: np.ndarray) -> PairedRows:
        """Some of the answers, by position or mask."""
        mine, theirs = self.challenger.take(chosen), self.champion.take(chosen)
        fold = None if self.fold is None else self.fold[chosen]
        return PairedRows(self.what, self.row[chosen], mine, theirs, self.factor, fold)


def pair(
    challenger: Predictions, champion: Predictions, what: str, factor: float | None = FIXED_MODEL
) -> PairedRows:
    """The rows that both models answered: every answer if the folds are the same, as each is that
    of one model; else each row once, with the mean of its outputs. If one model's run declares the
    groups of the rows, they are the other's too.

    Raises:
        ConfigError: Rows, truth, classes or declared groups are not the same.
    """
    row, mine, fold = challenger.row, challenger.answers, None
    other, theirs = champion.row, champion.answers
    if np.array_equal(row, other) and np.array_equal(challenger.fold, champion.fold):
        fold = challenger.fold
    else:
        row, mine = once_each(row, mine)
        other, theirs = once_each(other, theirs)
    same = (
        np.array_equal(row, other)
        and np.array_equal(mine.y_true, theirs.y_true)
        and mine.output.shape == theirs.output.shape
    )
    if not same:
        raise ConfigError(f"the two models did not answer the same {what}")
    declared = [one.groups for one in (mine, theirs) if one.groups is not None]
    if len(declared) == 2 and not np.array_equal(declared[0], declared[1]):
        raise ConfigError(
            "the two runs declare other groups of the rows; train the champion's config with the "
            f"dataset.group of this run, {WAY}"
        )
    groups = declared[0] if declared else None
    mine, theirs = (Answers(one.y_true, one.output, one.weights, groups) for one in (mine, theirs))
    return PairedRows(what, row, mine, theirs, factor, fold)


def check_gain(run: Recorded, metric: str) -> Check:
    """Better than the dummy baseline on the same held-out rows: the interval of the gain, which the
    run has computed, lies above 0, and p is low enough for all that was tried on these rows.

    Raises:
        ConfigError: The run has no such figures.
    """
    figures = (run.json(METRICS_FILE).get("metrics") or {}).get(metric) or {}
    label = METRICS[metric].label
    if figures.get("low") is not None and figures.get("dummy") is None:
        own = format_interval(figures["low"], figures["high"])
        reason = f"the dummy has no {label}; the model's 95 % interval, {own}, has to be above 0"
        return Check("better than the dummy", figures["low"] > 0, reason)
    gain, low, high = (figures.get(key) for key in ("gain", "gain_low", "gain_high"))
    if gain is None or low is None or high is None:
        raise ConfigError("the run has no gain over the dummy; train its config again")
    n_tries = count_tries(run.record)
    p_value = for_tries(float(figures.get("gain_p") or 0.0), n_tries)
    reason = (
        f"{label} {gain:+.3f} on the same held-out rows, 95 % interval "
        f"{low:+.3f} to {high:+.3f}; p {format_p(p_value)} for {plural(n_tries, 'configuration')} "
        f"tried on them{f' ({times_of_tries(n_tries)})' if n_tries > 1 else ''}"
    )
    return Check("better than the dummy", low > 0 and p_value < ALPHA, reason)


def check_performance(rows: PairedRows, metric: str, limits: GateLimits) -> Check:
    """Not worse: the probability that the metric is worse by more than the margin, paired since
    both models answered each row (`scoring.paired`), is at most `limits.risk`.
    """
    found = _compare(rows, metric, limits, by_fold=True)
    label, sign = METRICS[metric].label, METRICS[metric].sign
    reason = (
        f"{label} {found.mine:.3f}, the champion's {found.theirs:.3f} on the same {rows.n_rows} "
        f"{rows.what} (gain {sign * (found.mine - found.theirs):+.3f}); probability of being worse "
        f"by more than {found.margin:.3g}: {found.probability:.3f}, at most {limits.risk:g}; a "
        f"true difference of {found.shown:.3f} is seen on these rows in 4 of 5 cases"
    )
    probability = found.probability
    return Check("not worse", probability <= limits.risk, reason, probability, limits.risk)


def check_groups(
    rows: PairedRows,
    metric: str,
    groups: Mapping[str, np.ndarray],
    min_size: int,
    limits: GateLimits,
) -> Check:
    """No group worse by more than the margin beyond its uncertainty: its probability of that stays
    below 1 - risk/G for G groups (Bonferroni). `groups` maps a name to a mask, (n,).
    """
    taken = {name: rows.take(mask) for name, mask in groups.items() if mask.any()}
    large = {name: some for name, some in taken.items() if some.n_rows >= min_size}
    results = {name: _compare(some, metric, limits) for name, some in large.items()}
    # If all rows are of one class, for example, a metric may have no value.
    tested = {name: one for name, one in results.items() if not math.isnan(one.probability)}
    limit = 1 - limits.risk / max(1, len(tested))
    worst = max((one.probability for one in tested.values()), default=0.0)
    suffering = [
        f"{name} ({one.theirs:.3f} to {one.mine:.3f}, n={large[name].n_rows})"
        for name, one in tested.items()
        if one.probability > limit
    ]
    if not groups:
        reason = "the dataset declares no subgroups"
    elif suffering:
        reason = f"worse by more than the margin beyond chance: {', '.join(suffering)}"
    else:
        reason = f"none of {len(tested)} groups of {min_size} rows or more is worse beyond chance"
        if unscored := [name for name in results if name not in tested]:
            reason += f"; {metric} is not defined in {', '.join(unscored)}"
    return Check("no group worse", not suffering, reason, worst, limit)


def check_calibration(predictions: Predictions, limits: GateLimits) -> Check:
    """Calibration error without what chance adds, over all held-out predictions of a classifier."""
    if predictions.task != "classification":
        return Check("calibrated", True, "a regression model has no probabilities")
    known = reliability_of(predictions.answers, predictions.n_repeats).debiased
    error = known.mean
    passed = error <= limits.calibration
    advice = "" if passed else "; try model=calibrated"
    reason = (
        f"calibration error {error:.3f}, 95 % interval {format_interval(known.low, known.high)}, "
        f"at most {limits.calibration:g}{advice}"
    )
    return Check("calibrated", passed, reason, error, limits.calibration)


@dataclass(frozen=True)
class _Compared:
    """The challenger's value and the champion's, the margin in the metric's units, the probability
    that the challenger is worse by more, and the true difference that these rows show in 4 of 5
    cases; NaN if the metric is not defined on the rows.
    """

    mine: float
    theirs: float
    margin: float
    probability: float
    shown: float


def _compare(rows: PairedRows, metric: str, limits: GateLimits, by_fold: bool = False) -> _Compared:
    info = METRICS[metric]
    fold = np.zeros(len(rows.row), dtype=np.int64) if rows.fold is None else rows.fold
    mine, theirs = (
        row_scores(info, answers, rows.row, fold, _mean(info, answers, fold) if by_fold else None)
        for answers in (rows.challenger, rows.champion)
    )
    margin = limits.margin * (1.0 if math.isfinite(info.highest) else abs(theirs.mean))
    difference = by_rows([mine], theirs, rows.factor)
    posterior = difference.posterior(margin)
    worse = posterior.below if info.maximizes else posterior.above
    shown = smallest_difference(float(difference.error[0]), float(difference.freedom[0]))
    return _Compared(mine.mean, theirs.mean, margin, float(worse[0]), shown)


def _mean(metric: Metric, answers: Answers, fold: np.ndarray) -> float | None:
    """The mean over the folds, as the runs show it; None if a fold leaves it undefined."""
    mean = float(np.mean([metric.of(answers.take(fold == one)) for one in np.unique(fold)]))
    return None if math.isnan(mean) else mean
