"""The frozen dataset every later step works on: features without the target, and the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from student_perf.config import DatasetConfig
from student_perf.data.fingerprint import fingerprint_table
from student_perf.data.sources import read_table
from student_perf.data.target import encode_target
from student_perf.errors import DataError, suggest


@dataclass(frozen=True)
class Dataset:
    """Rows ready for an experiment.

    `features` holds float64 columns for numbers and `str` columns for categories, missing values as
    NaN; its index numbers the rows 0..n-1. `target` holds class codes 0..K-1 in the order of
    `classes` (int64), or the numbers to predict (float64, then `classes` is empty).
    """

    name: str
    version: str
    task: str
    target_name: str
    features: pd.DataFrame
    target: np.ndarray
    classes: tuple[str | int, ...]
    sha256: str

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    @property
    def numeric(self) -> list[str]:
        """Names of the numeric feature columns."""
        return [str(c) for c in self.features if self.features[c].dtype == np.float64]

    @property
    def categorical(self) -> list[str]:
        """Names of the categorical feature columns."""
        return [str(c) for c in self.features if self.features[c].dtype != np.float64]

    @property
    def n_missing(self) -> int:
        """Number of missing feature cells."""
        return int(self.features.isna().to_numpy().sum())

    def target_labels(self, codes: np.ndarray) -> np.ndarray:
        """Class codes as their labels; numbers stay as they are."""
        return np.asarray(self.classes, dtype=object)[codes] if self.classes else codes


def load_dataset(config: DatasetConfig) -> Dataset:
    """Read the rows that `config` names. Raises DataError with the value, the rule and the fix."""
    table = read_table(config)
    _check_table(table, config)
    target, classes = encode_target(table[config.target], config)
    features = pd.DataFrame(
        {
            name: _feature(table[name])
            for name in table.columns
            if name != config.target and name not in config.drop
        }
    )
    if features.shape[1] == 0:
        raise DataError(
            f"dataset.drop={config.drop}: leaves no feature column; keep at least one of "
            f"{', '.join(name for name in table.columns if name != config.target)}"
        )
    return Dataset(
        name=config.name,
        version=config.version,
        task=config.task,
        target_name=config.target,
        features=features,
        target=target,
        classes=classes,
        sha256=fingerprint_table(features.assign(**{config.target: table[config.target]})),
    )


def _check_table(table: pd.DataFrame, config: DatasetConfig) -> None:
    if table.empty:
        raise DataError(
            f"dataset={config.name}: the table has {table.shape[0]} rows and {table.shape[1]} "
            "columns; an experiment needs both, check the file and dataset.separator"
        )
    columns = [str(name) for name in table.columns]
    for key, names in (("dataset.target", [config.target]), ("dataset.drop", config.drop)):
        for name in names:
            if name not in columns:
                raise DataError(
                    f"{key}={name}: no such column in {config.name}; {suggest(name, columns)}"
                )


def _feature(column: pd.Series) -> pd.Series:
    """Numbers and booleans as float64, everything else as text with NaN where it is missing."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        numbers = column.astype("float64")
        infinite = np.flatnonzero(np.isinf(numbers.to_numpy()))
        if len(infinite):
            raise DataError(
                f"column '{column.name}': holds an infinite value in {len(infinite)} rows "
                f"(first: row {infinite[0]}); replace it or add the column to dataset.drop"
            )
        return numbers
    return column.astype("str")
