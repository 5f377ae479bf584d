"""Dates: noticed, and turned into numbers by a declared step, never into one category a day."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from student_perf.errors import DataError, suggest

_YEAR_FIRST = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
_YEAR_LAST = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(rf"\s*(?:{_YEAR_FIRST}|{_YEAR_LAST}){_TIME}\s*")
_FIRST_ROWS = 1000
_SAY_WHICH = "add day_first: true or false"
PARTS = ("year", "month", "weekday", "days")


def looks_like_dates(column: pd.Series) -> bool:
    """Whether every cell of text is a date, written year first or year last."""
    known = column.dropna()
    if not len(known) or not all(map(_is_date, known.iloc[:_FIRST_ROWS])):
        return False
    return all(map(_is_date, known.unique()))


def date_advice(name: str, value: Any) -> str:
    """The line that says what to type for a column of dates."""
    return (
        f"column '{name}': '{value}' is a date, not a category; take numbers from it: "
        f"'dataset.clean=[normalise_text,{{step: date_parts, column: {name}, "
        f"parts: [year,month]}}]' ({', '.join(PARTS)}), or leave it out: 'dataset.drop=[{name}]'"
    )


def times_of(column: pd.Series, declared: Sequence[str] | None = None) -> np.ndarray:
    """When each row of `dataset.time` arose, as numbers that grow with time, shape (n,): numbers,
    dates (seconds), text that starts with a year, or the place among `declared` values.

    Raises:
        DataError: A row has no time, or the text has no order.
    """
    key = f"dataset.time={column.name}"
    if column.isna().any():
        raise DataError(
            f"{key}: {column.isna().sum()} of {len(column)} rows have no value (first: row "
            f"{column.isna().argmax()}); every row needs a time, remove these rows"
        )
    if declared:
        place = {value: number for number, value in enumerate(declared)}
        return np.array([place[value] for value in column], dtype=np.float64)
    if pd.api.types.is_numeric_dtype(column):
        numbers: np.ndarray = column.to_numpy(dtype=np.float64)
        return numbers
    if pd.api.types.is_datetime64_any_dtype(column) or looks_like_dates(column):
        days = _parsed(column, None, key, "write the dates year first")
        since = (days - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
        seconds: np.ndarray = since.to_numpy(dtype=np.float64) + _seconds(column)
        return seconds
    texts = column.astype("str").str.strip()
    if not texts.str.match(r"\d{4}(?!\d)").all():
        word = texts[~texts.str.match(r"\d{4}(?!\d)")].iloc[0]
        raise DataError(
            f"{key}: '{word}' is neither a number nor a date and does not start with a year; list "
            f"the values in order: '+dataset.categories.{column.name}=[first,...,last]'"
        )
    return pd.factorize(texts, sort=True)[0].astype(np.float64)


def _seconds(column: pd.Series) -> np.ndarray:
    """Seconds since midnight that text shows after its date, shape (n,)."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return np.zeros(len(column))  # its dates hold them already
    clock = column.str.extract(r"[ T](\d{1,2}):(\d{2})(?::(\d{2}))?").astype("float64").fillna(0)
    seconds: np.ndarray = clock.to_numpy() @ np.array([3600.0, 60.0, 1.0])
    return seconds


def date_columns(
    column: pd.Series, parts: Sequence[str], day_first: bool | None, since: str
) -> dict[str, pd.Series]:
    """Numbers of a column of dates, by the name of their new column.

    Args:
        column: Dates, or text of dates.
        parts: Among year, month (1 to 12), weekday (Monday is 0) and days since `since`.
        day_first: Whether 03/04/2024 is in April; None where the dates show it.
        since: The day from which days count.

    Raises:
        DataError: A part is unknown, a cell holds no date, or day and month may be swapped.
    """
    for part in parts:
        if part not in PARTS:
            raise DataError(f"dataset.clean: date_parts has no part {part}; {suggest(part, PARTS)}")
    dates = _parsed(column, day_first, f"dataset.clean: date_parts of '{column.name}'", _SAY_WHICH)
    numbers = {
        "year": dates.dt.year,
        "month": dates.dt.month,
        "weekday": dates.dt.day_of_week,
        "days": (dates.dt.normalize() - pd.Timestamp(since)).dt.days,
    }
    return {f"{column.name}_{part}": numbers[part].astype("float64") for part in parts}


def _parsed(column: pd.Series, day_first: bool | None, where: str, fix: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        dates: pd.Series = column.dt.tz_localize(None)
        return dates
    texts = column.astype("str").where(column.notna())
    wrong = texts[texts.notna() & ~texts.fillna("").map(_is_date)]
    if len(wrong):
        raise DataError(
            f"{where} meets '{wrong.iloc[0]}' ({len(wrong)} rows); map it to null first"
        )
    days = texts.str.extract(r"^\s*(\d{1,4})[-/.](\d{1,2})[-/.](\d{1,4})").astype("float64")
    year_first = bool((days[0].dropna() > 31).all())
    if year_first:
        return _date(days[0], days[1], days[2], column, where)
    if day_first is None:
        first, second = days[0].max() > 12, days[1].max() > 12
        if first == second:
            raise DataError(
                f"{where}: day and month of '{texts.dropna().iloc[0]}' may be swapped; {fix}"
            )
        day_first = bool(first)
    day, month = (days[0], days[1]) if day_first else (days[1], days[0])
    return _date(days[2], month, day, column, where)


def _date(
    year: pd.Series, month: pd.Series, day: pd.Series, column: pd.Series, where: str
) -> pd.Series:
    parts = pd.DataFrame({"year": year, "month": month, "day": day})
    dates = pd.to_datetime(parts, errors="coerce")
    if len(wrong := column[dates.isna() & column.notna()]):
        raise DataError(
            f"{where}: '{wrong.iloc[0]}' does not exist; map it to null first, or change day_first"
        )
    return dates


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and _DATE.fullmatch(value) is not None
