"""Whether more rows would help: the score as a function of the number of training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import (
    CVResult,
    answers_for,
    fit,
    predict,
    result_of,
)
from student_perf.evaluation.splits import Split
from student_perf.scoring.metrics import METRICS

SHARES = (0.2, 0.4, 0.6, 0.8, 1.0)


def learning_curve(
    pipeline: BaseEstimator,
    dataset: Dataset,
    split: Split,
    result: CVResult,
    metric: str,
    seed: int = 0,
) -> pd.DataFrame:
    """One line for each share of the training rows: `share`, `n_train` (mean over folds), `score`
    on the validation rows with `low` and `high`, and `train_score` on the rows of the fit.

    Smaller parts lie inside larger ones and hold every class in proportion. The last line is
    `result` itself, the cross-validation on all training rows with its train scores.
    """
    lines = []
    orders = [_nested_order(dataset, fold.train, seed + i) for i, fold in enumerate(split.folds)]
    for share in SHARES:
        parts = [order[: round(share * len(order))] for order in orders]
        if share == 1:
            held_out, on_train = result, result.train_scores[metric]
        else:
            held_out, on_train = _fitted_on_parts(pipeline, dataset, split, parts, metric, seed)
        n_train = float(np.mean([len(part) for part in parts]))
        estimate = held_out.estimate(metric)
        lines.append(
            {
                "share": share,
                "n_train": n_train,
                "score": estimate.mean,
                "low": estimate.low,
                "high": estimate.high,
                "train_score": float(on_train.mean()),
            }
        )
    return pd.DataFrame(lines)


def _fitted_on_parts(
    pipeline: BaseEstimator,
    dataset: Dataset,
    split: Split,
    parts: list[np.ndarray],
    metric: str,
    seed: int,
) -> tuple[CVResult, np.ndarray]:
    """Cross-validation with fits on a part each, and scores on these parts, shape (J,)."""
    held_out, on_train = [], []
    for number, (fold, part) in enumerate(zip(split.folds, parts, strict=True)):
        where = f"in {split.fold_name(number)} (learning curve)"
        weights = dataset.weights_of(part)
        fitted = fit(pipeline, dataset.rows(part), dataset.target[part], seed, where, weights)
        held_out.append(predict(fitted, dataset.rows(fold.validation), dataset, where))
        known = predict(fitted, dataset.rows(part), dataset, where)
        on_train.append(METRICS[metric].of(answers_for(dataset, part, known)))
    return result_of(dataset, split, held_out, 0.0), np.array(on_train)


def _nested_order(dataset: Dataset, rows: np.ndarray, seed: int) -> np.ndarray:
    """`rows` in an order of which every beginning holds the classes in proportion, and each once
    at least.
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    if dataset.task == "regression":
        return shuffled
    codes = pd.Series(dataset.target[shuffled])
    in_class = codes.groupby(codes)
    place = in_class.cumcount() / in_class.transform("size")
    return shuffled[np.argsort(place.to_numpy(), kind="stable")]
