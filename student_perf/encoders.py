"""Encoders of categories, by order, as pandas categoricals, one-hot, by share, by the target, and
of text by its words; and what fills missing cells.

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
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
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


class Imputer(SimpleImputer):
    """scikit-learn's SimpleImputer, in a fraction of the time and memory where rows are many.

    To find a median it sorts masked copies of all rows. A row that holds the medians has the same
    medians, so it gets that row only, and learns the same.
    """

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Learn what fills the gaps of each column of `X`, shape (n, p)."""
        is_median = self.strategy == "median" and not self.add_indicator
        if is_median and pd.isna(self.missing_values) and len(X) > _COUNTED_AT_ONCE:
            table = pd.DataFrame(X)
            if all(dtype == np.float64 for dtype in table.dtypes):
                medians = table.median().to_frame().T
                X = medians if isinstance(X, pd.DataFrame) else medians.to_numpy()  # noqa: N806
        fitted: Self = super().fit(X, y)
        return fitted


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


class Words(TransformerMixin, BaseEstimator):
    """Columns of text as how much of each word they hold: scikit-learn's TfidfVectorizer, column by
    column. Case and accents do not count, and a missing text has no words.

    A vectorizer is made for each call, so that a model file holds words and figures only: one in a
    file could be told to open the files that cells name.

    Args:
        max_features: The most words of a column, the most frequent first.
        min_df: A word counts from so many training rows on.
        ngram: The longest sequence of words that counts as one.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        name: [Interval(Integral, 1, None, closed="left")]
        for name in ("max_features", "min_df", "ngram")
    }

    def __init__(self, max_features: int = 100, min_df: int = 5, ngram: int = 1) -> None:
        self.max_features = max_features
        self.min_df = min_df
        self.ngram = ngram

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803
        """Learn the words of each column. Raises ConfigError if a column has none."""
        self._validate_params()
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.words_, self.idf_ = [], []
        for name in X:
            vectorizer = self._vectorizer()
            try:
                vectorizer.fit(_texts(X[name]))
            except ValueError as error:  # scikit-learn's for an empty vocabulary
                raise ConfigError(
                    f"preprocess.text.words.min_df={self.min_df}: no word of '{name}' occurs in so "
                    "many training rows; lower it, or take the column out of dataset.text"
                ) from error
            self.words_.append(vectorizer.get_feature_names_out().astype(str))
            self.idf_.append(vectorizer.idf_)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:  # noqa: N803
        """Weights of the words of all columns, float64 of shape (n, words), each text of norm 1."""
        check_is_fitted(self)
        parts = []
        for name, words, idf in zip(self.feature_names_in_, self.words_, self.idf_, strict=True):
            vectorizer = self._vectorizer(words)
            vectorizer.idf_ = idf
            parts.append(vectorizer.transform(_texts(X[name])).toarray())
        return np.hstack(parts)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """`comment: good` for the word of a column."""
        pairs = zip(self.feature_names_in_, self.words_, strict=True)
        return np.asarray([f"{name}: {word}" for name, words in pairs for word in words], object)

    def _vectorizer(self, words: Sequence[str] | None = None) -> TfidfVectorizer:
        return TfidfVectorizer(
            strip_accents="unicode",
            ngram_range=(1, self.ngram),
            max_features=self.max_features,
            min_df=self.min_df,
            vocabulary=words,
        )


def _texts(column: pd.Series) -> list[str]:
    return column.fillna("").astype(str).tolist()


def plain_name(_kind: str, column: str) -> str:
    """Name of a column for libraries that refuse brackets, quotes, colons and commas."""
    return column.translate(_PLAIN)


def categorical_columns(table: pd.DataFrame | np.ndarray) -> list[str]:
    """Names of the pandas categoricals of a table; none for an array."""
    if not isinstance(table, pd.DataFrame):
        return []
    return [str(name) for name in table if isinstance(table[name].dtype, pd.CategoricalDtype)]
