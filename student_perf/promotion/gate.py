"""Whether a model may take the champion's place: checks on stored predictions of the same rows.

Nothing is fitted and no test row is opened here: the records hold both models' answers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from student_perf.errors import ConfigError
from student_perf.inspection.calibration import reliability
from student_perf.promotion.limits import GateLimits
from student_perf.runs.predictions import Predictions
from student_perf.scoring.answers import Answers, once_each
from student_perf.scoring.bootstrap import resample
from student_perf.scoring.metrics import METRICS


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
    """Both models' answers for the same n rows; `row`, shape (n,), has their numbers and `what`
    says what they are.
    """

    what: str
    row: np.ndarray
    challenger: Answers
    champion: Answers


def pair(challenger: Predictions, champion: Predictions, what: str) -> PairedRows:
    """The rows that both models answered, each once with the mean of its outputs over repeats.

    Raises:
        ConfigError: Rows, truth or classes are not the same.
    """
    row, mine = once_each(challenger.row, challenger.answers)
    other, theirs = once_each(champion.row, champion.answers)
    same = (
        np.array_equal(row, other)
        and np.array_equal(mine.y_true, theirs.y_true)
        and mine.output.shape == theirs.output.shape
    )
    if not same:
        raise ConfigError(f"the two models did not answer the same {what}")
    return PairedRows(what, row, mine, theirs)


def check_performance(rows: PairedRows, metric: str, limits: GateLimits, seed: int = 0) -> Check:
    """Not worse: the probability that the metric is worse by more than the margin, estimated by
    bootstrap over the rows, paired since both models answered each (Efron and Tibshirani 1993, "An
    Introduction to the Bootstrap", chapter 13), is at most `limits.risk`.
    """
    everything = np.arange(len(rows.row))
    mine, theirs, margin, probability = _compare(rows, metric, everything, limits, seed)
    label, sign = METRICS[metric].label, METRICS[metric].sign
    reason = (
        f"{label} {mine:.3f}, the champion's {theirs:.3f} on the same {len(rows.row)} {rows.what} "
        f"(gain {sign * (mine - theirs):+.3f}); probability of being worse by more than "
        f"{margin:.3g}: {probability:.3f}, at most {limits.risk:g}"
    )
    return Check("not worse", probability <= limits.risk, reason, probability, limits.risk)


def check_groups(
    rows: PairedRows,
    metric: str,
    groups: Mapping[str, np.ndarray],
    min_size: int,
    limits: GateLimits,
    seed: int = 0,
) -> Check:
    """No group worse by more than the margin beyond its uncertainty: its bootstrap probability of
    that stays below 1 - risk/G for G groups (Bonferroni). `groups` maps a name to a mask, (n,).
    """
    large = {name: mask for name, mask in groups.items() if mask.sum() >= min_size}
    results = {name: _compare(rows, metric, mask, limits, seed) for name, mask in large.items()}
    # If all rows are of one class, for example, a metric may have no value.
    tested = {name: one for name, one in results.items() if not math.isnan(one[-1])}
    limit = 1 - limits.risk / max(1, len(tested))
    worst = max((one[-1] for one in tested.values()), default=0.0)
    suffering = [
        f"{name} ({theirs:.3f} to {mine:.3f}, n={large[name].sum()})"
        for name, (mine, theirs, _, probability) in tested.items()
        if probability > limit
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
    """Expected calibration error over all held-out predictions of a classifier."""
    if predictions.task != "classification":
        return Check("calibrated", True, "a regression model has no probabilities")
    weights = predictions.weights
    error = reliability(predictions.y_true, predictions.output, weights=weights).error
    passed = error <= limits.calibration
    advice = "" if passed else "; try model=calibrated"
    reason = f"expected calibration error {error:.3f}, at most {limits.calibration:g}{advice}"
    return Check("calibrated", passed, reason, error, limits.calibration)


def _compare(
    rows: PairedRows, metric: str, chosen: np.ndarray, limits: GateLimits, seed: int
) -> tuple[float, float, float, float]:
    """The challenger's value and the champion's on some rows, the margin in the metric's units, and
    the probability that the challenger is worse by more; NaN if no resample defines the metric.
    """
    info = METRICS[metric]
    challenger, champion = rows.challenger.take(chosen), rows.champion.take(chosen)
    mine, theirs = info.of(challenger), info.of(champion)
    margin = limits.margin * (1.0 if math.isfinite(info.highest) else abs(theirs))
    # The same seed draws the same rows for both.
    draws = [resample(one, [info], seed)[metric] for one in (challenger, champion)]
    losses = info.sign * (draws[1] - draws[0])
    losses = losses[~np.isnan(losses)]
    return mine, theirs, margin, float((losses > margin).mean()) if len(losses) else math.nan
