"""What a store gets of a dataset: a few rows that show its columns, and how much there is of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset

_SAMPLE = 100  # rows from which MLflow learns the columns, and as many incomplete ones


@dataclass(frozen=True)
class Excerpt:
    """A dataset without most of its rows, so that it travels between processes for nothing.

    Attributes:
        name: That of the dataset.
        sha256: That of all rows.
        target: Name of the target's column.
        rows: Features, with labels or numbers in the target's column: the first rows, and rows
            with missing cells.
        n_rows: Of the dataset.
        n_columns: Of the dataset, the target's among them.
    """

    name: str
    sha256: str
    target: str
    rows: pd.DataFrame
    n_rows: int
    n_columns: int

    @property
    def example(self) -> pd.DataFrame:
        """Features of the first rows, as an example of what a model takes."""
        return self.rows.drop(columns=self.target).head(3)


def excerpt_of(dataset: Dataset) -> Excerpt:
    """What a store gets of a dataset."""
    incomplete = np.flatnonzero(dataset.features.isna().any(axis=1))
    positions = np.union1d(np.arange(min(_SAMPLE, dataset.n_rows)), incomplete[:_SAMPLE])
    labels = dataset.target_labels(dataset.target[positions])
    rows = dataset.features.iloc[positions].assign(**{dataset.target_name: labels})
    n_columns = dataset.features.shape[1] + 1
    return Excerpt(
        dataset.name, dataset.sha256, dataset.target_name, rows, dataset.n_rows, n_columns
    )
