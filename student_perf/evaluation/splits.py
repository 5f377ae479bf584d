"""Which rows are set aside, which train and which validate: index arrays, made once per run.

Splits divide *units*, not rows: a unit is a set of rows that must stay on one side. Rows with
identical features form a unit (else a model could be scored on a row it knows), and with
`group_kfold` all rows of a group do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from student_perf.config.schema import (
    GroupKFoldSplit,
    HoldoutSplit,
    KFoldSplit,
    NestedSplit,
    RepeatedKFoldSplit,
    SplitConfig,
)
from student_perf.data.dataset import Dataset
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.errors import DataError, suggest

# Numbers are stratified by quantile bins of this many rows or more, so folds cover the same range.
_ROWS_PER_BIN = 20


@dataclass(frozen=True)
class Fold:
    """Row numbers (int64, ascending, read-only) of one training and one validation part.

    `inner` divides the training part again, for tuning that must not see the validation part.
    """

    train: np.ndarray
    validation: np.ndarray
    inner: tuple[Fold, ...] = ()

    def __post_init__(self) -> None:
        self.train.setflags(write=False)
        self.validation.setflags(write=False)


@dataclass(frozen=True)
class Split:
    """Row numbers (read-only) of the reserved test part and the folds of the rest.

    `n_repeats` says how often each development row is validated, `unit`, shape (n_rows,), which
    rows of the dataset always stay together; None: each row may go its own way.
    """

    kind: str
    test: np.ndarray
    development: np.ndarray
    folds: tuple[Fold, ...]
    n_repeats: int = 1
    unit: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.test.setflags(write=False)
        self.development.setflags(write=False)

    def fold_name(self, number: int) -> str:
        """What people call a fold: number 1 is `fold 2 of 5`."""
        return f"fold {number + 1} of {len(self.folds)}"

    @cached_property
    def test_over_train(self) -> float:
        """Mean ratio of validation to training rows; the variance of fold means depends on it."""
        return float(np.mean([len(fold.validation) / len(fold.train) for fold in self.folds]))

    @cached_property
    def sha256(self) -> str:
        """Hash of the index arrays: equal for runs that can be compared fold by fold, whether a
        model was tuned on inner folds or not.
        """
        parts = [self.test, self.development]
        for fold in self.folds:
            parts += [fold.train, fold.validation]
        return fingerprint_arrays(parts)


@dataclass(frozen=True)
class _Units:
    """What is divided: `of_row` (n,) numbers each row's unit, `strata` (n_units,) is what stays in
    proportion, and `names` says what a stratum is called in messages.
    """

    of_row: np.ndarray
    strata: np.ndarray
    noun: str
    names: tuple[str, ...] = field(default=())

    @property
    def joined(self) -> np.ndarray | None:
        """`of_row` if some unit holds several rows."""
        return self.of_row if len(self.strata) < len(self.of_row) else None

    def rows(self, units: np.ndarray) -> np.ndarray:
        """Ascending row numbers of some units."""
        chosen = np.zeros(len(self.strata), dtype=bool)
        chosen[units] = True
        return np.flatnonzero(chosen[self.of_row])


def make_split(dataset: Dataset, config: SplitConfig) -> Split:
    """Reserve the test rows, then divide the others, stratified by class or quantile bin.

    Raises:
        DataError: A class or group column has too few rows or values for every side.
    """
    units = _group_units(dataset, config.group) if isinstance(config, GroupKFoldSplit) else None
    units = units or _row_units(dataset, config.keep_duplicates_together)
    kept, test = np.arange(len(units.strata)), np.empty(0, dtype=np.int64)
    if config.test_size > 0:
        kept, test = _cut(units, kept, config.test_size, "split.test_size", config.test_seed)
    if isinstance(config, HoldoutSplit):
        share, key = config.validation_size, "split.validation_size"
        # Another stream than the test cut's, or both would make the same draw.
        sides = [_cut(units, kept, share, key, (config.random_state + 1) % 2**32)]
    else:
        assert isinstance(config, KFoldSplit)
        sides = list(_fold_sides(units, kept, config))
    folds = tuple(_fold(units, train, validation, config) for train, validation in sides)
    if isinstance(config, NestedSplit) and config.outer_fold is not None:
        outer = folds[config.outer_fold]
        return Split(config.kind, outer.validation, outer.train, outer.inner, unit=units.joined)
    n_repeats = config.n_repeats if isinstance(config, RepeatedKFoldSplit) else 1
    return Split(config.kind, units.rows(test), units.rows(kept), folds, n_repeats, units.joined)


def _row_units(dataset: Dataset, keep_duplicates_together: bool) -> _Units:
    of_row = (
        dataset.duplicate_groups
        if keep_duplicates_together
        else np.arange(dataset.n_rows, dtype=np.int64)
    )
    # Units are numbered by first appearance, so a row that starts one exceeds all before it.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of_row), prepend=-1))
    strata = _row_strata(dataset)[first]
    if dataset.task == "classification":
        names = [f"class '{label}' of '{dataset.target_name}'" for label in dataset.classes]
    else:
        n_bins = int(strata.max()) + 1
        names = [f"value range {i + 1} of '{dataset.target_name}'" for i in range(n_bins)]
    distinct = len(first) < len(of_row)
    return _Units(of_row, strata, "distinct rows" if distinct else "rows", tuple(names))


def _group_units(dataset: Dataset, column: str) -> _Units:
    table = pd.concat([dataset.features, dataset.dropped], axis=1)
    if column not in table:
        raise DataError(
            f"split.group={column}: no such column in {dataset.name}; "
            f"{suggest(column, map(str, table.columns))}"
        )
    of_row = pd.factorize(table[column], use_na_sentinel=False)[0].astype(np.int64)
    # Whole groups move, so classes cannot be kept in proportion: one stratum for all.
    return _Units(of_row, np.zeros(of_row.max() + 1, dtype=np.int64), "groups", (f"'{column}'",))


def _row_strata(dataset: Dataset) -> np.ndarray:
    """What the split keeps in proportion: the class, or the quantile bin of a number."""
    if dataset.task == "classification":
        return dataset.target
    n_bins = max(1, min(10, dataset.n_rows // _ROWS_PER_BIN))
    inner_edges = np.quantile(dataset.target, np.arange(1, n_bins) / n_bins)
    bins: np.ndarray = np.digitize(dataset.target, np.unique(inner_edges))
    return pd.factorize(bins, sort=True)[0]


def _fold(units: _Units, train: np.ndarray, validation: np.ndarray, config: SplitConfig) -> Fold:
    inner: tuple[Fold, ...] = ()
    if isinstance(config, NestedSplit):
        _check_members(units, train, config.n_inner_splits, "split.n_inner_splits")
        splitter = StratifiedKFold(
            config.n_inner_splits, shuffle=True, random_state=config.random_state
        )
        sides = splitter.split(train, units.strata[train])
        inner = tuple(Fold(units.rows(train[a]), units.rows(train[b])) for a, b in sides)
    return Fold(units.rows(train), units.rows(validation), inner)


def _fold_sides(
    units: _Units, kept: np.ndarray, config: KFoldSplit
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    _check_members(units, kept, config.n_splits, "split.n_splits")
    # The outer folds of nested cross-validation are the test rows of its sweeps.
    seed = config.test_seed if isinstance(config, NestedSplit) else config.random_state
    splitter = StratifiedKFold(config.n_splits, shuffle=True, random_state=seed)
    if isinstance(config, RepeatedKFoldSplit):
        splitter = RepeatedStratifiedKFold(
            n_splits=config.n_splits,
            n_repeats=config.n_repeats,
            random_state=config.random_state,
        )
    for train, validation in splitter.split(kept, units.strata[kept]):
        yield kept[train], kept[validation]


def _cut(
    units: _Units, kept: np.ndarray, share: float, key: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Units divided in two, the second part holding `share` of them."""
    strata, counts = np.unique(units.strata[kept], return_counts=True)
    n_cut = int(np.ceil(len(kept) * share))
    if counts.min() < 2:
        raise DataError(
            f"{key}={share}: {units.names[strata[counts.argmin()]]} has {counts.min()} "
            f"{units.noun}, a side each needs 2; merge it with another or remove it"
        )
    if min(n_cut, len(kept) - n_cut) < len(strata):
        raise DataError(
            f"{key}={share}: of {len(kept)} {units.noun} {n_cut} would be cut off, but each side "
            f"needs at least {len(strata)}; choose a share nearer to the middle"
        )
    cutter = StratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    stay, cut = next(cutter.split(kept, units.strata[kept]))
    return np.sort(kept[stay]), np.sort(kept[cut])


def _check_members(units: _Units, kept: np.ndarray, n_splits: int, key: str) -> None:
    strata, counts = np.unique(units.strata[kept], return_counts=True)
    fewest = int(counts.min())
    if fewest < n_splits:
        fix = f"use {key}={fewest}" if fewest >= 2 else "merge it with another"
        raise DataError(
            f"{key}={n_splits}: {units.names[strata[counts.argmin()]]} has {fewest} {units.noun} "
            f"outside the test part, every fold needs one; {fix}"
        )
