"""Ordered classes by binary questions that any classifier answers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from student_perf.models.probabilistic import ProbabilisticClassifier
from student_perf.models.weights import fit_weighted
from student_perf.scoring.checks import checked_answer


class OrdinalClassifier(ProbabilisticClassifier):
    """One clone of `estimator` for each bound between classes: is the row above it?

    P(y = k) = P(y > k-1) - P(y > k). The binary models are fitted separately, so P(y > k) may rise
    with k, which no probability may. In these rows each share is raised to at least 1/n, for n rows
    of the fit, and all are scaled to sum to 1: a 0 would claim more than n rows can show.
    Source: E. Frank and M. Hall (2001), "A Simple Approach to Ordinal Classification", ECML.
    """

    def __init__(self, estimator: BaseEstimator) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit on classes `y`, shape (n,), whose sorted values are their order."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_rows_ = len(codes)
        self.estimators_ = [
            fit_weighted(clone(self.estimator), X, (codes > bound).astype(np.int64), sample_weight)
            for bound in range(len(self.classes_) - 1)
        ]
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        check_is_fitted(self)
        above = [
            checked_answer(fitted.predict_proba(X), len(X), 2, f"above class {bound}")[:, 1]
            for bound, fitted in enumerate(self.estimators_)
        ]
        everything, nothing = np.ones(len(X)), np.zeros(len(X))
        cumulative = np.column_stack([everything, *above, nothing])
        shares = -np.diff(cumulative, axis=1)
        crossed = (shares < 0).any(axis=1)
        shares[crossed] = np.clip(shares[crossed], 1 / self.n_rows_, None)
        probabilities: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
        return probabilities
