"""Spreadsheets: xlsx, xls and ods by the package python-calamine, an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from student_perf.errors import DataError, suggest
from student_perf.tables.content import opened
from student_perf.tables.numbers import typed_column
from student_perf.tables.options import ReadOptions
from student_perf.tables.sniff import OptionError
from student_perf.tables.text import column_names, is_index, null_words


def choose_sheet(source: Path | bytes, given: str | None) -> str:
    """Name of the sheet to read: the one that is named, or the only one with cells.

    Raises:
        OptionError: There is no such sheet, or several could be meant.
        DataError: The extra is not installed.
    """
    book = _book(source)
    if given is not None:
        if given not in book.sheet_names:
            raise OptionError(
                f"dataset.sheet={given}: no such sheet; {suggest(given, book.sheet_names)}"
            )
        return given
    filled = [name for name in book.sheet_names if book.get_sheet_by_name(name).height]
    if len(filled) != 1:
        shown = ", ".join(filled) or "none with cells"
        first = filled[0] if filled else "NAME"
        raise OptionError(
            f"it has several sheets: {shown}; name one: \"dataset.sheet='{first}'\""
            if filled
            else "all its sheets are empty"
        )
    return str(filled[0])


def read_sheet(source: Path | bytes, options: ReadOptions) -> tuple[pd.DataFrame, list[str]]:
    """The table of a sheet, whose first row with a cell names the columns.

    Raises:
        ValueError: It is not a table.
    """
    sheet = _book(source).get_sheet_by_name(choose_sheet(source, options.sheet))
    rows = [row for row in sheet.to_python() if any(cell != "" for cell in row)]
    if not rows:
        raise ValueError("the sheet is empty")
    header = [_header(cell) for cell in rows[0]]
    filled = [i for i, name in enumerate(header) if name or any(row[i] != "" for row in rows[1:])]
    names, notes = column_names([header[i] for i in filled])
    missing = set(null_words(options))
    columns: dict[str, pd.Series] = {}
    for position, name in zip(filled, names, strict=True):
        cells = [None if str(row[position]) in missing else row[position] for row in rows[1:]]
        columns[name], note = _typed(cells, options)
        notes += [f"'{name}': {note}"] if note else []
    table = pd.DataFrame(columns, copy=False)
    if header[filled[0]] == "" and is_index(table.iloc[:, 0]):
        notes = [*notes[1:], "the first column only counts the rows: left out"]
        table = table.iloc[:, 1:]
    return table, notes


def _typed(cells: list[Any], options: ReadOptions) -> tuple[pd.Series, str | None]:
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, (int, float)) and type(cell) is not bool for cell in known):
        numbers = pd.Series(cells, dtype="float64")
        whole = bool((numbers.dropna() % 1 == 0).all()) and not numbers.isna().any()
        return (numbers.astype("int64") if whole else numbers), None
    texts = pa.array([None if cell is None else _text(cell) for cell in cells], pa.string())
    column, note = typed_column(texts, options)
    return column.to_pandas(), note


def _text(cell: Any) -> str:
    """A cell as it is seen; spreadsheets hold whole numbers as 3.0."""
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell)


def _header(cell: Any) -> str:
    return _text(cell).strip()


def _book(source: Path | bytes) -> Any:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise DataError(
            "dataset.path: a spreadsheet needs python-calamine, which is not installed; run: "
            "pip install python-calamine, or save the sheet as CSV"
        ) from None
    try:
        return CalamineWorkbook.from_object(opened(source))
    except CalamineError as error:
        raise ValueError(f"cannot be read as a spreadsheet: {error}") from error
