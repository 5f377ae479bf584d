"""What a drawn split divides: units of rows that stay together, rows of equal features or groups.

Both kinds answer the same three questions: which rows some units are (`rows`), which units are set
aside (`cut`), and which folds the others form (`folds`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
)

from student_perf.config.schema import GroupKFoldSplit, NestedSplit, SplitConfig
from student_perf.data.dataset import Dataset, groups_of
from student_perf.errors import DataError
from student_perf.evaluation.group_folds import group_cut, group_folds
from student_perf.text import plural

# Numbers are stratified by quantile bins of this many rows or more, so folds cover the same range.
_ROWS_PER_BIN = 20
_MOST_VALUES = 20  # numbers of a column with more different values are a quantity
_AS_A_NUMBER = ", or predict the target as a number: dataset.task=regression"

Sides = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Strata:
    """What stays in proportion: the code of each row, shape (n,), what messages call it, and what
    else they advise where some have too few rows.
    """

    of_row: np.ndarray
    names: tuple[str, ...]
    advice: str = ""


@dataclass(frozen=True)
class Units:
    """Units each of one stratum: `of_row` (n,) numbers each row's unit, `strata` (n_units,) is what
    stays in proportion. In messages one unit is a `noun`, `names` says what a stratum is called,
    and `advice` what else to do about one of too few units.
    """

    of_row: np.ndarray
    strata: np.ndarray
    noun: str
    names: tuple[str, ...]
    advice: str

    def rows(self, units: np.ndarray) -> np.ndarray:
        """Ascending row numbers of some units."""
        chosen = np.zeros(len(self.strata), dtype=bool)
        chosen[units] = True
        return np.flatnonzero(chosen[self.of_row])

    def folds(
        self, kept: np.ndarray, n_splits: int, key: str, seed: int, n_repeats: int = 1
    ) -> Iterator[Sides]:
        """Training and validation units of each fold of the units `kept`.

        Raises:
            DataError: A stratum has fewer units than there are folds, which `key` names.
        """
        self._check_members(kept, n_splits, key)
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
        if n_repeats > 1:
            splitter = RepeatedStratifiedKFold(
                n_splits=n_splits, n_repeats=n_repeats, random_state=seed
            )
        for train, validation in splitter.split(kept, self.strata[kept]):
            yield kept[train], kept[validation]

    def cut(self, kept: np.ndarray, share: float, key: str, seed: int) -> Sides:
        """Units divided in two, the second part holding `share` of them.

        Raises:
            DataError: A side would lack a stratum.
        """
        strata, counts = np.unique(self.strata[kept], return_counts=True)
        n_cut = int(np.ceil(len(kept) * share))
        if counts.min() < 2:
            raise DataError(
                f"{key}={share}: {self.names[strata[counts.argmin()]]} has "
                f"{plural(int(counts.min()), self.noun)}, and each of two sides needs one; merge "
                f"it with another or remove it{self.advice}"
            )
        if min(n_cut, len(kept) - n_cut) < len(strata):
            raise DataError(
                f"{key}={share}: of {plural(len(kept), self.noun)} {n_cut} would be cut off, but "
                f"each side needs at least {len(strata)}; choose a share nearer to the middle"
            )
        cutter = StratifiedShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        stay, cut = next(cutter.split(kept, self.strata[kept]))
        return np.sort(kept[stay]), np.sort(kept[cut])

    def _check_members(self, kept: np.ndarray, n_splits: int, key: str) -> None:
        strata, counts = np.unique(self.strata[kept], return_counts=True)
        fewest = int(counts.min())
        if fewest < n_splits:
            fix = f"use {key}={fewest}" if fewest >= 2 else "merge it with another"
            raise DataError(
                f"{key}={n_splits}: {self.names[strata[counts.argmin()]]} has "
                f"{plural(fewest, self.noun)} outside the test part, every fold needs one; {fix}"
                f"{self.advice}"
            )


@dataclass(frozen=True)
class MixedUnits(Units):
    """Groups whose rows are of several strata: `row_strata`, shape (n,)."""

    row_strata: np.ndarray

    def folds(
        self, kept: np.ndarray, n_splits: int, key: str, seed: int, n_repeats: int = 1
    ) -> Iterator[Sides]:
        """As `Units.folds`; the strata are as nearly in proportion as groups allow."""
        assert n_repeats == 1
        self._check_members(kept, n_splits, key)
        of_unit = group_folds(self._counts(kept), n_splits, seed)
        for number in range(n_splits):
            yield kept[of_unit != number], kept[of_unit == number]

    def cut(self, kept: np.ndarray, share: float, key: str, seed: int) -> Sides:
        """As `Units.cut`; the strata are as nearly in proportion as groups allow."""
        n_cut = int(np.ceil(len(kept) * share))
        if len(kept) - n_cut < 1:
            raise DataError(
                f"{key}={share}: {self.names[0]} has {plural(len(kept), self.noun)}, each side "
                "needs one; "
                "choose a smaller share"
            )
        is_cut = group_cut(self._counts(kept), n_cut, seed)
        return kept[~is_cut], kept[is_cut]

    def _counts(self, kept: np.ndarray) -> np.ndarray:
        """Rows of each stratum in each of some units, shape (len(kept), n_strata)."""
        counts = np.zeros((len(self.strata), int(self.row_strata.max()) + 1), dtype=np.int64)
        np.add.at(counts, (self.of_row, self.row_strata), 1)
        chosen: np.ndarray = counts[kept]
        return chosen


def units_of(dataset: Dataset, config: SplitConfig) -> Units:
    """What the split divides. Raises DataError for a column that does not exist or has gaps."""
    strata = strata_of(dataset, config.stratify_by)
    if isinstance(config, (GroupKFoldSplit, NestedSplit)) and config.group is not None:
        return _groups(dataset, config.group, strata, in_proportion=config.kind != "group_kfold")
    of_row = (
        dataset.duplicate_groups
        if config.keep_duplicates_together
        else np.arange(dataset.n_rows, dtype=np.int64)
    )
    # Units are numbered by first appearance, so a row that starts one exceeds all before it.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(of_row), prepend=-1))
    noun = "distinct row" if len(first) < len(of_row) else "row"
    return Units(of_row, strata.of_row[first], noun, strata.names, strata.advice)


def _groups(dataset: Dataset, column: str, strata: Strata, in_proportion: bool) -> Units:
    of_row = groups_of(dataset.column(column, "split.group"), "split.group")
    # Whole groups move, so counts of groups are those of one stratum.
    of_unit = np.zeros(of_row.max() + 1, dtype=np.int64)
    plain = Units(of_row, of_unit, "group", (f"'{column}'",), "")
    return MixedUnits(**vars(plain), row_strata=strata.of_row) if in_proportion else plain


def strata_of(dataset: Dataset, column: str | None) -> Strata:
    """What a split keeps in proportion: the target, or another column; numbers by quantile bins.

    Raises:
        DataError: There is no such column.
    """
    if column is not None:
        return _column_strata(dataset.column(column, "split.stratify_by"))
    name = dataset.target_name
    if dataset.task == "classification":
        codes, classes = dataset.target, dataset.classes
        # What is measured, or how somebody lists classes without an order, draws no other rows.
        if dataset.is_listed:
            order = sorted(range(len(classes)), key=lambda code: str(classes[code]))
            codes, classes = np.argsort(order)[codes], tuple(classes[code] for code in order)
        elif dataset.is_turned:
            codes, classes = 1 - codes, classes[::-1]
        names = tuple(f"class '{x}' of '{name}'" for x in classes)
        are_numbers = len(classes) > 2 and all(isinstance(label, int) for label in classes)
        return Strata(codes, names, _AS_A_NUMBER if are_numbers else "")
    codes = _bins(dataset.target)
    return Strata(codes, _names_of_bins(codes, name))


def _column_strata(column: pd.Series) -> Strata:
    is_number = pd.api.types.is_numeric_dtype(column)
    if is_number and column.nunique() > _MOST_VALUES:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(numbers)
        codes = np.full(len(numbers), -1)
        codes[known] = _bins(numbers[known])
        names = _names_of_bins(codes[known], str(column.name))
    else:
        codes, values = pd.factorize(column, sort=True)
        shown = [f"{v:g}" if is_number else str(v) for v in values]
        names = tuple(f"'{value}' of '{column.name}'" for value in shown)
    if (codes < 0).any():
        codes, names = np.where(codes < 0, len(names), codes), (*names, f"missing '{column.name}'")
    return Strata(codes.astype(np.int64), names)


def _bins(numbers: np.ndarray) -> np.ndarray:
    n_bins = max(1, min(10, len(numbers) // _ROWS_PER_BIN))
    inner_edges = np.quantile(numbers, np.arange(1, n_bins) / n_bins)
    bins: np.ndarray = np.digitize(numbers, np.unique(inner_edges))
    return pd.factorize(bins, sort=True)[0]


def _names_of_bins(codes: np.ndarray, name: str) -> tuple[str, ...]:
    return tuple(f"value range {i + 1} of '{name}'" for i in range(int(codes.max()) + 1))
