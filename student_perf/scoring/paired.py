"""Is one model really better than another? Tests on fold scores that share their folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from student_perf.scoring.intervals import corrected_error, half_width

ALPHA = 0.05
_NO_SPREAD = 1e-15


Figure = TypeVar("Figure", float, np.ndarray)


@dataclass(frozen=True)
class PairedDifference(Generic[Figure]):
    """Mean difference of paired fold scores with its 95 % interval and two-sided p-value: numbers,
    or for M candidates at once arrays of shape (M,).
    """

    mean: Figure
    low: Figure
    high: Figure
    p_value: Figure


@dataclass(frozen=True)
class Posterior:
    """Probabilities, shape (M,) each, that a difference lies below, inside and above the region of
    practical equivalence; they add up to 1.
    """

    below: np.ndarray
    inside: np.ndarray
    above: np.ndarray


def paired_difference(
    a: np.ndarray, b: np.ndarray, test_over_train: float
) -> PairedDifference[float]:
    """`paired_differences` of a single pair, a - b, both of shape (J,)."""
    result = paired_differences(np.asarray(a, dtype=np.float64)[None], b, test_over_train)
    return PairedDifference(*(float(v[0]) for v in vars(result).values()))


def paired_differences(
    a: np.ndarray, b: np.ndarray, test_over_train: float
) -> PairedDifference[np.ndarray]:
    """Corrected resampled t-test of each row of `a`, shape (M, J), against `b`, (J,) or (M, J).

    The error of the mean is that of `corrected_error`. With no spread at all the p-value is 1 if
    the difference is 0, else 0.

    Raises:
        ValueError: There are fewer than two folds.
    """
    mean, error, n = _mean_and_error(a, b, test_over_train)
    sure = error < _NO_SPREAD
    statistic = np.divide(-np.abs(mean), error, out=np.zeros_like(mean), where=~sure)
    p_value = 2 * stdtr(n - 1, statistic)
    p_value = np.where(sure & (np.abs(mean) >= _NO_SPREAD), 0.0, p_value)
    width = half_width(np.where(sure, 0.0, error), n)
    return PairedDifference(mean, mean - width, mean + width, p_value)


def holm(p_values: ArrayLike) -> np.ndarray:
    """p-values, shape (M,), adjusted for M tests by Holm's step-down rule (Holm 1979, Scandinavian
    Journal of Statistics 6): the i-th smallest times M-i+1, never below a smaller one's, at most 1.
    NaN stands for no test and stays NaN.
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    stepped = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def equivalence(a: np.ndarray, b: np.ndarray, test_over_train: float, rope: float) -> Posterior:
    """Bayesian correlated t-test of the rows of `a`, shape (M, J), against `b`, (J,) or (M, J).

    With a flat prior the mean difference has a Student posterior with J-1 degrees of freedom around
    the observed mean, of scale sqrt((1/J + rho/(1-rho)) * s^2), where the correlation of folds rho
    is n_test/(n_test + n_train) and so rho/(1-rho) is n_test/n_train (Corani and Benavoli 2015,
    Machine Learning 100; Benavoli et al. 2017, JMLR 18, section 4.1). Differences within
    `rope` >= 0, in units of the metric, count as equivalent. With no spread at all the posterior is
    certain.
    """
    mean, error, n = _mean_and_error(a, b, test_over_train)
    sure = error < _NO_SPREAD
    scale = np.where(sure, 1.0, error)
    below = np.where(sure, mean < -rope, stdtr(n - 1, (-rope - mean) / scale))
    above = np.where(sure, mean > rope, stdtr(n - 1, (mean - rope) / scale))
    return Posterior(below, np.clip(1 - below - above, 0.0, 1.0), above)


def against_best(scores: np.ndarray, best: int, test_over_train: float) -> np.ndarray:
    """Holm-adjusted p-values of M candidates' fold scores, shape (M, J), against number `best`,
    whose own is 1. Those above `ALPHA` are tied with the best.
    """
    others = np.arange(len(scores)) != best
    p_values = np.ones(len(scores))
    if others.any():
        differences = paired_differences(scores[others], scores[best], test_over_train)
        p_values[others] = holm(differences.p_value)
    return p_values


def _mean_and_error(
    a: np.ndarray, b: np.ndarray, test_over_train: float
) -> tuple[np.ndarray, np.ndarray, int]:
    """Mean differences (M,), their corrected standard errors (M,), and the number of folds."""
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    n = differences.shape[-1]
    if n < 2:
        raise ValueError(f"{n} fold: a paired test needs two or more")
    error = corrected_error(differences.std(axis=-1, ddof=1), n, test_over_train)
    return differences.mean(axis=-1), error, n
