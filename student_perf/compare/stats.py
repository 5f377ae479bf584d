"""Is one model really better than another? Tests on fold scores that share their folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from student_perf.metrics import CONFIDENCE


@dataclass(frozen=True)
class PairedDifference:
    """Mean difference of paired fold scores with its 95 % interval and two-sided p-value."""

    mean: float
    low: float
    high: float
    p_value: float


def paired_difference(a: np.ndarray, b: np.ndarray, test_over_train: float) -> PairedDifference:
    """Corrected resampled t-test of a - b over J shared folds, both of shape (J,), J >= 2.

    The variance of the mean difference is (1/J + n_test/n_train) * s^2 with J-1 degrees of freedom,
    since training sets overlap (Nadeau and Bengio 2003, Machine Learning 52). With no spread at all
    the p-value is 1 where the difference is 0, else 0. Raises ValueError for fewer than two folds.
    """
    difference = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    n = len(difference)
    if n < 2:
        raise ValueError(f"{n} fold: a paired test needs two or more")
    mean = float(difference.mean())
    error = float(difference.std(ddof=1) * np.sqrt(1 / n + test_over_train))
    if error < 1e-15:
        return PairedDifference(mean, mean, mean, 1.0 if abs(mean) < 1e-15 else 0.0)
    p_value = float(2 * stdtr(n - 1, -abs(mean) / error))
    width = error * float(stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    return PairedDifference(mean, mean - width, mean + width, p_value)
