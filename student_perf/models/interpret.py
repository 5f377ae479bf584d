"""Explainable boosting machines: a curve for each column and a surface for some pairs, added up.

Only a fit needs interpret. What it has learned are bounds of bins and a score for each bin, and a
fitted model holds nothing else: it answers by looking up, without interpret or native code, and its
file names no class of interpret.

Sources: Y. Lou, R. Caruana, J. Gehrke and G. Hooker (2013), "Accurate intelligible models with
pairwise interactions", KDD; H. Nori et al. (2019), "InterpretML", arXiv:1909.09223.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from student_perf.encoders import categorical_columns
from student_perf.models.probabilistic import ProbabilisticClassifier

_COUNT = Interval(Integral, 1, None, closed="left")


@dataclass(frozen=True)
class Curve:
    """What a fitted machine adds up for one column.

    Attributes:
        column: Its name.
        importance: Mean over the rows of the fit of how far the curve moves an answer.
        bins: Names of the bins, missing cells last.
        low: Where a bin of numbers begins, NaN for other bins; shape (b,), as all that follow.
        high: Where it ends.
        n: Weight of the rows of the fit in the bin.
        scores: What a row in it gets, shape (b, 1), or (b, K) for K > 2 classes: log-odds, or units
            of the target.
    """

    column: str
    importance: float
    bins: list[str]
    low: np.ndarray
    high: np.ndarray
    n: np.ndarray
    scores: np.ndarray


class _EBM(BaseEstimator):
    """What both tasks share. Pandas categoricals count as categories, all else as numbers.

    `interactions` is the number of pairs as a multiple of the number of columns. Each of
    `outer_bags` machines stops by its own `validation_size` of the training rows.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "outer_bags": [_COUNT],
        "interactions": [Interval(Real, 0, 20, closed="both")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "max_rounds": [_COUNT],
        "max_leaves": [Interval(Integral, 2, None, closed="left")],
        "min_samples_leaf": [_COUNT],
        "max_bins": [Interval(Integral, 3, None, closed="left")],
        "smoothing_rounds": [Interval(Integral, 0, None, closed="left")],
        "greedy_ratio": [Interval(Real, 0, None, closed="left")],
        "validation_size": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [Integral],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        outer_bags: int = 8,
        interactions: float = 0.0,
        learning_rate: float = 0.015,
        max_rounds: int = 50_000,
        max_leaves: int = 2,
        min_samples_leaf: int = 4,
        max_bins: int = 256,
        smoothing_rounds: int = 75,
        greedy_ratio: float = 10.0,
        validation_size: float = 0.15,
        n_jobs: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.outer_bags = outer_bags
        self.interactions = interactions
        self.learning_rate = learning_rate
        self.max_rounds = max_rounds
        self.max_leaves = max_leaves
        self.min_samples_leaf = min_samples_leaf
        self.max_bins = max_bins
        self.smoothing_rounds = smoothing_rounds
        self.greedy_ratio = greedy_ratio
        self.validation_size = validation_size
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _learn(self, kind: type, X: Any, y: np.ndarray, weights: np.ndarray | None) -> None:  # noqa: N803 (scikit-learn's name)
        """Fit a machine of interpret's class `kind` and keep its tables."""
        self.categorical_ = categorical_columns(X)
        table = pd.DataFrame(X)
        self.names_ = [str(name) for name in table]
        coded = {name: _named_by_code(table[name]) for name in self.categorical_}
        types = ["nominal" if n in self.categorical_ else "continuous" for n in self.names_]
        parameters = self.get_params() | {
            "interactions": math.ceil(self.interactions * len(types)),
            "feature_types": types,
            "feature_names": self.names_,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what interpret's own pictures leave out
            machine = kind(**parameters).fit(table.assign(**coded), y, weights)
        self._keep(machine, [table[name].cat.categories for name in self.categorical_])

    def _keep(self, machine: Any, categories: list[pd.Index]) -> None:
        of_name = dict(zip(self.categorical_, categories, strict=True))
        self.categories_ = {name: [str(v) for v in values] for name, values in of_name.items()}
        # One entry a column, and in it one for single columns and maybe a coarser one for pairs.
        self.bounds_ = [
            [_bin_of_code(one, of_name.get(name)) for one in levels]
            for name, levels in zip(self.names_, machine.bins_, strict=True)
        ]
        self.terms_ = [[int(column) for column in term] for term in machine.term_features_]
        self.scores_ = [np.array(scores, np.float64) for scores in machine.term_scores_]
        self.intercept_ = np.atleast_1d(np.asarray(machine.intercept_, np.float64))
        self.bin_weights_ = [np.array(weights, np.float64) for weights in machine.bin_weights_]
        self.ranges_ = np.array(machine.feature_bounds_, np.float64)

    def _sums(self, X: Any) -> np.ndarray:  # noqa: N803
        """The sum of all scores of each row, shape (n, 1), or (n, K) for K > 2 classes."""
        check_is_fitted(self)
        table = pd.DataFrame(X)
        is_word = [name in self.categorical_ for name in self.names_]
        columns = [
            table.iloc[:, i].cat.codes.to_numpy()
            if word
            else table.iloc[:, i].to_numpy(np.float64, na_value=np.nan)
            for i, word in enumerate(is_word)
        ]
        sums = np.tile(self.intercept_, (len(table), 1))
        for term, scores in zip(self.terms_, self.scores_, strict=True):
            place = tuple(_places(columns[i], self._level(i, len(term)), is_word[i]) for i in term)
            sums += scores[place].reshape(len(table), -1)
        return sums

    def _level(self, column: int, n_columns: int) -> np.ndarray:
        """The bins of a column in a term of so many columns."""
        levels = self.bounds_[column]
        bins: np.ndarray = levels[min(len(levels), n_columns) - 1]
        return bins

    def curves(self) -> list[Curve]:
        """The curves of single columns, the most important first."""
        check_is_fitted(self)
        return sorted(self._iter_curves(), key=lambda curve: -curve.importance)

    def pair_importance(self) -> dict[tuple[str, str], float]:
        """How far each pair of columns moves an answer, the most important first."""
        check_is_fitted(self)
        names = {
            (self.names_[term[0]], self.names_[term[1]]): _importance(scores, weights)
            for term, scores, weights in self._tables()
            if len(term) == 2
        }
        return dict(sorted(names.items(), key=lambda item: -item[1]))

    def _tables(self) -> Iterator[tuple[list[int], np.ndarray, np.ndarray]]:
        return zip(self.terms_, self.scores_, self.bin_weights_, strict=True)

    def _iter_curves(self) -> Iterator[Curve]:
        for term, scores, weights in self._tables():
            if len(term) != 1:
                continue
            column, name = term[0], self.names_[term[0]]
            if name in self.categories_:
                kept, bins, low, high = self._words(column, name)
            else:
                kept, bins, low, high = self._numbers(column, len(scores))
            yield Curve(
                name,
                _importance(scores, weights),
                bins,
                low,
                high,
                weights[kept],
                scores.reshape(len(scores), -1)[kept],
            )

    def _words(self, column: int, name: str) -> tuple[np.ndarray, list[str], Any, Any]:
        places = self._level(column, 1)
        nowhere = np.full(len(places) + 1, np.nan)
        return np.append(places, 0), [*self.categories_[name], "missing"], nowhere, nowhere

    def _numbers(self, column: int, n: int) -> tuple[np.ndarray, list[str], Any, Any]:
        first, last = self.ranges_[column]
        edges = np.array([first, *self._level(column, 1), last])
        bins = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
        kept = np.append(np.arange(1, n - 1), 0)  # the last score belongs to text
        return kept, [*bins, "missing"], np.append(edges[:-1], np.nan), np.append(edges[1:], np.nan)


class EBMClassifier(ProbabilisticClassifier, _EBM):
    """interpret.glassbox.ExplainableBoostingClassifier with plain parameters."""

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and classes `y`, shape (n,)."""
        from interpret.glassbox import ExplainableBoostingClassifier

        self._validate_params()
        self.classes_ = np.unique(y)
        self._learn(ExplainableBoostingClassifier, X, y, sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        sums = self._sums(X)
        if sums.shape[1] == 1:
            of_second = expit(sums)
            return np.hstack([1 - of_second, of_second])
        probabilities: np.ndarray = softmax(sums, axis=1)
        return probabilities


class EBMRegressor(RegressorMixin, _EBM):
    """interpret.glassbox.ExplainableBoostingRegressor with plain parameters."""

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and the target `y`, shape (n,)."""
        from interpret.glassbox import ExplainableBoostingRegressor

        self._validate_params()
        self._learn(ExplainableBoostingRegressor, X, y, sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers, shape (n,)."""
        return self._sums(X)[:, 0]


def _named_by_code(words: pd.Series) -> pd.Series:
    """A categorical column whose categories are the texts of their codes, which no rule of spelling
    changes.
    """
    return words.cat.rename_categories([str(code) for code in range(len(words.cat.categories))])


def _bin_of_code(learned: Any, categories: pd.Index | None) -> np.ndarray:
    """The bounds of a column of numbers, or the bin of each code; -1, the last bin, for a category
    that had no row.
    """
    if categories is None:
        return np.array(learned, np.float64)
    return np.array([learned.get(str(code), -1) for code in range(len(categories))], np.int64)


def _places(values: np.ndarray, bins: np.ndarray, is_word: bool) -> np.ndarray:
    """The bin of each row; 0 for a missing cell."""
    if is_word:
        place: np.ndarray = np.append(bins, 0)[values]  # of code -1, a missing cell, the last
        return place
    return np.where(np.isnan(values), 0, np.searchsorted(bins, values, side="right") + 1)


def _importance(scores: np.ndarray, weights: np.ndarray) -> float:
    """Mean of |score| over the rows of the fit, and over classes."""
    sizes = np.abs(scores).reshape(*weights.shape, -1).mean(axis=-1)
    return float(np.average(sizes, weights=weights))
