"""The interval of a quantity over folds that, unlike a metric, may take any value."""

from __future__ import annotations

import numpy as np

from student_perf.scoring.scores import Estimate, corrected_half_width


def fold_interval(values: np.ndarray, test_over_train: float) -> Estimate:
    """Mean of `values` of folds, shape (J,), with its 95 % interval as of `metrics.fold_estimate`.

    A single fold says nothing about the spread, so its interval is NaN.
    """
    if len(values) < 2:
        nan = float("nan")
        return Estimate(float(values.mean()), nan, nan, nan)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    width = corrected_half_width(std, len(values), test_over_train)
    return Estimate(mean, std, mean - width, mean + width)
