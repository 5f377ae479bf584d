"""Spreadsheets: xlsx, xls and ods by the package python-calamine, an extra."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from student_perf.errors import DataError, suggest
from student_perf.shell import install_extra
from student_perf.tables.content import opened
from student_perf.tables.numbers import plain_cells, typed_cells, written
from student_perf.tables.options import ReadOptions
from student_perf.tables.raw import RawTable, table_of
from student_perf.tables.sniff import OptionError
from student_perf.tables.text import column_names, null_words, refuse_repeated, without_edges
from student_perf.text import column_name


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


def read_sheet(source: Path | bytes, options: ReadOptions) -> RawTable:
    """The table of a sheet, whose first row with a cell names the columns.

    Raises:
        ValueError: It is not a table.
    """
    header, columns, notes = _columns(source, options)
    raw = table_of({n: typed_cells(cells, options) for n, cells in columns.items()}, options)
    return without_edges(replace(raw, notes=(*notes, *raw.notes)), header)


def sheet_cells(
    source: Path | bytes, options: ReadOptions, once: Collection[str] = ()
) -> pd.DataFrame:
    """As `read_sheet`, but with cells as they are: numbers, and text. Raises ValueError also if a
    column of `once` occurs twice.
    """
    header, columns, _ = _columns(source, options)
    refuse_repeated(header, once)
    return pd.DataFrame({name: plain_cells(cells) for name, cells in columns.items()})


def row_of_first_row(source: Path | bytes, options: ReadOptions) -> int | None:
    """Number that a spreadsheet shows beside the row below the header; None if there are rows
    without a cell, so that the others do not count on from it.
    """
    sheet = _book(source).get_sheet_by_name(choose_sheet(source, options.sheet))
    if not all(any(cell != "" for cell in row) for row in sheet.to_python()):
        return None
    return int(sheet.start[0]) + 2


def _columns(
    source: Path | bytes, options: ReadOptions
) -> tuple[list[str], dict[str, list[Any]], list[str]]:
    """Header, cells by column, and notes; columns without a cell are none."""
    sheet = _book(source).get_sheet_by_name(choose_sheet(source, options.sheet))
    rows = [row for row in sheet.to_python() if any(cell != "" for cell in row)]
    if not rows:
        raise ValueError("the sheet is empty")
    header = [_header(cell) for cell in rows[0]]
    filled = [i for i, name in enumerate(header) if name or any(row[i] != "" for row in rows[1:])]
    names, notes = column_names([header[i] for i in filled])
    missing = set(null_words(options))
    columns = {
        name: [None if str(row[position]) in missing else row[position] for row in rows[1:]]
        for position, name in zip(filled, names, strict=True)
    }
    return [header[i] for i in filled], columns, notes


def _header(cell: Any) -> str:
    return column_name(written(cell))


def _book(source: Path | bytes) -> Any:
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ImportError:
        raise DataError(
            "dataset.path: a spreadsheet needs python-calamine, which is not installed; run: "
            f"{install_extra('sheets')}, or save the sheet as CSV"
        ) from None
    try:
        return CalamineWorkbook.from_object(opened(source))
    except CalamineError as error:
        raise ValueError(f"cannot be read as a spreadsheet: {error}") from error
