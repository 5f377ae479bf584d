"""Permutation importance: what the score loses when a column's values change places."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import answers_for, predict
from student_perf.evaluation.splits import Fold, Split
from student_perf.scoring.intervals import fold_interval
from student_perf.scoring.metrics import METRICS

# Several columns go into one prediction, since a call costs more than its rows in a small table.
_ROWS_PER_CALL = 20_000
# Of a large fold these many rows are enough: an importance is read to two digits.
ROWS_PER_FOLD = 2_000  # at most


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
    of_fold: list[np.ndarray] = field(default_factory=list)

    def add_fold(self, number: int, fold: Fold, fitted: BaseEstimator) -> None:
        """Measure the columns on one fold; `fitted` takes raw features."""
        rng = np.random.default_rng([self.seed, number])
        rows = fold.validation
        if len(rows) > ROWS_PER_FOLD:
            rows = np.sort(rng.choice(rows, ROWS_PER_FOLD, replace=False))
        features, where = self.dataset.rows(rows), f"in fold {number + 1}"
        intact = self._score(rows, predict(fitted, features.copy(), self.dataset, where))
        per_call = max(1, _ROWS_PER_CALL // (len(rows) * self.n_repeats))
        columns = list(features.columns)
        permuted: list[float] = []
        for start in range(0, len(columns), per_call):
            chosen = columns[start : start + per_call]
            stacked = _permuted_copies(features, chosen, self.n_repeats, rng)
            output = predict(fitted, stacked, self.dataset, f"{where} (permuted columns)")
            blocks = np.split(output, len(chosen) * self.n_repeats)
            permuted += [self._score(rows, block) for block in blocks]
        worse = intact - np.array(permuted).reshape(len(columns), self.n_repeats)
        self.of_fold.append(METRICS[self.metric].sign * worse.mean(axis=1))

    def table(self, split: Split) -> pd.DataFrame:
        """One line a column, the most important first: `column`, `importance` (how much the metric
        gets worse, in its own unit; positive: the column helps), `std` over folds, `low`, `high`.
        """
        by_column = np.array(self.of_fold).T
        estimates = [fold_interval(values, split.test_over_train) for values in by_column]
        table = pd.DataFrame(
            {
                "column": self.dataset.features.columns.astype("str"),
                "importance": [e.mean for e in estimates],
                "std": [e.std for e in estimates],
                "low": [e.low for e in estimates],
                "high": [e.high for e in estimates],
            }
        )
        return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)

    def _score(self, rows: np.ndarray, output: np.ndarray) -> float:
        return METRICS[self.metric].of(answers_for(self.dataset, rows, output))


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
