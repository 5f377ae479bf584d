"""Fits in which some rows count more than others."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

_PARAMETER = "sample_weight"  # scikit-learn's name


def takes_weights(estimator: BaseEstimator) -> bool:
    """Whether a model's fit takes weights of rows; of a pipeline its last step, of a model around
    another one both.
    """
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    inner = getattr(last, "estimator", None)
    return bool(has_fit_parameter(last, _PARAMETER)) and (inner is None or takes_weights(inner))


def fit_weighted(
    estimator: BaseEstimator, features: Any, target: np.ndarray, weights: np.ndarray | None
) -> BaseEstimator:
    """The estimator, fitted to n rows by their weights, shape (n,), if there are some and it takes
    them. Steps before the last one of a pipeline are fitted without.
    """
    if weights is None or not takes_weights(estimator):
        return estimator.fit(features, target)
    is_pipeline = isinstance(estimator, Pipeline)
    name = f"{estimator.steps[-1][0]}__{_PARAMETER}" if is_pipeline else _PARAMETER
    return estimator.fit(features, target, **{name: weights})
