"""New rows as a model takes them: cleaned and typed as in training, and what the contract refuses.

The training rows went through the same steps in `data.dataset`. Here a wrong cell stops nothing,
since one bad row must not cost the others their prediction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from student_perf.data.cleaning import Declared, clean_features, derive_columns
from student_perf.data.columns import as_text, label_of
from student_perf.data.contract import (
    ColumnContract,
    Contract,
    Problem,
    Violation,
    find_violations,
)
from student_perf.data.dataset import trimmed_names
from student_perf.errors import DataError, suggest
from student_perf.tables.numbers import parse_numbers
from student_perf.tables.options import PLAIN, ReadOptions

_BOOLEANS = {"true": 1.0, "false": 0.0}
_LARGEST = 2.0**53  # beyond, a float64 does not hold every whole number


@dataclass(frozen=True)
class Refusal:
    """A cell that breaks the contract; `row` counts the rows of the raw table from 0."""

    row: int
    column: str
    value: str
    problem: Problem
    rule: str

    def __str__(self) -> str:
        value = "a missing value" if self.problem == "missing value" else f"'{self.value}'"
        return f"{self.column}: {value} {self.rule}"


def prepare_features(
    raw: pd.DataFrame, contract: Contract, options: ReadOptions = PLAIN
) -> tuple[pd.DataFrame, dict[int, Refusal]]:
    """Clean and type raw rows, and find those that the contract refuses.

    Text in a column of numbers becomes missing. A declared range counts; one that only describes
    the training rows does not.

    Returns:
        The contract's columns, float64 or text, rows numbered from 0; and for each refused row the
        first cell that breaks the contract, in column order, unknown categories last.

    Raises:
        DataError: A column is missing.
    """
    features, refused = prepare_cells(raw, contract, options)
    first: dict[int, Refusal] = {}
    for one in sorted(refused, key=lambda one: one.problem == "unknown category"):
        first.setdefault(one.row, one)
    return features, dict(sorted(first.items()))


def prepare_cells(
    raw: pd.DataFrame, contract: Contract, options: ReadOptions = PLAIN
) -> tuple[pd.DataFrame, list[Refusal]]:
    """As `prepare_features`, but with every cell that breaks the contract, in column order.

    `options` say how the numbers among the texts of a file are written; elsewhere, as in JSON, they
    are written as programs write them.
    """
    raw = derive_columns(trimmed_names(raw), contract.clean)
    _check_columns(raw, contract)
    kinds = {name: rules.kind for name, rules in contract.columns.items()}
    table = pd.DataFrame({name: _as_read(raw[name], kinds[name]) for name in kinds})
    numeric = [name for name, rules in contract.columns.items() if rules.kind == "numeric"]
    # As in the training file, a column of numbers has that type before it is cleaned.
    ready = {name: _numbers(table[name], contract.columns[name], options) for name in numeric}
    parsed = {name: numbers for name, (numbers, wrong) in ready.items() if not wrong.any()}
    table = clean_features(table.assign(**parsed), contract.clean, declared_by(contract))
    features, refused = {}, []
    for name, rules in contract.columns.items():
        if rules.kind == "numeric":
            features[name], wrong = _numbers(table[name], rules, options)
            rows = np.flatnonzero(wrong).tolist()
            words = ("is not a number", str(table[name].iloc[rows[0]]) if rows else "")
            refused.append(Violation(name, *words, len(rows), rows, "not a number"))
        else:
            features[name] = table[name].astype("str").where(table[name].notna())
    typed = pd.DataFrame(features)
    refused += find_violations(typed, _without_observed_ranges(contract), most_rows=None)
    return typed, _refused_cells(refused, table, contract)


def declared_by(contract: Contract) -> Declared:
    """What the training declared, and the values it has seen, for cleaning new rows."""
    seen = {name: rules.categories or [] for name, rules in contract.columns.items()}
    declared = {
        name: values for name, values in seen.items() if name in contract.declared and values
    }
    return Declared("", declared, contract.options.missing_words, seen)


def column_as_read(cells: Iterable[Any], kind: str) -> pd.Series:
    """A column of any objects as if read from a file: a column of numbers with anything else in it
    is text, true and false too.

    >>> column_as_read([1, None], "numeric").tolist()
    [1.0, nan]
    >>> column_as_read([1, True], "numeric").tolist()
    ['1', 'True']
    """
    known = [None if _is_missing(cell) else cell for cell in cells]
    if kind == "numeric" and all(map(_is_plain_number, known)):
        return pd.Series(known, dtype="float64")
    return pd.Series([None if cell is None else label_of(cell) for cell in known], dtype="str")


def _as_read(column: pd.Series, kind: str) -> pd.Series:
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if is_number and kind == "categorical":
        return as_text(column.reset_index(drop=True))
    if is_number or isinstance(column.dtype, pd.StringDtype):
        return column.reset_index(drop=True)
    return column_as_read(column, kind)


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or cell != cell


def _is_plain_number(cell: Any) -> bool:
    if cell is None:
        return True
    return isinstance(cell, (int, float)) and not isinstance(cell, bool) and abs(cell) <= _LARGEST


def _check_columns(raw: pd.DataFrame, contract: Contract) -> None:
    columns = [str(name) for name in raw.columns]
    lacking = [name for name in contract.columns if name not in columns]
    if lacking:
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise DataError(
            f"column '{lacking[0]}'{more}: the model needs it and the input lacks it; "
            f"{suggest(lacking[0], columns)} (a CSV with another separator: --separator ';')"
        )


def _numbers(
    column: pd.Series, rules: ColumnContract, options: ReadOptions
) -> tuple[pd.Series, pd.Series]:
    """A column as float64, and which of its cells hold something other than a finite number."""
    numbers = parse_numbers(column, options)
    if rules.lowest is not None and (rules.lowest, rules.highest) in ((0, 1), (0, 0), (1, 1)):
        # A training file of true and false gave a column of 1 and 0.
        words = column.astype("str").str.casefold().map(_BOOLEANS)
        numbers = numbers.fillna(words)
    numbers = numbers.where(numbers.abs() <= _LARGEST)
    return numbers, numbers.isna() & column.notna()


def _without_observed_ranges(contract: Contract) -> Contract:
    columns = {
        name: rules if name in contract.declared else replace(rules, lowest=None, highest=None)
        for name, rules in contract.columns.items()
    }
    return replace(contract, columns=columns)


def _refused_cells(
    violations: list[Violation], table: pd.DataFrame, contract: Contract
) -> list[Refusal]:
    """One refusal for each cell; text among numbers comes before the gap that it leaves."""
    order = list(contract.columns)
    cells: dict[tuple[int, str], Refusal] = {}
    for one in sorted(violations, key=lambda one: order.index(one.column)):
        values = table[one.column].iloc[one.rows].astype("str").tolist()
        for row, value in zip(one.rows, values, strict=True):
            cells.setdefault(
                (row, one.column), Refusal(row, one.column, str(value), one.problem, one.rule)
            )
    return list(cells.values())
