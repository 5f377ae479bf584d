"""What the project's classifiers share: they answer with the most probable class."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted


class ProbabilisticClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose `fit` sets `classes_` and whose answer follows from `predict_proba`."""

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """The most probable classes, shape (n,)."""
        check_is_fitted(self)
        classes: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return classes
