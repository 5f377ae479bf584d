"""The interval of a quantity over folds that, unlike a metric, may take any value."""

from __future__ import annotations

import numpy as np

from student_perf.metrics import Estimate, fold_estimate


def fold_interval(values: np.ndarray, test_over_train: float) -> Estimate:
    """Mean of `values` of folds, shape (J,), with its 95 % interval as of `metrics.fold_estimate`.

    A single fold says nothing about the spread, so its interval is NaN.
    """
    if len(values) < 2:
        nan = float("nan")
        return Estimate(float(values.mean()), nan, nan, nan)
    # `fold_estimate` cuts an interval at the bounds of its metric; this one has no upper bound.
    estimate = fold_estimate("root_mean_squared_error", values, test_over_train)
    width = estimate.high - estimate.mean
    return Estimate(estimate.mean, estimate.std, estimate.mean - width, estimate.mean + width)
