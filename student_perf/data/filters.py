"""Which rows a step `filter_rows` keeps: those whose cell lies in a range, or is a listed value.

>>> kept_rows(pd.Series([3.0, 900.0, None], name="price"), (0, 100), None).tolist()
[True, False, False]
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from student_perf.data.columns import label_of
from student_perf.errors import DataError, suggest


def kept_rows(column: pd.Series, bounds: Any, values: Any) -> pd.Series:
    """Which rows to keep, bool; a row without a value is not known to belong.

    Args:
        column: The column that decides.
        bounds: Lowest and highest number, or None.
        values: The values to keep, or None; one of the two is given.

    Raises:
        DataError: Neither or both are given, the column has other values, or no row would stay.
    """
    where = f"dataset.clean: filter_rows of '{column.name}'"
    if (bounds is None) == (values is None):
        raise DataError(f"{where}: takes either range: [lowest, highest] or values: [...]")
    if bounds is not None:
        _check_bounds(column, bounds, where)
        kept = column.between(*bounds) & column.notna()
    else:
        kept = _among(column, values, where)
    if not kept.any():
        raise DataError(f"{where}: no row {_words(bounds, values)}; widen it")
    return kept.astype(bool)


def told(column: pd.Series, kept: pd.Series, bounds: Any, values: Any) -> str:
    """One line on the rows left out, and on what the figures of the run hold for."""
    left_out, missing = int((~kept).sum()), int(column.isna().sum())
    gaps = f", {missing} of them without a value" if missing else ""
    return (
        f"'{column.name}': {left_out} of {len(column)} rows left out{gaps}; all figures hold for "
        f"rows {_words(bounds, values)}"
    )


def filtered_ranges(steps: Sequence[Any]) -> dict[str, tuple[float, float]]:
    """The numbers between which the steps leave each column that they filter by numbers."""
    ranges: dict[str, tuple[float, float]] = {}
    for column, low, high in _iter_bounds(steps):
        lowest, highest = ranges.get(column, (-math.inf, math.inf))
        ranges[column] = (max(low, lowest), min(high, highest))
    return ranges


def _iter_bounds(steps: Sequence[Any]) -> Iterator[tuple[str, float, float]]:
    for entry in steps:
        if not isinstance(entry, Mapping) or entry.get("step") != "filter_rows":
            continue
        numbers = entry.get("range") or entry.get("values") or []
        if numbers and all(_is_number(number) for number in numbers):
            yield str(entry["column"]), float(min(numbers)), float(max(numbers))


def _check_bounds(column: pd.Series, bounds: Any, where: str) -> None:
    pair = isinstance(bounds, Sequence) and len(bounds) == 2 and all(map(_is_number, bounds))
    if not pair or bounds[0] > bounds[1]:
        raise DataError(f"{where}: range={bounds}: must be two numbers, the lowest first")
    if not pd.api.types.is_numeric_dtype(column):
        first = next(iter(column.dropna()), None)
        raise DataError(
            f"{where}: holds values like '{first}', a range is for numbers; list them as "
            f"values: [...], or put {{step: to_numeric, columns: [{column.name}]}} before it"
        )


def _among(column: pd.Series, values: Any, where: str) -> pd.Series:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise DataError(f"{where}: values={values}: must be a list")
    wanted = [label_of(value) for value in values]
    known = {value: label_of(value) for value in column.dropna().unique()}
    for value in wanted:
        if value not in known.values():
            raise DataError(
                f"{where}: no row has the value '{value}'; {suggest(str(value), known.values())}"
            )
    return column.map(known).isin(wanted)


def _words(bounds: Any, values: Any) -> str:
    if bounds is not None:
        return f"from {bounds[0]:g} to {bounds[1]:g} only"
    return f"of {', '.join(map(str, values))} only"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
