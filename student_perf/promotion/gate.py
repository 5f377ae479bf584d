"""Whether a model may take the champion's place: checks on stored predictions of the same rows.

Nothing is fitted and no test row is opened here: the records hold both models' answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from student_perf.errors import ConfigError
from student_perf.inspection.calibration import reliability
from student_perf.promotion.limits import GateLimits
from student_perf.runs.predictions import Predictions
from student_perf.scoring.metric import METRICS
from student_perf.scoring.scores import scores

_N_RESAMPLES = 1000


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
    """Both models' outputs on the same n rows.

    `row` and `y_true` have shape (n,), the outputs (n, K) for K classes or (n,). `what` names the
    rows.
    """

    what: str
    task: str
    row: np.ndarray
    y_true: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray


def pair(challenger: Predictions, champion: Predictions, what: str) -> PairedRows:
    """The rows both were asked, each once with the mean of its outputs over repeats.

    Raises ConfigError where rows, truth or classes are not the same.
    """
    mine, theirs = _each_row_once(challenger), _each_row_once(champion)
    same = (
        challenger.task == champion.task
        and np.array_equal(mine[0], theirs[0])
        and np.array_equal(mine[1], theirs[1])
        and mine[2].shape == theirs[2].shape
    )
    if not same:
        raise ConfigError(f"the two models did not answer the same {what}")
    return PairedRows(what, challenger.task, mine[0], mine[1], mine[2], theirs[2])


def check_performance(rows: PairedRows, metric: str, limits: GateLimits, seed: int = 0) -> Check:
    """Not worse: the probability that the metric is worse by more than the margin, estimated by
    bootstrap over the rows, paired since both models answered each (Efron and Tibshirani 1993, "An
    Introduction to the Bootstrap", chapter 13), is at most `limits.risk`.
    """
    everything = np.arange(len(rows.row))
    observed, loss, margin = _losses(rows, metric, everything, limits, seed)
    probability = float((loss > margin).mean())
    label, sign = METRICS[metric].label, _sign(metric)
    reason = (
        f"{label} {observed[0]:.3f}, the champion's {observed[1]:.3f} on the same {len(rows.row)} "
        f"{rows.what} (gain {sign * (observed[0] - observed[1]):+.3f}); probability of being worse "
        f"by more than {margin:.3g}: {probability:.3f}, at most {limits.risk:g}"
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
    large = {name: np.flatnonzero(mask) for name, mask in groups.items() if mask.sum() >= min_size}
    found = {name: _losses(rows, metric, chosen, limits, seed) for name, chosen in large.items()}
    # Where all rows are of one class, for example, a metric may have no value.
    tested = {name: one for name, one in found.items() if len(one[1])}
    limit = 1 - limits.risk / max(1, len(tested))
    worst, suffering = 0.0, []
    for name, (observed, loss, margin) in tested.items():
        probability = float((loss > margin).mean())
        worst = max(worst, probability)
        if probability > limit:
            n = len(large[name])
            suffering.append(f"{name} ({observed[1]:.3f} to {observed[0]:.3f}, n={n})")
    if not groups:
        reason = "the dataset declares no subgroups"
    elif suffering:
        reason = f"worse by more than the margin beyond chance: {', '.join(suffering)}"
    else:
        reason = f"none of {len(tested)} groups of {min_size} rows or more is worse beyond chance"
        if unscored := [name for name in found if name not in tested]:
            reason += f"; {metric} is not defined in {', '.join(unscored)}"
    return Check("no group worse", not suffering, reason, worst, limit)


def check_calibration(predictions: Predictions, limits: GateLimits) -> Check:
    """Expected calibration error over all held-out predictions of a classifier."""
    if predictions.task != "classification":
        return Check("calibrated", True, "a regression model has no probabilities")
    error = reliability(predictions.y_true, predictions.output).error
    passed = error <= limits.calibration
    advice = "" if passed else "; try model=calibrated"
    reason = f"expected calibration error {error:.3f}, at most {limits.calibration:g}{advice}"
    return Check("calibrated", passed, reason, error, limits.calibration)


def _each_row_once(predictions: Predictions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    row, first, of_row = np.unique(predictions.row, return_index=True, return_inverse=True)
    total = np.zeros((len(row), *predictions.output.shape[1:]))
    np.add.at(total, of_row, predictions.output)
    times = np.bincount(of_row).reshape(-1, *[1] * (predictions.output.ndim - 1))
    return row, predictions.y_true[first], total / times


def _losses(
    rows: PairedRows, metric: str, chosen: np.ndarray, limits: GateLimits, seed: int
) -> tuple[tuple[float, float], np.ndarray, float]:
    """Both observed values, how much worse the challenger is in each resample, and the margin in
    the metric's units. Resamples in which the metric is not defined are left out.
    """
    observed = (
        _value(rows, metric, chosen, rows.challenger),
        _value(rows, metric, chosen, rows.champion),
    )
    unbounded = not np.isfinite(METRICS[metric].highest)
    margin = limits.margin * (abs(observed[1]) if unbounded else 1.0)
    rng = np.random.default_rng(seed)
    losses = []
    for _ in range(_N_RESAMPLES):
        drawn = chosen[rng.integers(0, len(chosen), len(chosen))]
        challenger = _value(rows, metric, drawn, rows.challenger)
        losses.append(_value(rows, metric, drawn, rows.champion) - challenger)
    found = _sign(metric) * np.array(losses)
    return observed, found[~np.isnan(found)], margin


def _value(rows: PairedRows, metric: str, chosen: np.ndarray, output: np.ndarray) -> float:
    ordered = METRICS[metric].ordered
    return scores(rows.task, rows.y_true[chosen], output[chosen], ordered)[metric]


def _sign(metric: str) -> int:
    return 1 if METRICS[metric].direction == "maximize" else -1
