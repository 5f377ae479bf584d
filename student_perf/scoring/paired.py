"""Is one model really better than another? Paired tests on the rows that both have answered.

Where predictions are gone, fold scores that share their folds stand in for rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr, stdtrit

from student_perf.scoring.influence import RowScores
from student_perf.scoring.intervals import CONFIDENCE, corrected_error

ALPHA = 0.05
_MOST_TERMS = 3  # of a sum that is written out
_ROUNDING = 1e-13  # of the figures compared; a difference below it is none


Figure = TypeVar("Figure", float, np.ndarray)


@dataclass(frozen=True)
class PairedDifference(Generic[Figure]):
    """Mean paired difference with its 95 % interval and two-sided p-value: numbers, or for M
    candidates at once arrays of shape (M,).
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


@dataclass(frozen=True, eq=False)
class Differences:
    """Paired differences of M candidates, their standard errors, and the degrees of freedom of
    these, shape (M,) each.
    """

    mean: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def tested(self) -> PairedDifference[np.ndarray]:
        """t-test of each. With no spread at all the p-value is 1 if the difference is 0, else 0."""
        mean, sure = self.mean, self.error == 0
        statistic = np.divide(-np.abs(mean), self.error, out=np.zeros_like(mean), where=~sure)
        p_value = 2 * stdtr(self.freedom, statistic)
        p_value = np.where(sure & (mean != 0), 0.0, p_value)
        width = self.error * stdtrit(self.freedom, (1 + CONFIDENCE) / 2)
        return PairedDifference(mean, mean - width, mean + width, p_value)

    def posterior(self, rope: float) -> Posterior:
        """Probabilities of each difference with a flat prior: a Student posterior around it. Those
        within `rope` >= 0, in units of the metric, count as equivalent. With no spread at all the
        posterior is certain.
        """
        mean, sure = self.mean, self.error == 0
        scale = np.where(sure, 1.0, self.error)
        below = np.where(sure, mean < -rope, stdtr(self.freedom, (-rope - mean) / scale))
        above = np.where(sure, mean > rope, stdtr(self.freedom, (mean - rope) / scale))
        return Posterior(below, np.clip(1 - below - above, 0.0, 1.0), above)

    def replaced(self, places: Sequence[int], others: Differences) -> Differences:
        """These, with others at some places."""
        columns = []
        for name in ("mean", "error", "freedom"):
            column = getattr(self, name).astype(np.float64)
            column[list(places)] = getattr(others, name)
            columns.append(column)
        return Differences(*columns)


def by_rows(a: Sequence[RowScores], b: RowScores, factor: float | None = None) -> Differences:
    """Differences of candidates `a` to `b` by the difference of their influences on the same rows.

    What a row has in common for both, such as being hard, leaves the difference; so it shows what
    intervals of the two, side by side, cannot. The factor on the errors is by default that of the
    scores for other training rows.

    Raises:
        ValueError: The rows differ.
    """
    if not all(np.array_equal(one.unit, b.unit) for one in a):
        raise ValueError("a paired test needs the same rows on both sides")
    mean = np.array([one.mean - b.mean for one in a])
    error = np.array([np.sqrt(((one.moved - b.moved) ** 2).sum()) for one in a])
    scale = np.array([max(abs(one.mean), abs(b.mean)) for one in a])
    freedom = np.full(len(a), max(1.0, len(b.unit) - 1))
    factor = max(one.training for one in (*a, b)) if factor is None else factor
    return Differences(rounded(mean, scale), factor * rounded(error, scale), freedom)


def rounded(values: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The values, 0 where they are but what computing has rounded of figures of this size."""
    return np.where(np.abs(values) <= _ROUNDING * scale, 0.0, values)


def by_folds(a: np.ndarray, b: np.ndarray, test_over_train: float) -> Differences:
    """Differences of fold scores, of each row of `a`, shape (M, J), to `b`, (J,) or (M, J).

    The error of the mean is that of `corrected_error`, with J-1 degrees of freedom: the corrected
    resampled t-test. Its posterior is that of the Bayesian correlated t-test, in which the
    correlation of folds rho is n_test/(n_test + n_train) and so rho/(1-rho) is n_test/n_train
    (Corani and Benavoli 2015, Machine Learning 100; Benavoli et al. 2017, JMLR 18, section 4.1).

    Raises:
        ValueError: There are fewer than two folds.
    """
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    n = differences.shape[-1]
    if n < 2:
        raise ValueError(f"{n} fold: a paired test needs two or more")
    spread, scale = differences.std(axis=-1, ddof=1), np.abs(a).max(axis=-1)
    error = corrected_error(rounded(spread, scale), n, test_over_train)
    return Differences(
        rounded(differences.mean(axis=-1), scale), error, np.full(len(error), n - 1.0)
    )


def row_difference(
    a: RowScores, b: RowScores, factor: float | None = None
) -> PairedDifference[float]:
    """`by_rows` of a single pair, a - b, tested."""
    return _single(by_rows([a], b, factor))


def paired_difference(
    a: np.ndarray, b: np.ndarray, test_over_train: float
) -> PairedDifference[float]:
    """`by_folds` of a single pair, a - b, both of shape (J,), tested."""
    return _single(by_folds(np.asarray(a, dtype=np.float64)[None], b, test_over_train))


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


def for_tries(p_value: float, n_tries: int) -> float:
    """The p-value of the latest of n tries on the same rows, times n (1 + 1/2 + ... + 1/n), at most
    1. Times n would do for tries that are all judged at the end; here each was judged by the fewer
    before it, and whoever sees all verdicts takes the best. The harmonic sum is that of Benjamini
    and Yekutieli (2001, Annals of Statistics 29), for tests that depend on each other.
    """
    return min(1.0, p_value * _of_tries(n_tries))


def _of_tries(n_tries: int) -> float:
    return n_tries * sum(1 / number for number in range(1, n_tries + 1))


def times_of_tries(n_tries: int) -> str:
    """What `for_tries` multiplies by, as a line shows it.

    >>> times_of_tries(3), times_of_tries(90)
    ('times 5.5 = 3 (1 + 1/2 + 1/3)', 'times 457 = 90 (1 + 1/2 + ... + 1/90)')
    """
    terms = [f"1/{number}" if number > 1 else "1" for number in range(1, n_tries + 1)]
    shown = terms if n_tries <= _MOST_TERMS else [*terms[:2], "...", terms[-1]]
    factor = _of_tries(n_tries)
    value = f"{factor:.2g}" if factor < 10 else f"{factor:,.0f}"
    return f"times {value} = {n_tries} ({' + '.join(shown)})"


def against_best(differences: Differences, best: int) -> np.ndarray:
    """Holm-adjusted p-values of M candidates' differences to number `best`, whose own is 1, or NaN
    if nothing can be tested. Those above `ALPHA` are tied with the best.
    """
    p_values = differences.tested().p_value
    others = np.arange(len(p_values)) != best
    p_values[others] = holm(p_values[others])
    return p_values


def _single(differences: Differences) -> PairedDifference[float]:
    return PairedDifference(*(float(v[0]) for v in vars(differences.tested()).values()))
