"""Naive Bayes over numeric and categorical columns together."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.utils.validation import check_is_fitted

from student_perf.encoders import categorical_columns
from student_perf.errors import ConfigError
from student_perf.models.probabilistic import ProbabilisticClassifier


class MixedNaiveBayes(ProbabilisticClassifier):
    """Columns independent given the class: normal if numeric, multinomial if categorical.

    Pandas categoricals count as categorical, all else as numeric. A missing cell or a value not
    seen in fit says nothing: its factor is left out. `alpha` is Lidstone's count, added to every
    category; `var_smoothing` times the largest column variance is added to every variance.
    Source: Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical Learning", 6.6.3.
    """

    def __init__(self, alpha: float = 1.0, var_smoothing: float = 1e-9) -> None:
        self.alpha = alpha
        self.var_smoothing = var_smoothing

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Count and average within each class of `y`, shape (n,).

        Raises ConfigError for a negative `alpha` or `var_smoothing`.
        """
        for name in ("alpha", "var_smoothing"):
            if getattr(self, name) < 0:
                raise ConfigError(
                    f"model.{name}={getattr(self, name)}: must be 0 or more; try 1e-9"
                )
        self.classes_, codes = np.unique(y, return_inverse=True)
        member = np.eye(len(self.classes_))[codes]
        self.class_log_prior_ = np.log(member.mean(axis=0))
        self.categorical_ = categorical_columns(X)
        self._fit_numeric(_numbers(X, self.categorical_), member)
        self.category_log_prob_ = []
        for name in self.categorical_:
            seen = np.eye(len(X[name].cat.categories) + 1)[X[name].cat.codes.to_numpy()][:, :-1]
            counts = member.T @ seen + self.alpha
            with np.errstate(divide="ignore", invalid="ignore"):  # alpha 0, or an empty column
                shares = np.log(counts / counts.sum(axis=1, keepdims=True))
            self.category_log_prob_.append(np.nan_to_num(shares, nan=0.0, neginf=-np.inf))
        return self

    def _fit_numeric(self, numbers: np.ndarray, member: np.ndarray) -> None:
        """Mean and variance of each class and column, shape (K, p); NaN cells left out."""
        known = ~np.isnan(numbers)
        filled = np.where(known, numbers, 0.0)
        count = np.maximum(member.T @ known, 1.0)
        self.theta_ = member.T @ filled / count
        spread = np.where(known, numbers - self.theta_[member.argmax(axis=1)], 0.0)
        overall = np.where(known, numbers - filled.sum(0) / np.maximum(known.sum(0), 1), 0.0)
        variances = (overall**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        floor = self.var_smoothing * variances.max(initial=0.0) + np.finfo(np.float64).tiny
        self.var_ = member.T @ spread**2 / count + floor

    def joint_log_likelihood(self, X: Any) -> np.ndarray:  # noqa: N803
        """Log of P(class) * P(row | class), shape (n, K)."""
        check_is_fitted(self)
        numbers = _numbers(X, self.categorical_)
        distance = (numbers[:, None, :] - self.theta_) ** 2 / self.var_
        density = -0.5 * (np.log(2 * np.pi * self.var_) + distance)
        joint: np.ndarray = self.class_log_prior_ + np.nansum(density, axis=2)
        for name, log_prob in zip(self.categorical_, self.category_log_prob_, strict=True):
            codes = X[name].cat.codes.to_numpy()
            joint += np.where((codes >= 0)[:, None], log_prob.T[codes], 0.0)
        return joint

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        joint = self.joint_log_likelihood(X)
        probabilities: np.ndarray = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        return probabilities


def _numbers(X: Any, categorical: list[str]) -> np.ndarray:  # noqa: N803
    """The numeric columns of a table or an array, float64 of shape (n, p)."""
    table = X.drop(columns=categorical) if isinstance(X, pd.DataFrame) else X
    return np.asarray(table, dtype=np.float64)
