"""Which rows are set aside, which train and which validate: index arrays, made once per run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.model_selection import (
    BaseCrossValidator,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from student_perf.config import HoldoutSplit, KFoldSplit, RepeatedKFoldSplit, SplitConfig
from student_perf.data.dataset import Dataset
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.errors import DataError

# Numbers are stratified by quantile bins of this many rows or more, so folds cover the same range.
_ROWS_PER_BIN = 20


@dataclass(frozen=True)
class Fold:
    """Row numbers (int64, ascending) of one training and one validation part."""

    train: np.ndarray
    validation: np.ndarray


@dataclass(frozen=True)
class Split:
    """Row numbers of the reserved test part and the folds of the rest.

    `n_repeats` says how often each development row is validated.
    """

    kind: str
    test: np.ndarray
    development: np.ndarray
    folds: tuple[Fold, ...]
    n_repeats: int = 1

    @cached_property
    def sha256(self) -> str:
        """Hash of all index arrays: equal for runs that can be compared fold by fold."""
        parts = [self.test, self.development]
        for fold in self.folds:
            parts += [fold.train, fold.validation]
        return fingerprint_arrays(parts)


def make_split(dataset: Dataset, config: SplitConfig) -> Split:
    """Reserve the test rows, then divide the others, both stratified by class or quantile bin.

    Raises DataError where a class has too few rows to stand on every side.
    """
    strata = _strata(dataset)
    rows = np.arange(dataset.n_rows)
    test = np.empty(0, dtype=np.int64)
    if config.test_size > 0:
        _check_sides(dataset, rows, strata, "split.test_size", config.test_size)
        rows, test = _cut(rows, strata, config.test_size, config.random_state)
    if isinstance(config, HoldoutSplit):
        share = config.validation_size
        _check_sides(dataset, rows, strata, "split.validation_size", share)
        # Another stream than the test cut's, or both would make the same draw.
        single = Fold(*_cut(rows, strata, share, config.random_state + 1))
        return Split(config.kind, test, rows, (single,))
    assert isinstance(config, KFoldSplit)
    _check_members(dataset, rows, strata, config.n_splits)
    splitter, repeats = _splitter(config)
    folds = tuple(
        Fold(rows[train], rows[validation])
        for train, validation in splitter.split(rows, strata[rows])
    )
    return Split(config.kind, test, rows, folds, repeats)


def _splitter(config: KFoldSplit) -> tuple[BaseCrossValidator, int]:
    if isinstance(config, RepeatedKFoldSplit):
        splitter = RepeatedStratifiedKFold(
            n_splits=config.n_splits,
            n_repeats=config.n_repeats,
            random_state=config.random_state,
        )
        return splitter, config.n_repeats
    return StratifiedKFold(config.n_splits, shuffle=True, random_state=config.random_state), 1


def _strata(dataset: Dataset) -> np.ndarray:
    """What the split keeps in proportion: the class, or the quantile bin of a number."""
    if dataset.task == "classification":
        return dataset.target
    n_bins = max(1, min(10, dataset.n_rows // _ROWS_PER_BIN))
    inner_edges = np.quantile(dataset.target, np.arange(1, n_bins) / n_bins)
    bins: np.ndarray = np.digitize(dataset.target, np.unique(inner_edges))
    return bins


def _cut(
    rows: np.ndarray, strata: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows divided in two, the second part holding `share` of them; each ascending."""
    cutter = StratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed % 2**32)
    kept, cut = next(cutter.split(rows, strata[rows]))
    return np.sort(rows[kept]), np.sort(rows[cut])


def _check_sides(
    dataset: Dataset, rows: np.ndarray, strata: np.ndarray, key: str, share: float
) -> None:
    """Both sides of a cut must be able to hold every stratum."""
    names, counts = np.unique(strata[rows], return_counts=True)
    n_cut = int(np.ceil(len(rows) * share))
    if counts.min() < 2:
        name = _stratum_name(dataset, names[counts.argmin()])
        raise DataError(
            f"{key}={share}: {name} has {counts.min()} row, a side each needs 2; "
            "merge it with another class or remove it"
        )
    if min(n_cut, len(rows) - n_cut) < len(names):
        raise DataError(
            f"{key}={share}: of {len(rows)} rows {n_cut} would be cut off, but each side needs at "
            f"least {len(names)} to hold every class; choose a share nearer to the middle"
        )


def _check_members(dataset: Dataset, rows: np.ndarray, strata: np.ndarray, n_splits: int) -> None:
    names, counts = np.unique(strata[rows], return_counts=True)
    fewest = int(counts.min())
    if fewest < n_splits:
        name = _stratum_name(dataset, names[counts.argmin()])
        fix = f"use split.n_splits={fewest}" if fewest >= 2 else "merge it with another class"
        raise DataError(
            f"split.n_splits={n_splits}: {name} has {fewest} rows outside the test part, "
            f"every fold needs one; {fix}"
        )


def _stratum_name(dataset: Dataset, stratum: int) -> str:
    if dataset.task == "classification":
        return f"class '{dataset.classes[stratum]}' of '{dataset.target_name}'"
    return f"value range {stratum + 1} of '{dataset.target_name}'"
