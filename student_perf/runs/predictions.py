"""The held-out predictions that a run has stored, and any metric computed from them again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from student_perf.scoring.metric import METRICS
from student_perf.scoring.scores import scores

_PROBABILITY = "proba_"


@dataclass(frozen=True)
class Predictions:
    """One line for each held-out prediction; `row`, `fold`, `y_true` have shape (n,), `output`
    holds probabilities (n, K) or numbers (n,), and `y_true` the codes 0..K-1 of `labels`, or
    numbers.
    """

    task: str
    row: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    output: np.ndarray
    labels: tuple[str, ...] = ()


def load_predictions(path: Path) -> Predictions:
    """Read `predictions.parquet` as `artifacts.predictions_table` has written it."""
    table = pq.read_table(path)
    row, fold = (table[name].to_numpy() for name in ("row", "fold"))
    names = [name for name in table.column_names if name.startswith(_PROBABILITY)]
    if not names:
        y_true, output = (table[name].to_numpy() for name in ("y_true", "y_pred"))
        return Predictions("regression", row, fold, y_true, output)
    code_of = {name.removeprefix(_PROBABILITY): code for code, name in enumerate(names)}
    y_true = np.array([code_of[label] for label in table["y_true"].to_pylist()], dtype=np.int64)
    output = np.column_stack([table[name].to_numpy() for name in names])
    return Predictions("classification", row, fold, y_true, output, tuple(code_of))


def fold_scores(predictions: Predictions, metric: str) -> np.ndarray:
    """A metric on each fold's predictions, shape (J,)."""
    ordered = METRICS[metric].ordered
    found = []
    for number in range(int(predictions.fold.max()) + 1):
        mine = predictions.fold == number
        y_true, output = predictions.y_true[mine], predictions.output[mine]
        found.append(scores(predictions.task, y_true, output, ordered)[metric])
    return np.array(found)
