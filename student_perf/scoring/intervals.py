"""The one interval of figures that folds give.

>>> estimate = fold_interval(np.array([0.70, 0.74, 0.66, 0.72, 0.68]), test_over_train=0.25)
>>> print(f"{estimate.mean:.2f}, {estimate.low:.3f} to {estimate.high:.3f}")
0.70, 0.641 to 0.759
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from student_perf.scoring.metrics import Metric

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; `std` is its deviation over folds, NaN for a single one."""

    mean: float
    std: float
    low: float
    high: float

    def within(self, metric: Metric | None) -> Estimate:
        """The interval cut off at the lowest and highest value that a metric can have, but never
        short of the figure itself: a metric of the user's own may leave its bounds.
        """
        if metric is None:
            return self
        low = max(self.low, min(metric.lowest, self.mean))
        high = min(self.high, max(metric.highest, self.mean))
        return Estimate(self.mean, self.std, low, high)


def fold_interval(
    values: np.ndarray, test_over_train: float, metric: Metric | None = None
) -> Estimate:
    """Mean of fold scores with its corrected interval, see `corrected_error`.

    Args:
        values: A figure of each fold, shape (J,).
        test_over_train: Ratio of validation to training rows.
        metric: What the figures are, if their bounds hold for the interval too.

    Returns:
        The estimate; a single fold says nothing about the spread, so its interval is NaN.
    """
    if len(values) < 2:
        return Estimate(float(values.mean()), math.nan, math.nan, math.nan)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    width = float(half_width(corrected_error(std, len(values), test_over_train), len(values)))
    return Estimate(mean, std, mean - width, mean + width).within(metric)


def corrected_error(std: Any, n_folds: int, test_over_train: float) -> Any:
    """Standard error of a mean over folds whose scores have this deviation, a number or an array.

    Folds share training rows, so their scores are not independent and the usual standard error is
    too small. The variance of the mean is taken as (1/J + n_test/n_train) * s^2 with J-1 degrees of
    freedom (Nadeau and Bengio 2003, "Inference for the Generalization Error", Machine Learning 52).
    """
    return std * np.sqrt(1 / n_folds + test_over_train)


def half_width(error: Any, n_folds: int) -> Any:
    """Half of the 95 % interval of a mean over J >= 2 folds with this standard error."""
    return error * stdtrit(n_folds - 1, (1 + CONFIDENCE) / 2)
