"""The k columns that tell most of the target, chosen among the prepared ones by the training rows.

>>> import numpy as np
>>> x = np.column_stack([np.tile([0.0, 1.0], 20), np.arange(40.0) % 3])
>>> chosen = KBest(k=1, by="f").fit(x, np.tile([0, 1], 20))
>>> chosen.get_support().tolist()
[True, False]
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.feature_selection import (
    SelectorMixin,
    f_classif,
    f_regression,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

_N_TREES = 100


class KBest(SelectorMixin, BaseEstimator):
    """Keeps the k columns with the highest scores; all, where there are no more than k.

    scikit-learn's SelectKBest takes a function, which a config cannot name, and SelectFromModel
    keeps its model. `by` is the score: `mutual_information` with the target, the `f` statistic of
    a linear relation, or the importance for a `forest`. A float target holds numbers, even whole
    ones; an integer target holds classes.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "k": [Interval(Integral, 1, None, closed="left")],
        "by": [StrOptions({"mutual_information", "f", "forest"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self, k: int = 20, by: str = "mutual_information", random_state: int | None = None
    ) -> None:
        self.k = k
        self.by = by
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Score the columns, shape (n, p), by the target, shape (n,)."""
        self._validate_params()
        x = validate_data(self, X, dtype=np.float64)
        # A constant column tells nothing and has no F statistic: it comes last.
        self.scores_ = np.full(x.shape[1], -np.inf)
        varies = (x != x[0]).any(axis=0)
        if varies.any():
            is_number = np.issubdtype(np.asarray(y).dtype, np.floating)
            self.scores_[varies] = self._scores(x[:, varies], y, is_number)
        self.chosen_ = np.argsort(-self.scores_, kind="stable")[: self.k]
        return self

    def _scores(self, x: np.ndarray, y: np.ndarray, is_number: bool) -> np.ndarray:
        if self.by == "forest":
            forest = ExtraTreesRegressor if is_number else ExtraTreesClassifier
            made = forest(_N_TREES, random_state=self.random_state, n_jobs=1).fit(x, y)
            importances: np.ndarray = made.feature_importances_
            return importances
        if self.by == "f":
            with np.errstate(divide="ignore"):  # a column without spread within the classes
                return np.asarray((f_regression if is_number else f_classif)(x, y)[0])
        informed = mutual_info_regression if is_number else mutual_info_classif
        return np.asarray(informed(x, y, random_state=self.random_state))

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.chosen_] = True
        return mask
