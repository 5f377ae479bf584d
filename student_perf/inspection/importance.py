"""Permutation importance: what the score loses when a column's values change places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import answers_for, predict
from student_perf.evaluation.splits import Fold
from student_perf.scoring.influence import RowScores, mean_of, row_scores
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import by_rows

# Several columns go into one prediction, since a call costs more than its rows in a small table.
_ROWS_PER_CALL = 20_000
# As many permuted rows of a column in a fold, times the repeats, are enough: an importance is read
# to two digits, and 5,000 rows permuted once say more than 1,000 permuted five times.
_ROWS_PER_REPEAT = 1_000


@dataclass
class PermutationImportance:
    """Gathers the importance of every column while the folds are fitted (Breiman 2001, "Random
    Forests"; Fisher, Rudin and Dominici 2019).

    `add_fold` is the `on_fitted` of `evaluation.cross_validate`: it permutes the raw columns of the
    held-out rows, so everything the pipeline makes of a column counts as that column. A column
    whose content stands in another one too looks less important than the two are together.
    """

    dataset: Dataset
    metric: str
    n_repeats: int
    seed: int
    # The metric by row of each fold, and for each column with its values permuted.
    intact: list[RowScores] = field(default_factory=list)
    permuted: list[list[RowScores]] = field(default_factory=list)

    def add_fold(self, number: int, fold: Fold, fitted: BaseEstimator) -> None:
        """Measure the columns on one fold; `fitted` takes raw features."""
        rng = np.random.default_rng([self.seed, number])
        n_rows, n_repeats = share(len(fold.validation), self.n_repeats)
        rows = fold.validation
        if len(rows) > n_rows:
            rows = np.sort(rng.choice(rows, n_rows, replace=False))
        features, where = self.dataset.rows(rows), f"in fold {number + 1}"
        output = predict(fitted, features.copy(), self.dataset, where)
        self.intact.append(self._by_row(rows, output))
        per_call = max(1, _ROWS_PER_CALL // (len(rows) * n_repeats))
        columns = list(features.columns)
        permuted: list[RowScores] = []
        for start in range(0, len(columns), per_call):
            chosen = columns[start : start + per_call]
            stacked = _permuted_copies(features, chosen, n_repeats, rng)
            output = predict(fitted, stacked, self.dataset, f"{where} (permuted columns)")
            for of_column in np.split(output, len(chosen)):
                repeats = np.split(of_column, n_repeats)
                permuted.append(mean_of([self._by_row(rows, block) for block in repeats]))
        self.permuted.append(permuted)

    @property
    def of_folds(self) -> np.ndarray:
        """How much worse the metric gets without each column in each fold, shape (J, columns)."""
        intact = np.array([[one.mean] for one in self.intact])
        permuted = np.array([[one.mean for one in columns] for columns in self.permuted])
        worse: np.ndarray = METRICS[self.metric].sign * (intact - permuted)
        return worse

    def table(self) -> pd.DataFrame:
        """One line a column, the most important first: `column`, `importance` (how much the metric
        gets worse, in its own unit; positive: the column helps), `std` over folds, `low`, `high`:
        the interval of the paired difference by rows.
        """
        of_columns = [mean_of(folds) for folds in zip(*self.permuted, strict=True)]
        lost = by_rows(of_columns, mean_of(self.intact)).tested()
        sign, of_folds = METRICS[self.metric].sign, self.of_folds
        low, high = np.sort([-sign * lost.low, -sign * lost.high], axis=0)
        table = pd.DataFrame(
            {
                "column": self.dataset.features.columns.astype("str"),
                "importance": -sign * lost.mean,
                "std": of_folds.std(axis=0, ddof=1) if len(of_folds) > 1 else np.nan,
                "low": low,
                "high": high,
            }
        )
        return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)

    def _by_row(self, rows: np.ndarray, output: np.ndarray) -> RowScores:
        answers, one_fold = answers_for(self.dataset, rows, output), np.zeros(len(rows), np.int64)
        return row_scores(METRICS[self.metric], answers, rows, one_fold)


def share(n_rows: int, n_repeats: int) -> tuple[int, int]:
    """How many of the held-out rows of a fold are permuted, and how often each of them.

    >>> [share(n_rows, 5) for n_rows in (79, 1_000, 2_000, 200_000)]
    [(79, 5), (1000, 5), (2000, 2), (5000, 1)]
    """
    most = _ROWS_PER_REPEAT * n_repeats
    chosen = min(n_rows, most)
    return chosen, min(n_repeats, most // chosen)


def _permuted_copies(
    features: pd.DataFrame, columns: list[str], n_repeats: int, rng: np.random.Generator
) -> pd.DataFrame:
    """`n_repeats` copies of the rows for each of `columns` one after the other, in which that
    column, and no other, is permuted.
    """
    n_rows = len(features)
    taken = {name: np.tile(np.arange(n_rows), len(columns) * n_repeats) for name in features}
    for position, name in enumerate(columns):
        start = position * n_repeats * n_rows
        shuffled = [rng.permutation(n_rows) for _ in range(n_repeats)]
        taken[name][start : start + n_repeats * n_rows] = np.concatenate(shuffled)
    return pd.DataFrame({name: features[name].array.take(rows) for name, rows in taken.items()})
