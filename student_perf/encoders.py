"""Encoders of categories: by order, as pandas categoricals, one-hot, by share, by the target.

The module does not depend on the config: a logged model carries it to its server.

>>> table = pd.DataFrame({"effort": ["high", "low", "never seen"]})
>>> encoder = CategoryCodes({"effort": ["low", "high"]}).fit(table)
>>> encoder.transform(table).ravel().tolist()
[1.0, 0.0, -1.0]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder, TargetEncoder
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from student_perf.errors import ConfigError, suggest

_OUTPUTS = ("codes", "category")
_COUNTED_AT_ONCE = 10_000  # rows that scikit-learn counts in a few milliseconds
# xgboost and lightgbm refuse columns with these characters in their names.
_PLAIN = str.maketrans(dict.fromkeys('[]{}<>":,', "_"))


class CategoryCodes(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Text columns as positions in their order, or as pandas categoricals in that order.

    `categories` maps a column to its values, lowest first; the values of other columns are sorted.
    With output `codes` a value becomes its position as float64; a missing value, or one not seen in
    fit, becomes `unknown_value`. With output `category` the column becomes a pandas categorical, in
    which both are missing.
    """

    def __init__(
        self,
        categories: Mapping[str, Sequence[Any]] | None = None,
        output: str = "codes",
        unknown_value: float = -1.0,
    ) -> None:
        self.categories = categories
        self.output = output
        self.unknown_value = unknown_value

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803 (scikit-learn's name)
        """Learn the values of each column. Raises ConfigError for an unknown `output`."""
        if self.output not in _OUTPUTS:
            raise ConfigError(
                f"preprocess.categorical.encode.output={self.output}: must be codes or category; "
                f"{suggest(self.output, _OUTPUTS)}"
            )
        declared = self.categories or {}
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.categories_ = {
            str(name): [str(value) for value in declared[name]]
            if name in declared
            else sorted(X[name].dropna().unique().tolist())
            for name in X.columns
        }
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame | np.ndarray:  # noqa: N803
        """Codes, float64 of the shape of `X`, or a table of categoricals."""
        check_is_fitted(self)
        codes = {
            n: pd.Index(values).get_indexer(pd.Index(X[n]))
            for n, values in self.categories_.items()
        }
        if self.output == "category":
            return pd.DataFrame(
                {
                    name: pd.Categorical.from_codes(
                        column, categories=pd.Index(self.categories_[name])
                    )
                    for name, column in codes.items()
                },
                index=X.index,
            )
        numbers = np.column_stack(list(codes.values())).astype(np.float64)
        numbers[numbers < 0] = self.unknown_value
        return numbers


class OneHot(OneHotEncoder):
    """scikit-learn's OneHotEncoder, in a fraction of the time where rows are many.

    To find the values rarer than `min_frequency` it counts all rows in Python, which takes longer
    than the fit of a model. A value is rare or not by its first `min_frequency` rows, so it gets
    those only, and learns the same.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Learn the values of each column of `X`, shape (n, p)."""
        is_count = isinstance(self.min_frequency, Integral) and self.max_categories is None
        if is_count and len(X) > _COUNTED_AT_ONCE:
            X = X[_among_first(X, int(self.min_frequency))]  # noqa: N806
        fitted: Self = super().fit(X, y)
        return fitted


def _among_first(table: Any, n: int) -> np.ndarray:
    """Of a table or array, shape (rows, columns): which rows are among the first `n` with their
    value in some column?
    """
    columns = (table[name] for name in table) if isinstance(table, pd.DataFrame) else table.T
    kept = np.zeros(len(table), dtype=bool)
    for column in columns:
        codes = pd.factorize(column, use_na_sentinel=False)[0]
        kept |= pd.Series(codes).groupby(codes).cumcount().to_numpy() < n
    return kept


class CategoryShares(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Text columns as the share of the training rows that have the value; 0 for one not seen."""

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Count the values of each column, text of shape (n, p) without missing cells."""
        values = validate_data(self, X, dtype=object)
        self.shares_ = [pd.Series(one).value_counts(normalize=True).to_dict() for one in values.T]
        return self

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Shares, float64 of the shape of `X`."""
        check_is_fitted(self)
        values = validate_data(self, X, dtype=object, reset=False)
        known = zip(values.T, self.shares_, strict=True)
        return np.column_stack([pd.Series(one).map(share).fillna(0.0) for one, share in known])


class CrossFittedTargetEncoder(TransformerMixin, BaseEstimator):
    """scikit-learn's TargetEncoder with a seed for the parts of its cross-fitting.

    Each category becomes the target's mean in it, or for classes the share of each class, shrunk
    towards the overall mean by `smooth`. The rows of the fit are encoded from the other parts of
    `cv`. A float target holds numbers, even whole ones; an integer target holds classes.
    Source: D. Micci-Barreca (2001), SIGKDD Explorations 3(1).
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "smooth": TargetEncoder._parameter_constraints["smooth"],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self, smooth: float | str = "auto", cv: int = 5, random_state: int | None = None
    ) -> None:
        self.smooth = smooth
        self.cv = cv
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Learn the encoding from all rows, categories of shape (n, p) and target (n,)."""
        self.encoder_ = self._unfitted(y).fit(X, y)
        return self

    def fit_transform(self, X: Any, y: np.ndarray) -> np.ndarray:  # noqa: N803
        """Learn the encoding and encode these rows by cross-fitting, shape (n, p) or (n, p * K)."""
        self.encoder_ = self._unfitted(y)
        encoded: np.ndarray = self.encoder_.fit_transform(X, y)
        return encoded

    def transform(self, X: Any) -> np.ndarray:  # noqa: N803
        """Encode other rows; a category not seen in fit becomes the overall mean."""
        check_is_fitted(self)
        encoded: np.ndarray = self.encoder_.transform(X)
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the encoded columns: the column, and with several classes the class."""
        names: np.ndarray = self.encoder_.get_feature_names_out(input_features)
        return names

    def _unfitted(self, y: np.ndarray) -> TargetEncoder:
        self._validate_params()
        is_number = np.issubdtype(np.asarray(y).dtype, np.floating)
        parts = KFold if is_number else StratifiedKFold
        return TargetEncoder(
            target_type="continuous" if is_number else "auto",
            smooth=self.smooth,
            cv=parts(self.cv, shuffle=True, random_state=self.random_state),
        )


def plain_name(_kind: str, column: str) -> str:
    """Name of a column for libraries that refuse brackets, quotes, colons and commas."""
    return column.translate(_PLAIN)


def categorical_columns(table: pd.DataFrame | np.ndarray) -> list[str]:
    """Names of the pandas categoricals of a table; none for an array."""
    if not isinstance(table, pd.DataFrame):
        return []
    return [str(name) for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)]
