"""Rows of a text file with more or fewer cells than its header: found, and named by their line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from student_perf.tables.options import ReadOptions, shown_character
from student_perf.text import plural

_LONGEST_ROW = 60


class RaggedError(ValueError):
    """A row has another number of cells than the header; the text says which, and what to do."""


@contextmanager
def naming_ragged(
    source: Path | bytes, options: ReadOptions, n_cells: int, has_extra_cell: bool
) -> Iterator[None]:
    """A context in which Arrow's error, and that of a filled extra cell, names the line.

    Args:
        source: The file.
        options: How it is written.
        n_cells: Those of the header.
        has_extra_cell: Whether each row ends with a separator that the header lacks.
    """
    try:
        yield
    except (pa.ArrowInvalid, RaggedError) as error:
        if isinstance(error, RaggedError) or "columns, got" in str(error):
            raise _first_ragged(source, options, n_cells, has_extra_cell) or error from error
        raise


def _first_ragged(
    source: Path | bytes, options: ReadOptions, n_cells: int, has_extra_cell: bool
) -> RaggedError | None:
    separator = options.separator or ","
    expected = n_cells + has_extra_cell
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        text = io.TextIOWrapper(file, encoding=options.encoding, errors="replace", newline="")
        rows = csv.reader(text, delimiter=separator)
        is_below, last = False, 0  # line
        try:
            for row in rows:
                first, last = last + 1, rows.line_num
                if not is_below:  # what stands above the header is none of its rows
                    is_below = len(row) == n_cells and any(map(str.strip, row))
                elif row and (len(row) != expected or (has_extra_cell and row[-1].strip())):
                    return _named(row, (first, last), n_cells, separator)
        except csv.Error:
            return None  # a cell of more than 131,072 characters
    return None


def _named(row: Sequence[str], lines: tuple[int, int], n_cells: int, separator: str) -> RaggedError:
    where = f"line {lines[0]}"
    fix = "write the cells that are missing"
    if len(row) > n_cells:
        fix = f"take off what is too much, or put the cell that holds {shown_character(separator)} "
        fix += "in quotes"
    if lines[0] < lines[1]:
        where = f"the row from line {lines[0]} to {lines[1]}"
        fix = "a quote that opens there may be closed nowhere"
    shown = " ".join(separator.join(row).split())
    shown = shown if len(shown) <= _LONGEST_ROW else f"{shown[:_LONGEST_ROW]}..."
    return RaggedError(
        f"{where} has {plural(len(row), 'cell')} and the header {n_cells}: '{shown}'; {fix}"
    )
