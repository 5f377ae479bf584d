"""Dates and times: noticed, and turned into numbers by a declared step, never into one category a
day.

A cell is read by its own form. Only the order of day and month is one decision for the column, made
in training and kept with the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.overrides import declaration, literal, setting, shell_word
from student_perf.errors import DataError, suggest
from student_perf.text import plural

PARTS = ("year", "month", "weekday", "days", "hour")
_MONTHS = (
    "january february march april may june july august september october november december",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
)
_SHORTEST_MONTH = 3  # letters of a month's abbreviation
_CLOCK = (
    r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2}(?:\.\d+)?))?(?:\s*(?P<half>[ap])\.?\s?m\.?)?"
)
_TIME = rf"(?:(?:T|,?\s+){_CLOCK}\s*(?P<zone>Z|UTC|[+-]\d{{2}}:?\d{{2}})?)?"
_WORD = r"(?P<word>[^\W\d_]{3,})\.?"
_FORMS = tuple(
    re.compile(rf"\s*{form}\s*", re.IGNORECASE)
    for form in (
        rf"(?P<y>\d{{4}})[-/.](?P<m>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_TIME}",
        rf"(?P<a>\d{{1,2}})[-/.](?P<b>\d{{1,2}})[-/.](?P<y>\d{{4}}|\d{{2}}){_TIME}",
        rf"(?P<d>\d{{1,2}})[-/.\s]+(?:de\s+)?{_WORD}[-/.,\s]+(?:de\s+)?(?P<y>\d{{4}}|\d{{2}}){_TIME}",
        rf"{_WORD}\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>\d{{4}}){_TIME}",
        rf"{_WORD}[-/.,\s]+(?:de\s+)?(?P<y>\d{{4}})",
        r"(?P<y>\d{4})[-/](?P<m>\d{1,2})",
        r"(?P<m>\d{1,2})[-/](?P<y>\d{4})",
        r"(?P<y>\d{4})[-/\s]?K?W(?P<week>\d{1,2})",
        _CLOCK,
    )
)
_FIRST_ROWS = 1000
_DIGITS_OF_YEAR = 4


@dataclass(frozen=True)
class _Moment:
    """What a cell says. `a` and `b` are day and month in an order that it leaves open; `offset` is
    how many hours its clock is ahead of UTC, None if it does not say.
    """

    year: int | None = None
    month: int | None = None
    day: int | None = None
    hour: float | None = None
    a: int | None = None
    b: int | None = None
    offset: float | None = None

    def day_of(self, day_first: bool | None) -> date | None:
        """The day, None if it does not exist or the order is open."""
        month, day = self.month, self.day
        if self.a is not None:
            month, day = (self.b, self.a) if day_first else (self.a, self.b)
        if self.year is None or (self.a is not None and day_first is None):
            return None
        try:
            return date(self.year, month or 0, day or 0)
        except ValueError:
            return None


@dataclass(frozen=True)
class DateNumbers:
    """Numbers of a column of dates.

    Attributes:
        columns: By the name of their new column.
        problems: The rule that a cell breaks, None for good and missing cells.
        day_first: The order of day and month, None where no cell leaves it open.
    """

    columns: dict[str, pd.Series]
    problems: pd.Series
    day_first: bool | None


def looks_like_dates(column: pd.Series) -> bool:
    """Whether every cell of text is a date or a time."""
    known = column.dropna()
    if not len(known) or not all(map(_is_possible, known.iloc[:_FIRST_ROWS])):
        return False
    return all(map(_is_possible, known.unique()))


def date_advice(name: str, value: Any) -> str:
    """The line that says what to type for a column of dates."""
    moment = _moment(str(value))
    is_time = moment is not None and moment.year is None
    typed = literal(name, "dataset.clean")
    step = f"{{step: date_parts, column: {typed}, parts: [{'hour' if is_time else 'year,month'}]}}"
    return (
        f"column '{name}': '{value}' is a {'time' if is_time else 'date'}, not a category; take "
        f"numbers from it: {shell_word(f'dataset.clean=[normalise_text,{step}]')} "
        f"({', '.join(PARTS)}), leave it out: {setting('dataset.drop', [name])}, or keep it as "
        f"a label: {setting('dataset.categorical', [name])}"
    )


def times_of(column: pd.Series, declared: Sequence[str] | None = None) -> np.ndarray:
    """When each row of `dataset.time` arose, as numbers that grow with time, shape (n,): numbers,
    dates (hours), a year and a number in it as text, or the place among `declared` values.

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
        return _hours(column, key)
    return _terms(column, key)


def _terms(column: pd.Series, key: str) -> np.ndarray:
    """Places in time of text such as "2019/20 S1", shape (n,): by the year, then by the number that
    follows. Words have no order that holds everywhere, so they must be the same in every cell.
    """
    texts = column.astype("str").str.split().str.join(" ").str.casefold()
    terms = {text: _term(text) for text in texts.unique()}
    first = next(iter(terms.values()))
    for text, term in terms.items():
        if first is None or term is None or term[0] != first[0]:
            wrong = next(iter(terms)) if first is None else text
            line = declaration("dataset.categories", str(column.name), ["first", "...", "last"])
            raise DataError(
                f"{key}: '{column[texts == wrong].iloc[0]}' is neither a number nor a date, nor a "
                "year with the same words and a number in every row; list the values in order: "
                f"{line}"
            )
    numbers = {text: term[1] for text, term in terms.items() if term is not None}
    place = {number: rank for rank, number in enumerate(sorted(set(numbers.values())))}
    return np.array([place[numbers[text]] for text in texts], dtype=np.float64)


def _term(text: str) -> tuple[tuple[str, ...], tuple[int, ...]] | None:
    """Words of a text that starts with a year, and its numbers in order of weight; None for another
    text, or one of several numbers, whose order it leaves open.

    >>> _term("2019/20 s1"), _term("2023-w10"), _term("2023/15/03")
    ((('', '/', ' s', ''), (2019, 1)), (('', '-w', ''), (2023, 10)), None)
    """
    pieces = re.split(r"(\d+)", text)
    if pieces[0] or len(pieces[1]) != _DIGITS_OF_YEAR:
        return None
    year, *rest = map(int, pieces[1::2])
    if rest and rest[0] == year + 1:  # 2019/2020 is 2019/20
        rest[0] %= 100
    if len(rest) > 1 and rest[0] == (year + 1) % 100:
        rest = rest[1:]
    return (tuple(pieces[::2]), (year, *rest)) if len(rest) <= 1 else None


def _hours(column: pd.Series, key: str) -> np.ndarray:
    """Hours since 1970 of a column of dates, shape (n,)."""
    cells = column.map(_in_utc).map(_plain)
    try:
        day_first = _order(cells)
    except DataError as error:
        raise DataError(
            f"{key}: day and month of '{cells.iloc[0]}' may be swapped; write the dates year first"
        ) from error
    offsets = [moment.offset if (moment := _moment(cell)) else None for cell in cells]
    if None in offsets and any(offset is not None for offset in offsets):
        raise DataError(
            f"{key}: '{cells.iloc[offsets.index(None)]}' has no time zone, as others have; write "
            "one in every row"
        )
    hours = -np.array([offset or 0.0 for offset in offsets])
    for row, cell in enumerate(cells):
        numbers = _numbers(cell, ["days"], day_first, date(1970, 1, 1))
        if isinstance(numbers, str):
            raise DataError(f"{key}: '{cell}' {numbers} (row {row}); correct it or remove the row")
        hours[row] += 24 * numbers["days"] + numbers.get("hour", 0.0)
    return hours


def date_columns(
    column: pd.Series, parts: Sequence[str], day_first: bool | None, since: str
) -> DateNumbers:
    """Numbers of a column of dates of a training file, and the order of day and month.

    Args:
        column: Dates, or text of dates.
        parts: Among year, month (1 to 12), weekday (Monday is 0), days since `since`, and hour with
            its fraction.
        day_first: Whether 03/04/2024 is in April; None where the dates show it.
        since: The day from which days count.

    Raises:
        DataError: A part is unknown, a cell holds no date, or day and month may be swapped.
    """
    for part in parts:
        if part not in PARTS:
            raise DataError(f"dataset.clean: date_parts has no part {part}; {suggest(part, PARTS)}")
    if day_first is None and not pd.api.types.is_datetime64_any_dtype(column):
        day_first = _order(column)
    found = read_dates(column, parts, day_first, since)
    wrong = found.problems.dropna()
    if len(wrong):
        raise DataError(
            f"dataset.clean: date_parts of '{column.name}' meets '{column[wrong.index[0]]}', which "
            f"{wrong.iloc[0]} ({plural(len(wrong), 'row')}); map it to null first, or change "
            "day_first"
        )
    return found


def read_dates(
    column: pd.Series, parts: Sequence[str], day_first: bool | None, since: str
) -> DateNumbers:
    """As `date_columns`, for new rows: the order is the training's, and a wrong cell is told."""
    start = date.fromisoformat(since)
    cells = column.map(_plain, na_action="ignore").astype("object")
    known = {cell: _numbers(cell, parts, day_first, start) for cell in cells.dropna().unique()}
    rows = [known.get(cell) for cell in cells]
    columns = {
        f"{column.name}_{part}": pd.Series(
            [float("nan") if not isinstance(row, dict) else row[part] for row in rows],
            index=column.index,
            dtype="float64",
        )
        for part in parts
    }
    problems = [row if isinstance(row, str) else None for row in rows]
    return DateNumbers(columns, pd.Series(problems, column.index, dtype="object"), day_first)


def _is_possible(value: Any) -> bool:
    """Whether a cell is a time, or a date in one of the orders of day and month."""
    moment = _moment(value)
    if moment is None or moment.year is None:
        return moment is not None
    return any(moment.day_of(day_first) is not None for day_first in (True, False))


def _in_utc(cell: Any) -> Any:
    """A cell that knows its time zone by itself on the clock of UTC."""
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return pd.Timestamp(cell).tz_convert("UTC")
    return cell


def _plain(cell: Any) -> str:
    """A cell as text: what holds a date by itself in the form that Python writes."""
    if isinstance(cell, date):  # a timestamp, too
        return str(pd.Timestamp(cell).tz_localize(None))
    return str(cell)


def _numbers(
    text: str, parts: Sequence[str], day_first: bool | None, start: date
) -> dict[str, float] | str:
    """The parts of a cell, or the rule that it breaks."""
    moment = _moment(text)
    if moment is None:
        return "is not a date"
    day = moment.day_of(day_first)
    if day is None and set(parts) - {"hour"}:
        if moment.year is None:
            return "is a time without a date"
        if moment.a is not None and day_first is None:
            return "leaves open what is day and month; training had no date of this form"
        return "does not exist"
    if moment.hour is None and "hour" in parts:
        return "has no time"
    numbers = {} if moment.hour is None else {"hour": moment.hour}
    if day is None:
        return numbers
    days = float((day - start).days)
    weekday = float(day.weekday())
    calendar = {"year": float(day.year), "month": float(day.month)}
    return numbers | calendar | {"weekday": weekday, "days": days}


def _order(column: pd.Series) -> bool | None:
    """Whether the day comes first where dates leave it open; None if none does.

    Raises DataError if all of them could be read in both ways.
    """
    texts = [text for text in column.dropna().unique() if isinstance(text, str)]
    open_ones = [(t, m) for t in texts if (m := _moment(t)) is not None and m.a is not None]
    if not open_ones:
        return None
    day_first = any((moment.a or 0) > 12 for _, moment in open_ones)
    month_first = any((moment.b or 0) > 12 for _, moment in open_ones)
    if day_first == month_first:
        raise DataError(
            f"dataset.clean: date_parts of '{column.name}': day and month of '{open_ones[0][0]}' "
            "may be swapped; add day_first: true or false"
        )
    return day_first


def _moment(value: Any) -> _Moment | None:
    """What a text says by its form; None for another text."""
    if not isinstance(value, str) or not value[:40].strip():
        return None
    for form in _FORMS:
        if (match := form.fullmatch(value)) is not None:
            return _made(match.groupdict())
    return None


def _made(found: dict[str, str | None]) -> _Moment | None:
    number = {key: int(text) for key in "ymdab" if (text := found.get(key)) is not None}
    hour = _hour(found)
    if found.get("h") is not None and hour is None:
        return None
    if "y" not in number:
        return _Moment(hour=hour)
    year = number["y"]
    if len(str(found["y"])) == 2:
        year += 1900 if year > 68 else 2000  # as POSIX reads two digits
    offset = _offset(found.get("zone"))
    if "a" in number:
        return _Moment(year, hour=hour, a=number["a"], b=number["b"], offset=offset)
    if (week := found.get("week")) is not None:
        return _of_week(year, int(week))
    month = number.get("m") or _month(str(found.get("word")))
    if month is None or not 1 <= month <= 12:
        return None
    return _Moment(year, month, number.get("d", 1), hour, offset=offset)


def _of_week(year: int, week: int) -> _Moment | None:
    """The Thursday of a week, which lies in the year that counts the week (ISO 8601)."""
    try:
        day = date.fromisocalendar(year, week, 4)
    except ValueError:
        return None
    return _Moment(day.year, day.month, day.day)


def _offset(zone: str | None) -> float | None:
    """Hours ahead of UTC.

    >>> _offset("+05:30"), _offset("-0300"), _offset("Z"), _offset(None)
    (5.5, -3.0, 0.0, None)
    """
    if zone is None:
        return None
    if zone[0] not in "+-":
        return 0.0
    hours = int(zone[1:3]) + int(zone[-2:]) / 60
    return -hours if zone[0] == "-" else hours


def _hour(found: dict[str, str | None]) -> float | None:
    if found.get("h") is None:
        return None
    hour, minute, second = int(found["h"] or 0), int(found["min"] or 0), float(found["s"] or 0)
    half = (found.get("half") or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    return hour + minute / 60 + second / 3600 if hour < 24 and minute < 60 else None


def _month(word: str) -> int | None:
    """Number of a month by its name or the start of it, in six languages."""
    folded = word.casefold()
    months = {
        number
        for names in _MONTHS
        for number, name in enumerate(names.split(), start=1)
        if name.startswith(folded)
    }
    return months.pop() if len(folded) >= _SHORTEST_MONTH and len(months) == 1 else None
