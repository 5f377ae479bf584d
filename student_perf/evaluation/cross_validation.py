"""Cross-validation: an unfitted pipeline and a split in, every held-out prediction out.

Nothing here reads or writes files. Each fold is fitted once and predicted once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from student_perf.data.dataset import Dataset
from student_perf.errors import ModelError
from student_perf.evaluation.contained import contained, process_kept, seed_globals
from student_perf.evaluation.splits import Fold, Split
from student_perf.models.weights import fit_weighted
from student_perf.scoring.answers import Answers
from student_perf.scoring.checks import all_classes, checked_answer
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.intervals import Estimate, row_interval
from student_perf.scoring.metrics import METRICS

_MOST_SHOWN = 20_000
FoldInputs = Callable[[int], tuple[Any, Any]]


@dataclass(frozen=True)
class CVResult:
    """Held-out predictions of all folds, concatenated in fold order, and their scores.

    `row`, `fold`, `y_true` have shape (n,), and `weights` and `groups` if rows have some; `output`
    holds probabilities (n, K) or numbers (n,); `fold_scores[metric]` has shape (J,),
    `train_scores[metric]` too if they were asked for. `fit_seconds` is wall time over all folds.
    """

    task: str
    row: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    output: np.ndarray
    fold_scores: dict[str, np.ndarray]
    train_scores: dict[str, np.ndarray]
    fit_seconds: float
    is_ordered: bool
    test_over_train: float
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None

    @cached_property
    def answers(self) -> Answers:
        """Truth and output of all held-out rows, those of repeated folds several times."""
        return Answers(self.y_true, self.output, self.weights, self.groups)

    @cached_property
    def y_pred(self) -> np.ndarray:
        """Predicted class codes or numbers, shape (n,)."""
        return self.output.argmax(axis=1) if self.task == "classification" else self.output

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Mean over the folds and interval of each metric."""
        return {name: self.estimate(name) for name in self.fold_scores}

    def estimate(self, metric: str) -> Estimate:
        """Mean over the folds of one metric with its interval by rows."""
        if metric not in self._estimates:
            scores = self.fold_scores[metric]
            std = float(scores.std(ddof=1)) if len(scores) > 1 else math.nan
            self._estimates[metric] = row_interval(self.row_scores(metric), METRICS[metric], std)
        return self._estimates[metric]

    def row_scores(self, metric: str) -> RowScores:
        """Mean over the folds of a metric, and how far each row moves it."""
        if metric not in self._by_row:
            # The last one only, for an interval and a gain: all of a million rows take half a GB.
            self._by_row.clear()
            mean = float(self.fold_scores[metric].mean())
            found = row_scores(METRICS[metric], self.answers, self.row, self.fold, mean)
            self._by_row[metric] = found
        return self._by_row[metric]

    @cached_property
    def _estimates(self) -> dict[str, Estimate]:
        """What `estimate` has found, by metric."""
        return {}

    @cached_property
    def _by_row(self) -> dict[str, RowScores]:
        """What `row_scores` has found last, by metric."""
        return {}


def cross_validate(
    estimator: BaseEstimator,
    dataset: Dataset,
    split: Split,
    seed: int = 0,
    *,
    train_scores: bool = False,
    inputs: FoldInputs | None = None,
    on_fold: Callable[[int, dict[str, float]], None] | None = None,
    on_fitted: Callable[[int, Fold, BaseEstimator], None] | None = None,
) -> CVResult:
    """Fit a clone of `estimator` on each fold's training rows and score its validation rows.

    `estimator` is the whole pipeline, or only its last step if `inputs` gives the preprocessed
    training and validation rows of a fold by number, each time in memory of their own: a model may
    change what it gets. `train_scores` scores rows of the fit too, those of `scored_of_fit`; it is
    for a whole pipeline. `seed` is that of the fits. `on_fold` is called with the number of folds
    done and the fold's scores; what it raises ends the evaluation. `on_fitted` is called with each
    fold's number, rows and fitted estimator, which is then let go.
    """
    inputs = inputs or _raw_inputs(dataset, split)
    outputs, fold_scores, on_train = [], [], []
    fit_seconds = 0.0
    with process_kept():
        for number, fold in enumerate(split.folds):
            where = f"in {split.fold_name(number)}"
            train, validation = inputs(number)
            started = time.perf_counter()
            weights = dataset.weights_of(fold.train)
            fitted = fit(estimator, train, dataset.target[fold.train], seed, where, weights)
            fit_seconds += time.perf_counter() - started
            outputs.append(predict(fitted, validation, dataset, where))
            fold_scores.append(_scores(dataset, fold.validation, outputs[-1]))
            if train_scores:
                rows = scored_of_fit(fold.train)
                known = predict(fitted, dataset.rows(rows), dataset, f"{where} (training rows)")
                on_train.append(_scores(dataset, rows, known))
            if on_fitted is not None:
                on_fitted(number, fold, fitted)
            if on_fold is not None:
                on_fold(number + 1, fold_scores[-1])
            del train, validation, fitted  # before those of the next fold are made
    return _result(dataset, split, outputs, fold_scores, on_train, fit_seconds)


def scored_of_fit(train: np.ndarray) -> np.ndarray:
    """The training rows of a fold that are scored too: all, or a fixed sample of 20,000 of more.

    These scores decide nothing, and on so many rows a share is known to half a percent.
    """
    if len(train) <= _MOST_SHOWN:
        return train
    return np.sort(np.random.default_rng(0).choice(train, _MOST_SHOWN, replace=False))


def result_of(
    dataset: Dataset, split: Split, outputs: list[np.ndarray], fit_seconds: float
) -> CVResult:
    """Result of predictions made elsewhere: `outputs` holds those of each fold's validation rows,
    in their order.
    """
    pairs = zip(split.folds, outputs, strict=True)
    fold_scores = [_scores(dataset, fold.validation, output) for fold, output in pairs]
    return _result(dataset, split, outputs, fold_scores, [], fit_seconds)


def fit(
    estimator: BaseEstimator,
    features: Any,
    target: np.ndarray,
    seed: int,
    where: str,
    weights: np.ndarray | None = None,
) -> BaseEstimator:
    """A fitted clone of an estimator; what it draws from global random numbers follows from `seed`.

    Args:
        estimator: The unfitted estimator.
        features: Table or array of n rows, which the fit may change.
        target: Shape (n,), which the fit may change.
        seed: That of the run.
        where: The place, for messages: `in fold 2 of 5`.
        weights: Of the rows, shape (n,), if they have some; a model without them learns without.

    Raises:
        ModelError: The fit tried to end the process.
    """
    fitted = clone(estimator)
    with contained(where):
        seed_globals(seed)
        fit_weighted(fitted, features, target, weights)
    return fitted


def predict(fitted: BaseEstimator, features: Any, dataset: Dataset, where: str = "") -> np.ndarray:
    """Probabilities (n, K) with a column for every class of `dataset`, or numbers (n,).

    A class that was absent from the training rows gets probability 0. `features` may be changed,
    `where` is the place, for messages.

    Raises:
        ModelError: The answer breaks a rule of `scoring.checks`.
    """
    n_rows, n_classes = features.shape[0], len(dataset.classes)
    with contained(where):
        if not n_classes:
            return checked_answer(fitted.predict(features), n_rows, 0, where)
        if not hasattr(fitted, "predict_proba"):
            raise ModelError(
                "the model has no predict_proba, so it answers no probabilities; wrap it: "
                "model=calibrated model@model.base=NAME"
            )
        answer = fitted.predict_proba(features)
        known = all_classes(answer, getattr(fitted, "classes_", None), n_classes, where)
        return checked_answer(known, n_rows, n_classes, where)


def _raw_inputs(dataset: Dataset, split: Split) -> FoldInputs:
    def rows(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        fold = split.folds[number]
        return dataset.rows(fold.train), dataset.rows(fold.validation)

    return rows


def _result(
    dataset: Dataset,
    split: Split,
    outputs: list[np.ndarray],
    fold_scores: list[dict[str, float]],
    train_scores: list[dict[str, float]],
    fit_seconds: float,
) -> CVResult:
    row = np.concatenate([fold.validation for fold in split.folds])
    sizes = [len(fold.validation) for fold in split.folds]
    return CVResult(
        task=dataset.task,
        row=row,
        fold=np.repeat(np.arange(len(sizes)), sizes),
        y_true=dataset.target[row],
        output=np.concatenate(outputs),
        fold_scores=_by_metric(fold_scores),
        train_scores=_by_metric(train_scores),
        fit_seconds=fit_seconds,
        is_ordered=dataset.ordered,
        test_over_train=split.test_over_train,
        weights=dataset.weights_of(row),
        groups=dataset.groups_of(row),
    )


def _scores(dataset: Dataset, rows: np.ndarray, output: np.ndarray) -> dict[str, float]:
    return answers_for(dataset, rows, output).scores(dataset.ordered)


def answers_for(dataset: Dataset, rows: np.ndarray, output: np.ndarray) -> Answers:
    """A model's `output` for the rows with these numbers, with their truth, weights and groups."""
    weights, groups = dataset.weights_of(rows), dataset.groups_of(rows)
    return Answers(dataset.target[rows], output, weights, groups)


def _by_metric(of_folds: list[dict[str, float]]) -> dict[str, np.ndarray]:
    names = of_folds[0] if of_folds else ()
    return {name: np.array([one[name] for one in of_folds]) for name in names}
