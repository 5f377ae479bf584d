"""The naive predictor of Cortez and Silva (2008): the next grade is the last one.

It answers with the grade of the second period, else of the first; without both, with the most
common class or the mean. Source: P. Cortez and A. Silva, "Using Data Mining to Predict Secondary
School Student Performance", FUBUTEC 2008, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from student_perf.errors import ConfigError


class PreviousGradeClassifier(ClassifierMixin, BaseEstimator):
    """The class of the last known grade: `edges` cut it as they cut the target, lowest first.

    The first of `columns` that the data has is used. Class codes are 0..K-1; a row without a grade
    gets the most common class of the training rows.
    """

    def __init__(
        self, columns: Sequence[str] = ("G2", "G1"), edges: Sequence[float] | None = None
    ) -> None:
        self.columns = columns
        self.edges = edges

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Find the column and count the classes `y`, shape (n,).

        Raises ConfigError for an array without column names, and for a grade without edges.
        """
        self.column_ = _grade_column(X, self.columns)
        if self.column_ is not None and not self.edges:
            raise ConfigError(
                f"model.classifier.edges={self.edges}: {self.column_} must be cut into the "
                "target's classes; set dataset.bands, or model.classifier.edges to a list of bounds"
            )
        counts = np.bincount(y, minlength=len(self.edges or ()) + 1)
        self.most_common_ = int(counts.argmax())
        self.classes_ = np.arange(len(counts))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Class codes, shape (n,)."""
        check_is_fitted(self)
        codes = np.full(len(X), self.most_common_)
        if self.column_ is not None:
            grade = X[self.column_].to_numpy(dtype=np.float64)
            known = ~np.isnan(grade)
            codes[known] = np.digitize(grade[known], self.edges or ())
        return codes

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """1 for the predicted class and 0 for the others, shape (n, K)."""
        probabilities: np.ndarray = np.eye(len(self.classes_))[self.predict(X)]
        return probabilities


class PreviousGradeRegressor(RegressorMixin, BaseEstimator):
    """The last known grade itself; without one, the mean of the training rows."""

    def __init__(self, columns: Sequence[str] = ("G2", "G1")) -> None:
        self.columns = columns

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Self:  # noqa: N803
        """Find the column and the mean of `y`. Raises ConfigError for an array without names."""
        self.column_ = _grade_column(X, self.columns)
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Grades, shape (n,)."""
        check_is_fitted(self)
        if self.column_ is None:
            return np.full(len(X), self.mean_)
        grade = X[self.column_].to_numpy(dtype=np.float64)
        return np.where(np.isnan(grade), self.mean_, grade)


def _grade_column(X: Any, columns: Sequence[str]) -> str | None:  # noqa: N803
    if not isinstance(X, pd.DataFrame):
        raise ConfigError(
            "model=previous_grade: needs the grades as they are, not scaled; use preprocess=raw"
        )
    return next((name for name in columns if name in X.columns), None)
