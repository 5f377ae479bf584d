"""What the project's classifiers share: they answer with the most probable class."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted


class ProbabilisticClassifier(ClassifierMixin, BaseEstimator):
    """A classifier whose answer follows from `predict_proba`; its `fit` sets `classes_`.

    `predict_proba` is that of the fitted `estimator_`; a class without one has its own.
    """

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        check_is_fitted(self)
        probabilities: np.ndarray = self.estimator_.predict_proba(X)
        return probabilities

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """The most probable classes, shape (n,)."""
        check_is_fitted(self)
        classes: np.ndarray = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return classes
