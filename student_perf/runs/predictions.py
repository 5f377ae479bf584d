"""The held-out predictions that a run has stored, and any metric computed from them again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from student_perf.errors import DataError, one_line
from student_perf.scoring import influence
from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import METRICS

_PROBABILITY = "proba_"
OF_ROWS = ("weight", "group")  # columns that a file has if the rows have them


@dataclass(frozen=True)
class Predictions:
    """One line for each held-out prediction; `row`, `fold`, `y_true` have shape (n,), `output`
    holds probabilities (n, K) or numbers (n,), and `y_true` the codes 0..K-1 of `labels`, or
    numbers. `weights` and `groups`, shape (n,), are those of the rows, if they have some.
    """

    task: str
    row: np.ndarray
    fold: np.ndarray
    y_true: np.ndarray
    output: np.ndarray
    labels: tuple[str, ...] = ()
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None

    @cached_property
    def answers(self) -> Answers:
        """Truth and output, line by line."""
        return Answers(self.y_true, self.output, self.weights, self.groups)

    @cached_property
    def n_repeats(self) -> int:
        """How often a row was predicted."""
        return max(1, round(len(self.row) / len(np.unique(self.row))))


def load_predictions(path: Path) -> Predictions:
    """Read `predictions.parquet` as `artifacts.predictions_table` has written it.

    Raises:
        FileNotFoundError: There is none.
        DataError: It is another table, or none.
    """
    try:
        return _loaded(path)
    except (pa.ArrowException, LookupError, ValueError, TypeError) as error:
        raise DataError(
            f"{path}: is not a table of predictions ({one_line(error)[:200]}); get the run again"
        ) from error


def _loaded(path: Path) -> Predictions:
    table = pq.read_table(path)
    row, fold = (table[name].to_numpy() for name in ("row", "fold"))
    of_rows = [table[name].to_numpy() if name in table.column_names else None for name in OF_ROWS]
    names = [name for name in table.column_names if name.startswith(_PROBABILITY)]
    if not names:
        y_true, output = (table[name].to_numpy() for name in ("y_true", "y_pred"))
        return Predictions("regression", row, fold, y_true, output, (), *of_rows)
    code_of = {name.removeprefix(_PROBABILITY): code for code, name in enumerate(names)}
    y_true = np.array([code_of[label] for label in table["y_true"].to_pylist()], dtype=np.int64)
    output = np.column_stack([table[name].to_numpy() for name in names])
    return Predictions("classification", row, fold, y_true, output, tuple(code_of), *of_rows)


def row_scores(
    predictions: Predictions, metric: str, of_folds: np.ndarray | None = None
) -> RowScores:
    """Mean over the folds of a metric, and how far each row moves it; `of_folds`, shape (J,), are
    its fold scores if they are known.
    """
    of_folds = fold_scores(predictions, metric) if of_folds is None else of_folds
    mean = float(of_folds.mean())
    row, fold = predictions.row, predictions.fold
    return influence.row_scores(METRICS[metric], predictions.answers, row, fold, mean)


def fold_scores(predictions: Predictions, metric: str) -> np.ndarray:
    """A metric on each fold's predictions, shape (J,)."""
    folds = range(int(predictions.fold.max()) + 1)
    answers = predictions.answers
    return np.array([METRICS[metric].of(answers.take(predictions.fold == fold)) for fold in folds])
