"""What nobody has named about a text file: encoding, separator, decimal sign, thousands.

Each guess needs evidence in the file. Where two readings fit, the file is refused with the line to
type, since a wrong one would change the data without a word.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from student_perf.tables.numbers import number_pattern
from student_perf.tables.options import (
    DOUBTFUL_WORDS,
    MACHINE_WORDS,
    ReadOptions,
    declared_words,
)
from student_perf.text import column_name

SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 2**20  # bytes that are looked at
_PART = 2**24
_ROWS = 2000
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What cp1252 has beside letters and people write in western Europe.
_USUAL_SIGNS = set("€º°ª“”«»¿¡—…·\xa0§²³±½¼£\u2018\u2019\u2013\xb4")
_GROUP_SIGNS = (" ", "\xa0", "\u202f", "'", "\u2019")
_EMPTY = frozenset(word.casefold() for word in MACHINE_WORDS) | DOUBTFUL_WORDS


class OptionError(ValueError):
    """How to read the file is open, or wrong as it is named; the text says what to type."""


@dataclass(frozen=True)
class Layout:
    """How the rows of a text file stand below its header.

    Attributes:
        names: The header as it is written.
        has_extra_cell: Whether rows end with a separator that the header lacks.
        n_lines_before: Lines above the header.
        is_empty: Whether no row stands below the header.
    """

    names: list[str]
    has_extra_cell: bool
    n_lines_before: int = 0
    is_empty: bool = False


def complete_options(source: Path | bytes, given: ReadOptions) -> ReadOptions:
    """The options with what is not named filled in from the file.

    Raises:
        OptionError: The file leaves two readings.
    """
    encoding = given.encoding or sniff_encoding(source)
    text = sample_of(source, encoding)
    said = separator_line(text)
    text = text[len(said) :]
    separator = given.separator or said[4:5] or _sniff_separator(text)
    taken = replace(given, encoding=encoding, separator=separator)
    if given.decimal is None:
        rows = _cells(text, taken)
        if _is_part(source, rows) and not any(map(_has_sign, rows)):
            rows = _cells_with_signs(source, taken)  # the first decimal sign may come late
        decimal, thousands = _sniff_numbers(rows, given.thousands, separator)
        taken = replace(taken, decimal=decimal, thousands=thousands)
    elif given.thousands is None:
        taken = replace(taken, thousands=_sniff_thousands(_cells(text, taken), given.decimal))
    return taken


def fitting_encoding(source: Path | bytes, expected: str) -> str:
    """The encoding that is expected of a file, unless the file can only have another one."""
    shown = _unicode_of(source)
    if shown is not None:
        return shown
    try:
        sample_of(source, expected)
    except OptionError:
        return sniff_encoding(source)
    return expected


def fitting_separator(source: Path | bytes, options: ReadOptions) -> str | None:
    """The separator of the options, unless the header lacks it and the rows show another one."""
    text = sample_of(source, options.encoding or sniff_encoding(source))
    said = separator_line(text)
    rows = sample_rows(text[len(said) :], options.separator or ",")
    if options.separator is None or said or len(rows[0] if rows else "") > 1:
        return said[4:5] or options.separator
    try:
        shown = _sniff_separator(text)
    except OptionError:
        return options.separator
    return shown if shown in text else options.separator


def other_decimal(
    source: Path | bytes, options: ReadOptions, columns: Collection[str]
) -> str | None:
    """A cell that shows that one of these columns is written with another decimal sign than the
    options say; None if there is none.
    """
    text = sample_of(source, options.encoding or "utf-8")
    header, *rows = sample_rows(text, options.separator or ",") or [[]]
    here = options.decimal or "."
    other = "." if here == "," else ","
    for position, name in enumerate(header):
        cells = [row[position : position + 1] for row in rows]
        numbers = next(_columns(cells), []) if column_name(name) in columns else []
        shown = next((cell for cell in numbers if _is_evident(cell, other, here)), None)
        if shown is not None and (_all(numbers, other, None) or _all(numbers, other, here)):
            return shown
    return None


def sniff_encoding(source: Path | bytes) -> str:
    """Encoding of a text file. Raises OptionError if it is neither Unicode nor western European."""
    if (shown := _unicode_of(source)) is not None:
        return shown
    if (data := _first_not_utf8(source)) is None:
        return "utf-8"
    name = "latin-1" if re.search(rb"[\x81\x8d\x8f\x90\x9d]", data) else "cp1252"
    _check_western(data.decode(name), name)
    return name


def _unicode_of(source: Path | bytes) -> str | None:
    """The encoding of a file that can only be Unicode; UTF-8 without a mark and beyond ASCII is not
    looked for in the whole file.
    """
    start = _start(source)
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            return name
    if start.count(0) > len(start) / 5:
        return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
    if start.isascii():
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start, final=len(start) < _SAMPLE)
    except UnicodeDecodeError:
        return None
    return "utf-8"


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_SAMPLE]
    with source.open("rb") as file:
        return file.read(_SAMPLE)


def _first_not_utf8(source: Path | bytes) -> bytes | None:
    """The first part of a file that is not UTF-8; None if all of it is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        while part := file.read(_PART):
            try:
                decoder.decode(part, final=len(part) < _PART)
            except UnicodeDecodeError:
                return part
    return None


def _check_western(text: str, name: str) -> None:
    """Every byte is a letter or sign in these encodings, so the words must look like some."""
    signs = {c for c in text if ord(c) > 127 and not c.isalpha()} - _USUAL_SIGNS
    foreign = re.search(r"[^\W\d_]{3,}", re.sub(r"[\x00-\x7f]+", " ", text))
    if signs or foreign:
        shown = foreign.group() if foreign else sorted(signs)[0]
        raise OptionError(
            f"its text is not UTF-8, and as {name} it would hold '{shown}'; name its encoding, for "
            "example dataset.encoding=cp850, cp1250, cp1251 or mac_roman"
        )


def sample_of(source: Path | bytes, encoding: str) -> str:
    """The first whole lines of a text file.

    Raises:
        OptionError: There is no such encoding, or the text has another one.
    """
    data = _start(source)
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        raise OptionError(
            f"dataset.encoding={encoding}: no such encoding; try utf-8 or cp1252"
        ) from None
    try:
        text = decoder.decode(data, final=len(data) < _SAMPLE)
    except UnicodeDecodeError as error:
        raise OptionError(
            f"its text is not {encoding} ({error.reason} at byte {error.start}); name another "
            "encoding, or leave out dataset.encoding"
        ) from error
    if len(data) == _SAMPLE and (end := text.rfind("\n")) > 0:
        text = text[: end + 1]
    return text.removeprefix("\ufeff")


def separator_line(text: str) -> str:
    r"""The first line if it only names the separator, as spreadsheets write it; else nothing.

    >>> separator_line("sep=;\r\na;b\r\n")
    'sep=;\r\n'
    """
    named = re.match(r"sep=.\r?\n", text, re.IGNORECASE)
    return named.group() if named else ""


def n_empty_lines(text: str, separator: str) -> int:
    r"""Number of lines above the header that hold separators at most, as spreadsheets leave them.

    >>> n_empty_lines("\n;;\na;b;c\n", ";")
    2
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    n_before = 0
    with suppress(csv.Error):  # a cell of more than 131,072 characters is none of those above
        for row in rows:
            if any(map(str.strip, row)):
                break
            n_before = rows.line_num
    return n_before


def sample_rows(text: str, separator: str) -> list[list[str]]:
    """The first rows, quotes resolved; empty lines are no rows."""
    return list(_rows(text, separator, _ROWS))


def layout(rows: Sequence[Sequence[str]]) -> Layout:
    """How the rows stand below their header. Raises ValueError without a header."""
    if not rows:
        raise ValueError("it has no header row")
    names = [column_name(name) for name in rows[0]]
    wide = [row for row in rows[1:] if len(row) == len(names) + 1 and not row[-1].strip()]
    has_extra_cell = len(rows) > 1 and len(wide) == len(rows) - 1
    return Layout(names, has_extra_cell, is_empty=len(rows) == 1)


def _rows(text: str, separator: str, most: int) -> Iterator[list[str]]:
    rows = _reader(io.StringIO(text, newline=""), separator)
    yield from islice((row for row in rows if any(map(str.strip, row))), most)


def _sniff_separator(text: str) -> str:
    """The separator by which nearly all rows have the cells of the header, and most of them."""
    fits: dict[str, int] = {}
    for separator in SEPARATORS:
        rows = list(_rows(text, separator, 200))
        if not rows or len(rows[0]) < 2:
            continue
        width = len(rows[0])
        same = sum(len(row) in (width, width + 1) for row in rows[1:])
        if same >= 0.8 * (len(rows) - 1):
            fits[separator] = width
    best = max(fits.values(), default=0)
    chosen = [separator for separator, width in fits.items() if width == best]
    if len(chosen) > 1:
        raise OptionError(
            f"both {' and '.join(map(repr, chosen))} separate its cells; name one: "
            f"\"dataset.separator='{chosen[0]}'\""
        )
    return chosen[0] if chosen else ","


def _sniff_numbers(
    rows: Sequence[Sequence[str]], thousands: str | None, separator: str
) -> tuple[str, str | None]:
    """Decimal and thousands sign, by columns whose cells are all numbers in one of the readings.

    A reading is evident where a cell allows no other one: 1,5 or 0,123 or 1.234,5. Where cells are
    separated by commas, 1.234 is a fraction; elsewhere it may be a thousand.
    """
    commas: str | None = None
    points: str | None = None
    doubtful: tuple[str, str] | None = None
    groups = thousands or _blank_groups(rows)
    for cells in _columns(rows):
        if any("," in cell for cell in cells):
            evident = next((c for c in cells if _is_evident(c, ",", ".")), None)
            if evident and (_all(cells, ",", ".") or _all(cells, ",", groups)):
                commas = commas or evident
            elif (plain := next((c for c in cells if _is_evident(c, ".", ",")), None)) and _all(
                cells, ".", ","
            ):
                points, groups = points or plain, ","
            elif _all(cells, ",", "."):
                doubtful = doubtful or (next(c for c in cells if "," in c), ",")
        elif any(_is_evident(cell, ".", ",") for cell in cells) and _all(cells, ".", groups):
            points = points or next(cell for cell in cells if "." in cell)
        elif separator != "," and _all(cells, ",", ".", must="."):
            doubtful = doubtful or (next(cell for cell in cells if "." in cell), ".")
    return _decided(commas, points, doubtful, groups, rows)


def _blank_groups(rows: Sequence[Sequence[str]]) -> str | None:
    """A blank or an apostrophe between groups of three digits, if a column shows one."""
    for cells in _columns(rows):
        for sign in _GROUP_SIGNS:
            if _all(cells, ".", sign, must=sign) or _all(cells, ",", sign, must=sign):
                return sign
    return None


def _decided(
    commas: str | None,
    points: str | None,
    doubtful: tuple[str, str] | None,
    groups: str | None,
    rows: Sequence[Sequence[str]],
) -> tuple[str, str | None]:
    if commas and points:
        raise OptionError(
            f"it holds '{commas}' and '{points}': name the decimal sign of most columns, for "
            "example dataset.decimal=. and turn the others into numbers with the step "
            "{step: to_numeric, columns: [NAME], decimal: ','} of dataset.clean"
        )
    if commas:
        dotted = any(_all(c, ",", ".", must=".") for c in _columns(rows))
        return ",", groups or ("." if dotted else None)
    if doubtful and not points:
        cell, sign = doubtful
        raise OptionError(
            f"'{cell}' is a fraction or a number of thousands; name it: "
            f"\"dataset.decimal='{sign}'\" or \"dataset.thousands='{sign}'\""
        )
    return ".", groups or ("," if doubtful and doubtful[1] == "," else None)


def _cells(text: str, options: ReadOptions) -> list[list[str]]:
    """The first rows below the header, with declared words for "missing" left empty."""
    words = {word.strip().casefold() for word in declared_words(options.missing_words)}
    rows = sample_rows(text, options.separator or ",")[1:]
    return [["" if cell.strip().casefold() in words else cell for cell in row] for row in rows]


def _is_part(source: Path | bytes, rows: Sequence[Sequence[str]]) -> bool:
    """Whether the file has more rows than these first ones."""
    return len(rows) == _ROWS - 1 or len(_start(source)) == _SAMPLE


def _has_sign(row: Sequence[str]) -> bool:
    """Whether a cell holds a decimal sign, or one between groups of three digits."""
    return any(re.search(r"\d[.,]\d|^[.,]\d", cell) for cell in row)


def _cells_with_signs(source: Path | bytes, options: ReadOptions) -> list[list[str]]:
    """Rows of a whole file in which a cell has such a sign, up to the usual number."""
    words = {word.strip().casefold() for word in declared_words(options.missing_words)}
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        text = io.TextIOWrapper(file, encoding=options.encoding, newline="")
        found = islice(filter(_has_sign, _reader(text, options.separator or ",")), _ROWS)
        return [["" if c.strip().casefold() in words else c for c in row] for row in found]


def _reader(lines: Iterable[str], separator: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=separator)
    except csv.Error:
        return  # a cell of more than 131,072 characters; the reader says what is wrong


def _sniff_thousands(rows: Sequence[Sequence[str]], decimal: str) -> str | None:
    """The sign between groups of three digits, if a column shows it beside this decimal sign."""
    sign = "." if decimal == "," else ","
    shown = any(_all(cells, decimal, sign, must=sign) for cells in _columns(rows))
    return sign if shown else _blank_groups(rows)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[list[str]]:
    """The distinct cells of each column that look like numbers, if at least half of them do."""
    width = max(map(len, rows), default=0)
    for position in range(width):
        cells = {row[position].strip() for row in rows if position < len(row)}
        known = [cell for cell in cells if cell.casefold() not in _EMPTY]
        numbers = [cell for cell in known if cell[-1:].isdigit() or cell[-1:] == "%"]
        if numbers and len(numbers) >= len(known) / 2:
            yield sorted(numbers)


def _all(cells: Sequence[str], decimal: str, groups: str | None, must: str = "") -> bool:
    """Whether all cells are numbers written so, and one of them holds `must`."""
    sign = None if groups == decimal else groups
    pattern = re.compile(number_pattern(decimal, sign))
    return all(map(pattern.match, cells)) and any(must in cell for cell in cells)


def _is_evident(cell: str, decimal: str, other: str) -> bool:
    """Whether a cell is a number with this decimal sign and cannot be one with groups of three."""
    if decimal not in cell or not re.match(number_pattern(decimal, other), cell):
        return False
    return re.match(number_pattern(other, decimal), cell) is None
