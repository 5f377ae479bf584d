"""CatBoost as scikit-learn estimators that find the categorical columns themselves."""

from __future__ import annotations

from typing import Any, Self

import catboost
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from student_perf.encoders import categorical_columns
from student_perf.models.probabilistic import ProbabilisticClassifier


class _CatBoost(BaseEstimator):
    """What both tasks share. Pandas categoricals count as categories, all else as numbers."""

    def __init__(
        self,
        iterations: int = 300,
        depth: int = 4,
        learning_rate: float = 0.05,
        l2_leaf_reg: float = 3.0,
        random_strength: float = 1.0,
        subsample: float = 0.8,
        rsm: float = 1.0,
        border_count: int = 254,
        thread_count: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.iterations = iterations
        self.depth = depth
        self.learning_rate = learning_rate
        self.l2_leaf_reg = l2_leaf_reg
        self.random_strength = random_strength
        self.subsample = subsample
        self.rsm = rsm
        self.border_count = border_count
        self.thread_count = thread_count
        self.random_state = random_state

    def catboost_parameters(self) -> dict[str, Any]:
        """Parameters as CatBoost takes them; it writes no files and no log."""
        silent = {"allow_writing_files": False, "verbose": False, "bootstrap_type": "Bernoulli"}
        return {**self.get_params(), **silent}

    def _fit(self, model: Any, X: Any, y: np.ndarray, weights: np.ndarray | None) -> Self:  # noqa: N803 (scikit-learn's name)
        self.categorical_ = categorical_columns(X)
        names = self.categorical_ or None
        self.model_ = model.fit(self._coded(X), y, cat_features=names, sample_weight=weights)
        return self

    def _coded(self, X: Any) -> Any:  # noqa: N803
        """Categoricals as integer codes, which CatBoost takes; -1 is a missing or unknown one."""
        if not self.categorical_:
            return X
        return X.assign(**{name: X[name].cat.codes.astype("int64") for name in self.categorical_})


class CatBoostClassifier(ProbabilisticClassifier, _CatBoost):
    """catboost.CatBoostClassifier with plain parameters."""

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and classes `y`, shape (n,)."""
        self.classes_ = np.unique(y)
        model = catboost.CatBoostClassifier(**self.catboost_parameters())
        return self._fit(model, X, y, sample_weight)

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        check_is_fitted(self)
        probabilities: np.ndarray = self.model_.predict_proba(self._coded(X))
        return probabilities


class CatBoostRegressor(RegressorMixin, _CatBoost):
    """catboost.CatBoostRegressor with plain parameters."""

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and the target `y`, shape (n,)."""
        model = catboost.CatBoostRegressor(**self.catboost_parameters())
        return self._fit(model, X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers, shape (n,)."""
        check_is_fitted(self)
        numbers: np.ndarray = self.model_.predict(self._coded(X))
        return numbers
