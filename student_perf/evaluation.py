"""Cross-validation: an unfitted pipeline and a split in, every held-out prediction out.

Nothing here reads or writes files. Each fold is fitted once and predicted once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from student_perf.data.dataset import Dataset
from student_perf.metrics import Estimate, bootstrap_estimates, fold_estimate, scores
from student_perf.splits import Split


@dataclass(frozen=True)
class CVResult:
    """Held-out predictions of all folds, concatenated in fold order, and their scores.

    `row`, `fold`, `y_true` have shape (n,); `output` holds probabilities (n, K) or numbers (n,);
    `fold_scores[metric]` has shape (J,). `fit_seconds` is wall time over all folds.
    """

    task: str
    row: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    output: np.ndarray
    fold_scores: dict[str, np.ndarray]
    estimates: dict[str, Estimate]
    fit_seconds: float

    @cached_property
    def y_pred(self) -> np.ndarray:
        """Predicted class codes or numbers, shape (n,)."""
        return self.output.argmax(axis=1) if self.task == "classification" else self.output


def cross_validate(
    pipeline: BaseEstimator,
    dataset: Dataset,
    split: Split,
    seed: int = 0,
    on_fold: Callable[[int], None] | None = None,
) -> CVResult:
    """Fit a clone of `pipeline` on each fold's training rows and score its validation rows.

    `seed` drives the bootstrap that gives a single fold its interval. `on_fold` is called with the
    number of folds done.
    """
    outputs, fold_scores = [], []
    fit_seconds = 0.0
    for number, fold in enumerate(split.folds):
        started = time.perf_counter()
        fitted = clone(pipeline).fit(dataset.features.iloc[fold.train], dataset.target[fold.train])
        fit_seconds += time.perf_counter() - started
        output = predict(fitted, dataset, fold.validation)
        outputs.append(output)
        fold_scores.append(scores(dataset.task, dataset.target[fold.validation], output))
        if on_fold is not None:
            on_fold(number + 1)
    by_metric = {m: np.array([s[m] for s in fold_scores]) for m in fold_scores[0]}
    row = np.concatenate([fold.validation for fold in split.folds])
    sizes = [len(fold.validation) for fold in split.folds]
    return CVResult(
        task=dataset.task,
        row=row,
        fold=np.repeat(np.arange(len(sizes)), sizes),
        y_true=dataset.target[row],
        output=np.concatenate(outputs),
        fold_scores=by_metric,
        estimates=_estimates(dataset, split, by_metric, outputs[0], seed),
        fit_seconds=fit_seconds,
    )


def predict(fitted: BaseEstimator, dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """Probabilities (n, K) with a column for every class, or numbers (n,), of the given rows.

    A class that was absent from the training rows gets probability 0.
    """
    features: pd.DataFrame = dataset.features.iloc[rows]
    if dataset.task == "regression":
        return np.asarray(fitted.predict(features), dtype=np.float64)
    probabilities = np.zeros((len(rows), len(dataset.classes)))
    probabilities[:, fitted.classes_] = fitted.predict_proba(features)
    return probabilities


def _estimates(
    dataset: Dataset,
    split: Split,
    fold_scores: dict[str, np.ndarray],
    first_output: np.ndarray,
    seed: int,
) -> dict[str, Estimate]:
    if len(split.folds) == 1:
        y_true = dataset.target[split.folds[0].validation]
        return bootstrap_estimates(dataset.task, y_true, first_output, seed)
    ratio = float(np.mean([len(fold.validation) / len(fold.train) for fold in split.folds]))
    return {name: fold_estimate(name, values, ratio) for name, values in fold_scores.items()}
