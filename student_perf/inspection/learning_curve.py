"""Whether more rows would help: the score as a function of the number of training rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult, answers_for, fit, predict
from student_perf.evaluation.splits import Split
from student_perf.scoring.intervals import fold_interval
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
            held_out, on_train = result.fold_scores[metric], result.train_scores[metric]
        else:
            held_out, on_train = _scores_of_parts(pipeline, dataset, split, parts, metric, seed)
        n_train = float(np.mean([len(part) for part in parts]))
        pairs = zip(split.folds, parts, strict=True)
        ratio = float(np.mean([len(fold.validation) / len(part) for fold, part in pairs]))
        estimate = fold_interval(held_out, ratio, METRICS[metric])
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


def _scores_of_parts(
    pipeline: BaseEstimator,
    dataset: Dataset,
    split: Split,
    parts: list[np.ndarray],
    metric: str,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores on validation and on training rows, each of shape (J,), fitted on a part each."""
    measured = []
    for number, (fold, part) in enumerate(zip(split.folds, parts, strict=True)):
        where = f"in {split.fold_name(number)} (learning curve)"
        weights = dataset.weights_of(part)
        fitted = fit(pipeline, dataset.rows(part), dataset.target[part], seed, where, weights)
        for rows in (fold.validation, part):
            output = predict(fitted, dataset.rows(rows), dataset, where)
            measured.append(METRICS[metric].of(answers_for(dataset, rows, output)))
    return np.array(measured[::2]), np.array(measured[1::2])


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
