"""Which rows are set aside, which train and which validate: index arrays, made once per run.

Drawn splits divide *units*, not rows: a unit is a set of rows that must stay on one side. Rows with
identical features form a unit (else a model could be scored on a row it knows), and in splits by
group all rows of a group do. Splits by time or by a column of the data take the sides from there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from student_perf.config.schema import (
    ColumnSplit,
    HoldoutSplit,
    KFoldSplit,
    NestedSplit,
    RepeatedKFoldSplit,
    SplitConfig,
    TemporalSplit,
)
from student_perf.data.dataset import Dataset
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.evaluation.given_sides import GivenSides, sides_by_column, sides_by_time
from student_perf.evaluation.units import Units, units_of


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

    A row that is validated at all is validated `n_repeats` times. With one training part, or parts
    that grow with time, some development rows never are.
    """

    kind: str
    test: np.ndarray
    development: np.ndarray
    folds: tuple[Fold, ...]
    n_repeats: int = 1

    def __post_init__(self) -> None:
        self.test.setflags(write=False)
        self.development.setflags(write=False)

    def fold_name(self, number: int) -> str:
        """What people call a fold: number 1 is `fold 2 of 5`."""
        return f"fold {number + 1} of {len(self.folds)}"

    @cached_property
    def n_validated(self) -> int:
        """Number of development rows that some fold validates."""
        return len(self.validated)

    @cached_property
    def validated(self) -> np.ndarray:
        """Numbers of these rows, ascending."""
        return np.unique(np.concatenate([fold.validation for fold in self.folds]))

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


def make_split(dataset: Dataset, config: SplitConfig) -> Split:
    """Reserve the test rows, then divide the others: drawn by a seed, stratified by class, quantile
    bin or another column, or as time or a column of the data say.

    Raises:
        DataError: A class, group or time has too few rows or values for every side, or a column
            that the config names does not exist or serve.
    """
    if isinstance(config, TemporalSplit):
        return _given(sides_by_time(dataset, config), config)
    if isinstance(config, ColumnSplit):
        return _given(sides_by_column(dataset, config), config)
    units = units_of(dataset, config)
    kept, test = np.arange(len(units.strata)), np.empty(0, dtype=np.int64)
    if config.test_size > 0:
        kept, test = units.cut(kept, config.test_size, "split.test_size", config.test_seed)
    folds = tuple(_drawn_folds(units, kept, config))
    if isinstance(config, NestedSplit) and config.outer_fold is not None:
        outer = folds[config.outer_fold]
        return Split(config.kind, outer.validation, outer.train, outer.inner)
    n_repeats = config.n_repeats if isinstance(config, RepeatedKFoldSplit) else 1
    return Split(config.kind, units.rows(test), units.rows(kept), folds, n_repeats)


def _given(sides: GivenSides, config: SplitConfig) -> Split:
    folds = tuple(Fold(train, validation) for train, validation in sides.folds)
    return Split(config.kind, sides.test, sides.development, folds)


def _drawn_folds(units: Units, kept: np.ndarray, config: SplitConfig) -> Iterator[Fold]:
    if isinstance(config, HoldoutSplit):
        share, key = config.validation_size, "split.validation_size"
        # Another stream than the test cut's, or both would make the same draw.
        train, validation = units.cut(kept, share, key, (config.random_state + 1) % 2**32)
        yield Fold(units.rows(train), units.rows(validation))
        return
    assert isinstance(config, KFoldSplit)
    # The outer folds of nested cross-validation are the test rows of its sweeps.
    seed = config.test_seed if isinstance(config, NestedSplit) else config.random_state
    n_repeats = config.n_repeats if isinstance(config, RepeatedKFoldSplit) else 1
    for train, validation in units.folds(kept, config.n_splits, "split.n_splits", seed, n_repeats):
        inner = _inner_folds(units, train, config) if isinstance(config, NestedSplit) else ()
        yield Fold(units.rows(train), units.rows(validation), inner)


def _inner_folds(units: Units, train: np.ndarray, config: NestedSplit) -> tuple[Fold, ...]:
    key = "split.n_inner_splits"
    sides = units.folds(train, config.n_inner_splits, key, config.random_state)
    return tuple(Fold(units.rows(a), units.rows(b)) for a, b in sides)
