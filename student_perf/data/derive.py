"""Columns made of others by a named function, the same for training rows and for new ones.

>>> marks = pd.DataFrame({"G1": [8.0, 10.0], "G2": [9.0, None]})
>>> computed(marks, ["G1", "G2"], "mean").tolist()
[8.5, nan]
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd

from student_perf.errors import DataError, suggest

# Column by column, so that a row alone gives the same bits as among others.
_FUNCTIONS: dict[str, Callable[[list[pd.Series]], Any]] = {
    "mean": lambda columns: reduce(operator.add, columns) / len(columns),
    "sum": lambda columns: reduce(operator.add, columns),
    "difference": lambda columns: columns[0] - columns[1],
    "ratio": lambda columns: columns[0] / columns[1],
    "product": lambda columns: reduce(operator.mul, columns),
}
_OF_TWO = ("difference", "ratio")


def check_derivation(table: pd.DataFrame, column: Any, of: Any, by: Any, target: str) -> None:
    """Refuse a step `derive` that the table does not allow.

    Args:
        table: The table when the step's turn comes.
        column: Name of the new column.
        of: Names of the columns that it is made of.
        by: Name of the function.
        target: Name of the target, which no column may be made of.

    Raises:
        DataError: With the value, the rule and the fix.
    """
    where = f"dataset.clean: derive of '{column}'"
    if by not in _FUNCTIONS:
        raise DataError(f"{where}: no such function {by}; {suggest(str(by), _FUNCTIONS)}")
    if not isinstance(of, Sequence) or isinstance(of, str) or len(of) < 2:
        raise DataError(f"{where}: of={of}: must be a list of two or more columns")
    if by in _OF_TWO and len(of) != 2:
        raise DataError(f"{where}: a {by} takes two columns, {len(of)} are listed; name two")
    if not isinstance(column, str) or column in table:
        raise DataError(f"{where}: the table has this column already; choose another name")
    for name in of:
        if name == target:
            raise DataError(f"{where}: '{name}' is the target, which no feature may hold")
        numeric = pd.api.types.is_numeric_dtype(table[name])
        if not numeric or pd.api.types.is_bool_dtype(table[name]):
            first = next(iter(table[name].dropna()), None)
            raise DataError(
                f"{where}: '{name}' holds values like '{first}', {by} needs numbers; put "
                f"{{step: to_numeric, columns: [{name}]}} before it, or date_parts for a date"
            )


def computed(table: pd.DataFrame, of: Sequence[str], by: str) -> pd.Series:
    """The new column as float64: missing where a cell is missing or no number, where a ratio
    divides by 0, and where the result is too large for a number.
    """
    with np.errstate(all="ignore"):
        values: pd.Series = _FUNCTIONS[by]([_numbers(table[name]) for name in of])
    return values.where(np.isfinite(values))


def contradictions(given: pd.Series, values: pd.Series, of: Sequence[str], by: str) -> pd.Series:
    """For each row the rule that a given cell breaks, None where it holds what is computed, or
    nothing.
    """
    agrees = np.isclose(_numbers(given), values, rtol=1e-9, atol=1e-12) | given.isna()
    names = " and ".join(f"'{name}'" for name in of)
    rules = values.map(
        lambda value: f"is not the {by} of {names}, which is {value:g}; leave it out",
        na_action="ignore",
    ).fillna(f"is given, but {names} have no {by}; leave it out")
    return rules.astype(object).where(~agrees, None)


def _numbers(column: pd.Series) -> pd.Series:
    """A column as float64; text among the numbers of new rows becomes missing."""
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("float64")
    return column.map(lambda cell: cell if isinstance(cell, float) else np.nan).astype("float64")
