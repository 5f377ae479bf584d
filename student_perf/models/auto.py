"""The best of a portfolio within a given time: tried in order, losers dropped, the rest averaged.

Everything happens within a fit, on inner folds of its rows, so what a run says of the model on its
own folds is as honest as for any other model.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from numbers import Integral, Real
from time import monotonic
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from student_perf.errors import ModelError, one_line
from student_perf.models.probabilistic import ProbabilisticClassifier
from student_perf.models.weights import fit_weighted
from student_perf.scoring.checks import all_classes

log = logging.getLogger(__name__)

_CLEARLY = 3.0  # standard errors by which a candidate loses against the best so far
_ROUNDS = 25  # of the greedy selection
_LEAST_WEIGHT = 0.05  # a member with less costs time and changes nothing
_REFIT = 1.25  # time of a fit on all rows, by that on four fifths
_LOWEST = 1e-5  # probability that a loss can tell from 0

Folds = Sequence[tuple[np.ndarray, np.ndarray]]
Fit = Callable[[BaseEstimator, np.ndarray], BaseEstimator]


@dataclass(frozen=True, eq=False)
class _Tried:
    """A configuration with its held-out answers, its losses by row, and the seconds of one fit."""

    name: str
    estimator: BaseEstimator
    output: np.ndarray
    losses: np.ndarray
    seconds: float

    def loss(self, counts: np.ndarray) -> float:
        """The mean over all rows, each of which counts as `counts` says."""
        return float(np.average(self.losses, weights=counts))


class _Auto(BaseEstimator):
    """What both tasks share.

    The configurations in `estimators` are tried in their order on `cv` inner folds, until `time`
    seconds are used up or `most` of them are tried; None sets no limit. One that clearly loses
    against the best so far is dropped after the folds that show it. A greedy selection with
    replacement averages the others (Caruana, Niculescu-Mizil, Crew and Ksikes 2004, "Ensemble
    selection from libraries of models", ICML). It is made `cv` times, each time without the rows
    of a fold, which judge it: unless it is better there than the best single one, that is taken.
    """

    _is_classifier: ClassVar[bool]
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "estimators": [list, None],
        "time": [Interval(Real, 0, None, closed="neither"), None],
        "most": [Interval(Integral, 1, None, closed="left"), None],
        "cv": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimators: list[tuple[str, BaseEstimator]] | None = None,
        time: float | None = 60.0,
        most: int | None = None,
        cv: int = 5,
        random_state: int | None = None,
    ) -> None:
        self.estimators = estimators
        self.time = time
        self.most = most
        self.cv = cv
        self.random_state = random_state

    def _fit(self, X: Any, y: np.ndarray, weights: np.ndarray | None) -> None:  # noqa: N803 (scikit-learn's name)
        """Try, choose and fit the chosen ones to all rows of codes or numbers `y`."""
        self._validate_params()
        started, folds = monotonic(), self._folds(X, y)

        def fit(estimator: BaseEstimator, rows: np.ndarray) -> BaseEstimator:
            of_rows = None if weights is None else weights[rows]
            return fit_weighted(clone(estimator), _take(X, rows), y[rows], of_rows)

        counts = np.ones(len(y)) if weights is None else weights  # of each row
        tried = self._try(X, y, counts, folds, fit, started)
        shares, everything = self._shares(tried, y, counts, folds), np.arange(len(y))
        chosen = np.flatnonzero(shares)
        self.names_ = [tried[i].name for i in chosen]
        self.weights_ = shares[chosen]
        self.members_ = [fit(tried[i].estimator, everything) for i in chosen]
        self.losses_ = {one.name: one.loss(counts) for one in tried}
        log.info("auto, %.0f s: %s", monotonic() - started, self.facts())

    def facts(self) -> dict[str, str]:
        """What a run notes of the fitted model: its members with their shares, how many were tried
        and how many got to their end.
        """
        check_is_fitted(self)
        parts = zip(self.names_, self.weights_, strict=True)
        n = len(self.estimators or [])
        return {
            "auto_members": ", ".join(f"{name} {share:.2f}" for name, share in parts),
            "auto_tried": f"{self.n_tried_} of {n}, {len(self.losses_)} to their end",
        }

    def _folds(self, X: Any, y: np.ndarray) -> Folds:  # noqa: N803
        if not self._is_classifier:
            parts = KFold(min(self.cv, len(y)), shuffle=True, random_state=self.random_state)
        else:  # a class of fewer rows than folds is missing in some of them
            n_folds = max(2, min(self.cv, int(np.bincount(y).min())))
            parts = StratifiedKFold(n_folds, shuffle=True, random_state=self.random_state)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", UserWarning
            )  # of such a class a check of the rows warns
            return list(parts.split(X, y))

    def _try(
        self,
        X: Any,  # noqa: N803
        y: np.ndarray,
        counts: np.ndarray,
        folds: Folds,
        fit: Fit,
        started: float,
    ) -> list[_Tried]:
        """The configurations that got to their end, in the order of trying."""
        tried: list[_Tried] = []
        failure: Exception | None = None
        self.n_tried_, refits = 0, 0.0
        for name, estimator in (self.estimators or [])[: self.most]:
            limit = None if self.time is None or not tried else started + self.time - refits
            if limit is not None and monotonic() >= limit:
                break
            self.n_tried_ += 1
            try:
                best = min(tried, key=lambda one: one.loss(counts), default=None)
                one = self._held_out(name, estimator, X, y, counts, folds, fit, limit, best)
            except Exception as error:  # whatever a library raises; the others may do
                log.info("auto: %s left out: %s", name, one_line(error))
                failure = error
                continue
            if one is not None:
                tried.append(one)
                shares = self._shares(tried, y, counts, folds)
                pairs = zip(tried, shares, strict=True)
                refits = _REFIT * sum(each.seconds for each, share in pairs if share)
        if not tried:
            reason = one_line(failure) if failure else "it has no members"
            raise ModelError(
                f"model=auto: none of its configurations can be fitted ({reason}); choose a model, "
                "for example model=rf, which says what is wrong"
            )
        return tried

    def _held_out(
        self,
        name: str,
        estimator: BaseEstimator,
        X: Any,  # noqa: N803
        y: np.ndarray,
        counts: np.ndarray,
        folds: Folds,
        fit: Fit,
        limit: float | None,
        best: _Tried | None,
    ) -> _Tried | None:
        """A configuration's answers to all rows; None if the time is over or it clearly loses."""
        shape = (len(y), int(y.max()) + 1) if self._is_classifier else (len(y),)
        output, losses, seconds = np.zeros(shape), np.zeros(len(y)), 0.0
        seen, last = np.zeros(len(y), dtype=bool), 0.0
        for train, validation in folds:
            # One more fit for this fold, and one on all rows if the configuration is chosen.
            if limit is not None and monotonic() + 2 * last >= limit:
                return None
            began = monotonic()
            fitted = fit(estimator, train)
            last = monotonic() - began
            seconds += last / len(folds)
            output[validation] = self._answer(fitted, _take(X, validation), shape)
            losses[validation] = self._losses(output[validation], y[validation])
            seen[validation] = True
            if best is None:
                continue
            if _clearly_loses(losses[seen] - best.losses[seen], counts[seen]):
                return None
        return _Tried(name, estimator, output, losses, seconds)

    def _answer(self, fitted: BaseEstimator, X: Any, shape: tuple[int, ...]) -> np.ndarray:  # noqa: N803
        """Numbers, or probabilities of all classes."""
        answer: np.ndarray
        if self._is_classifier:
            shares, codes = fitted.predict_proba(X), fitted.classes_
            answer = all_classes(shares, codes, shape[1], "in an inner fold")
        else:
            answer = fitted.predict(X)
        return answer

    def _losses(self, output: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log loss, or squared error, of each row."""
        if not self._is_classifier:
            squared: np.ndarray = (output - y) ** 2
            return squared
        losses: np.ndarray = -np.log(output[np.arange(len(y)), y].clip(_LOWEST, 1.0))
        return losses

    def _shares(
        self, tried: Sequence[_Tried], y: np.ndarray, counts: np.ndarray, folds: Folds
    ) -> np.ndarray:
        """The share of each configuration in the answer, shape (M,), 0 for most of them."""
        outputs = np.array([one.output for one in tried])
        losses = np.array([one.losses for one in tried])

        def loss(output: np.ndarray, rows: np.ndarray) -> float:
            return float(np.average(self._losses(output, y[rows]), weights=counts[rows]))

        shares, together, single = np.zeros(len(tried)), 0.0, 0.0
        for others, judged in folds:
            own = _greedy(outputs[:, others], partial(loss, rows=others))
            first = np.average(losses[:, others], axis=1, weights=counts[others]).argmin()
            of_all = counts[judged].sum()
            together += loss(np.tensordot(own, outputs[:, judged], 1), judged) * of_all
            single += loss(outputs[first, judged], judged) * of_all
            shares += own / len(folds)
        if together >= single:
            shares = np.eye(len(tried))[np.average(losses, axis=1, weights=counts).argmin()]
        shares[shares < min(_LEAST_WEIGHT, shares.max())] = 0.0
        result: np.ndarray = shares / shares.sum()
        return result

    def _together(self, X: Any, n_classes: int) -> np.ndarray:  # noqa: N803
        """The weighted mean of the members' answers."""
        check_is_fitted(self)
        shape = (len(X), n_classes) if n_classes else (len(X),)
        answers = [self._answer(member, X, shape) for member in self.members_]
        mean: np.ndarray = np.tensordot(self.weights_, np.array(answers), 1)
        return mean


class AutoClassifier(ProbabilisticClassifier, _Auto):
    """Mean of the probabilities of the best configurations, by log loss."""

    _is_classifier = True

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on n rows and classes `y`, shape (n,). Raises ModelError if no member can be."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._fit(X, codes, sample_weight)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        return self._together(X, len(self.classes_))


class AutoRegressor(RegressorMixin, _Auto):
    """Mean of the numbers of the best configurations, by squared error."""

    _is_classifier = False

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on n rows and the target `y`, shape (n,). Raises ModelError if no member can be."""
        self._fit(X, np.asarray(y, np.float64), sample_weight)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers, shape (n,)."""
        return self._together(X, 0)


def _take(X: Any, rows: np.ndarray) -> Any:  # noqa: N803
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _clearly_loses(gaps: np.ndarray, counts: np.ndarray) -> bool:
    """Whether losses are higher on the same rows, far beyond chance; each row counts as `counts`
    says.
    """
    mean = np.average(gaps, weights=counts)
    error = np.sqrt(np.square(counts * (gaps - mean)).sum()) / counts.sum()
    return bool(mean > _CLEARLY * error > 0)


def _greedy(outputs: np.ndarray, loss: Callable[[np.ndarray], float]) -> np.ndarray:
    """Shares of the candidates, shape (M,), whose mean has the lowest loss: one more is added in
    each round, an earlier one again if that is best.
    """
    counts, total = np.zeros(len(outputs)), np.zeros(outputs.shape[1:])
    best, lowest = counts, np.inf
    for n in range(1, _ROUNDS + 1):
        found = [loss((total + output) / n) for output in outputs]
        place = int(np.argmin(found))
        counts, total = counts + np.eye(len(outputs))[place], total + outputs[place]
        if found[place] < lowest:
            best, lowest = counts, found[place]
    shares: np.ndarray = best / best.sum()
    return shares
