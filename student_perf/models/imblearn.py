"""A classifier of any kind, fitted to rows that imbalanced-learn has resampled.

Only `fit` resamples, so only the training rows of a fold, and none of those it is judged on. The
fitted model needs no imbalanced-learn.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from student_perf.encoders import categorical_columns
from student_perf.errors import ConfigError
from student_perf.models.probabilistic import ProbabilisticClassifier

_BY_DISTANCE = ("smote", "smote_tomek", "tomek")


class ResampledClassifier(ProbabilisticClassifier):
    """`estimator` on training rows in which rare classes have become as frequent as the others.

    `method` is `smote` (rows made between neighbours of a rare class, Chawla et al. 2002), `tomek`
    (takes away rows that stand in the way of another class, Tomek 1976), `smote_tomek` (both),
    `over` (repeats rows of rare classes) or `under` (leaves out rows of the others).
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "method": [StrOptions({"smote", "smote_tomek", "tomek", "over", "under"})],
        "k_neighbors": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: BaseEstimator | None = None,
        method: str = "smote",
        k_neighbors: int = 5,
        random_state: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.k_neighbors = k_neighbors
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Resample the rows, shape (n, p), and fit the estimator to them.

        Raises:
            ConfigError: The method gets gaps or categories and needs figures, or a class has a
                single row.
        """
        self._validate_params()
        has_gaps = bool(pd.DataFrame(X).isna().any(axis=None))
        if self.method in _BY_DISTANCE and (has_gaps or categorical_columns(X)):
            raise ConfigError(
                f"model.method={self.method}: measures distances, so it needs figures without gaps "
                "or categories; use preprocess=default, or model.method=over"
            )
        rows, target = self._sampler(y).fit_resample(X, y)
        self.estimator_ = clone(self.estimator).fit(rows, target)
        self.classes_ = self.estimator_.classes_
        return self

    def _sampler(self, y: np.ndarray) -> Any:
        # Imported here: a kept model answers where imbalanced-learn is not installed.
        from imblearn import combine, over_sampling, under_sampling

        if self.method == "tomek":
            return under_sampling.TomekLinks(sampling_strategy="all")
        if self.method in ("over", "under"):
            simple = {
                "over": over_sampling.RandomOverSampler,
                "under": under_sampling.RandomUnderSampler,
            }
            return simple[self.method](random_state=self.random_state)
        fewest = int(np.unique(y, return_counts=True)[1].min())
        if fewest < 2:
            raise ConfigError(
                f"model.method={self.method}: a class has a single training row in a fold, and a "
                "new row lies between two; use model.method=over, or merge the class with another"
            )
        smote = over_sampling.SMOTE(
            k_neighbors=min(self.k_neighbors, fewest - 1), random_state=self.random_state
        )
        both = combine.SMOTETomek(smote=smote, random_state=self.random_state)
        return smote if self.method == "smote" else both
