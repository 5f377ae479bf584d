"""A fitted model that answers in class labels instead of codes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from student_perf.models.probabilistic import ProbabilisticClassifier
from student_perf.models.weights import fit_weighted
from student_perf.scoring.checks import all_classes


class LabelledClassifier(ProbabilisticClassifier):
    """Classifier over ordered labels, around one that works on codes 0..K-1.

    scikit-learn sorts labels alphabetically and xgboost takes codes only; here `labels`, lowest
    first, keep their order in `classes_` and in the columns of `predict_proba`.
    """

    def __init__(self, estimator: BaseEstimator, labels: list[Any]) -> None:
        self.estimator = estimator
        self.labels = labels

    def fit(self, X: pd.DataFrame, y: Any, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit a clone of `estimator` on the codes of the labels `y`, shape (n,)."""
        position = {label: code for code, label in enumerate(self.labels)}
        codes = np.array([position[label] for label in y], dtype=np.int64)
        self.classes_ = np.asarray(self.labels)
        self.estimator_ = fit_weighted(clone(self.estimator), X, codes, sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K); a label that no row of the fit has gets 0."""
        codes = getattr(self.estimator_, "classes_", None)
        probabilities: np.ndarray = all_classes(
            super().predict_proba(X), codes, len(self.labels), "for the kept model"
        )
        return probabilities
