"""Text files with separated cells: whole, or in parts, by the same options."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from student_perf.tables.content import opened, tail
from student_perf.tables.numbers import typed_column
from student_perf.tables.options import MACHINE_WORDS, ReadOptions, declared_words
from student_perf.tables.ragged import RaggedError, naming_ragged
from student_perf.tables.raw import RawTable, table_of
from student_perf.tables.sniff import (
    Layout,
    OptionError,
    layout,
    n_empty_lines,
    sample_of,
    sample_rows,
    separator_line,
)
from student_perf.text import plural

BLOCK = 2**20  # bytes parsed at once; Arrow reads up to 32 blocks ahead
_TAIL_READ = 2**14  # bytes of the end in which blank rows are sought, more if all of it is blank


def read_text(source: Path | bytes, options: ReadOptions, only: str | None = None) -> RawTable:
    """The table of a text file, columns of numbers as numbers.

    With `only` it holds that single column, if there is one of this name.

    Raises:
        ValueError: It is not a table.
    """
    shape = _layout(source, options)
    names, notes = column_names(shape.names)
    wanted = [only] if only in names else names
    if shape.is_empty:
        _refuse_blank(0, n_blank_rows(source, options))
        return RawTable(pd.DataFrame(columns=wanted, dtype="str"), options, tuple(notes))
    with naming_ragged(source, options, len(names), shape.has_extra_cell):
        table = arrow_csv.read_csv(opened(source), **_arguments(options, shape, names, wanted))
        _refuse_open_quote(source, options, table)
        table = _without_empty(table, _beyond(names, shape))
    if n_blank := n_blank_rows(source, options):
        notes += [] if only in names else [about_blank(n_blank)]
        _refuse_blank(table.num_rows, n_blank)
        table = table.slice(0, table.num_rows - n_blank)
    columns = {name: typed_column(table.column(name), options) for name in wanted}
    raw = table_of(columns, options)
    raw = replace(raw, notes=(*notes, *raw.notes))
    return raw if only in names else without_edges(raw, shape.names)


def without_edges(raw: RawTable, header: Sequence[str]) -> RawTable:
    """Leave out an index at the left, and the empty column of a separator at the right."""
    table, notes = raw.table, list(raw.notes)
    if header[0] in ("", "Unnamed: 0") and is_index(table.iloc[:, 0]):
        notes = [note for note in notes if not note.startswith("column 1 has no name")]
        notes = [*notes, "the first column only counts the rows: left out"]
        table = table.iloc[:, 1:]
    if header[-1] == "" and table.shape[1] and table.iloc[:, -1].isna().all():
        notes = [note for note in notes if not note.startswith(f"column {len(header)} has no name")]
        table = table.iloc[:, :-1]
    return replace(raw, table=table, notes=tuple(notes))


def iter_text(
    source: Path | bytes, options: ReadOptions, n_rows: int, once: Collection[str] = ()
) -> Iterator[pd.DataFrame]:
    """Tables of about `n_rows` rows, every cell as text. Raises ValueError as `read_text`, and if a
    column of `once` occurs twice.
    """
    shape = _layout(source, options)
    refuse_repeated(shape.names, once)
    if shape.is_empty:
        _refuse_blank(0, n_blank_rows(source, options))
        return
    names, _ = column_names(shape.names)
    n_given = 0  # rows
    held: list[Any] = []  # the last rows so far, of which the blank ones are left out
    n_blank = n_blank_rows(source, options)
    for batch in _batches(source, options, shape, names):
        held.append(batch)
        while sum(part.num_rows for part in held[1:]) >= n_blank and held:
            n_given += held[0].num_rows
            yield from _parts(held.pop(0), n_rows)
    n_left = sum(part.num_rows for part in held) - n_blank
    _refuse_blank(n_given + n_left + n_blank, n_blank)
    for part in held:
        yield from _parts(part.slice(0, max(n_left, 0)), n_rows)
        n_left -= part.num_rows


def _batches(
    source: Path | bytes, options: ReadOptions, shape: Layout, names: Sequence[str]
) -> Iterator[Any]:
    with naming_ragged(source, options, len(names), shape.has_extra_cell):
        arguments = _arguments(options, shape, names, names)
        for batch in arrow_csv.open_csv(opened(source), **arguments):
            _refuse_open_quote(source, options, batch)
            yield _without_empty(batch, _beyond(names, shape))


def _parts(table: Any, n_rows: int) -> Iterator[pd.DataFrame]:
    for first in range(0, table.num_rows, n_rows):
        yield table.slice(first, n_rows).to_pandas()


def n_blank_rows(source: Path | bytes, options: ReadOptions) -> int:
    """Rows at the end that hold nothing but separators, as spreadsheets write formatted cells below
    a table. A cell with a word for a missing value is none of these.
    """
    separator, n_bytes = options.separator or ",", _TAIL_READ
    while True:
        end = tail(source, n_bytes)
        lines = end.decode(options.encoding or "utf-8", "ignore").splitlines()
        is_whole = len(end) < n_bytes
        lines = lines if is_whole else lines[1:]  # the first may be cut
        blank = list(takewhile(lambda line: not line.strip(f"{separator} "), reversed(lines)))
        if is_whole or len(blank) < len(lines):
            return sum(separator in line for line in blank)
        n_bytes *= 8


def line_of_first_row(source: Path | bytes, options: ReadOptions, n_rows: int) -> int | None:
    """Line on which the first of `n_rows` rows stands, from 1, if each row has one line; else None,
    as with line breaks in cells or empty lines between rows.
    """
    if (options.encoding or "").startswith(("utf-16", "utf-32")):
        return None
    above = _layout(source, options).n_lines_before + 1
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        last = max((number for number, line in enumerate(file, 1) if line.strip()), default=0)
    is_one_each = last == above + n_rows + n_blank_rows(source, options)
    return above + 1 if is_one_each else None


def _refuse_blank(n_rows: int, n_blank: int) -> None:
    if n_blank and n_rows <= n_blank:
        raise ValueError(f"all of its {plural(n_blank, 'row')} are empty")


def about_blank(n_rows: int) -> str:
    """What is said of such rows."""
    return f"{plural(n_rows, 'row')} of empty cells at the end: left out"


def null_words(options: ReadOptions) -> list[str]:
    """Cells that a reader leaves empty.

    >>> null_words(ReadOptions(missing_words=["s/d"]))[-2:]
    ['s/d', 'S/D']
    """
    declared = declared_words(options.missing_words)
    spelled = [form for word in declared for form in (word, word.upper(), word.lower())]
    return list(dict.fromkeys([*MACHINE_WORDS, *spelled]))


def column_names(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names by which every column can be typed, and what was decided about them.

    >>> column_names(["a", "", "a"])[0]
    ['a', 'column_2', 'a_2']
    """
    names: list[str] = []
    notes = []
    for position, name in enumerate(header, start=1):
        given = name or f"column_{position}"
        number, unique = 2, given
        while unique in names or (unique != name and unique in header):
            unique, number = f"{given}_{number}", number + 1
        if not name:
            notes.append(f"column {position} has no name: called {unique}")
        elif unique != name:
            notes.append(f"'{name}' occurs twice: column {position} is called {unique}")
        names.append(unique)
    return names, notes


def refuse_repeated(header: Sequence[str], once: Collection[str]) -> None:
    """Raise OptionError if one of these columns occurs twice, unless the training file did so, too:
    then the second one's new name is among them.
    """
    names, _ = column_names(header)
    for name, unique in zip(header, names, strict=True):
        if name in once and unique not in once:
            raise OptionError(
                f"the model needs the column '{name}', which occurs twice; rename or remove one"
            )


def is_given_name(name: str) -> bool:
    """Whether a column may have its name from `column_names`, as the file gives none."""
    return re.fullmatch(r"column_\d+", name) is not None


def is_index(column: pd.Series) -> bool:
    """Whether a column only counts the rows, from 0 or 1, as pandas writes its index."""
    if not pd.api.types.is_integer_dtype(column) or not len(column):
        return False
    first = int(column.iloc[0])
    return first in (0, 1) and bool((column == np.arange(first, first + len(column))).all())


def _layout(source: Path | bytes, options: ReadOptions) -> Layout:
    text = sample_of(source, options.encoding or "utf-8")
    if "\0" in text:
        raise OptionError("it holds zero bytes, so it is not text; name its dataset.encoding")
    said = separator_line(text)
    separator = options.separator or ","
    shape = layout(sample_rows(text[len(said) :], separator))
    return replace(shape, n_lines_before=bool(said) + n_empty_lines(text[len(said) :], separator))


def _beyond(names: Sequence[str], shape: Layout) -> list[str]:
    """Name of the column that a separator at the end of each row makes; none without it."""
    return [f"{names[-1]} end"] if shape.has_extra_cell else []


def _without_empty(table: Any, names: Sequence[str]) -> Any:
    """Leave out columns of empty cells. Raises RaggedError if one of them holds something."""
    for name in names:
        cells = pc.drop_null(table.column(name))
        filled = pc.filter(cells, pc.not_equal(pc.utf8_trim_whitespace(cells), ""))
        if len(filled):
            raise RaggedError(f"a row has more cells than the header: '{filled[0].as_py()}'")
        table = table.drop_columns([name])
    return table


def _refuse_open_quote(source: Path | bytes, options: ReadOptions, table: Any) -> None:
    """Raise ValueError if the last cell of a file has swallowed what follows an open quote."""
    last = table.column(table.num_columns - 1)
    cell = last[-1].as_py() if len(last) else None
    if cell is None or not set("\r\n") & set(cell):
        return
    end = tail(source).decode(options.encoding or "utf-8", "ignore")
    if end.rstrip().endswith(cell.rstrip()[-8:]):
        raise ValueError(f"a quote is never closed, before '{' '.join(cell.split())[:40]}'")


def _arguments(
    options: ReadOptions, shape: Layout, names: Sequence[str], wanted: Sequence[str]
) -> dict[str, Any]:
    """For Arrow: every cell as text, and rows that are too long or too short are refused."""
    beyond = _beyond(names, shape)
    every = [*names, *beyond]
    encoding = "utf-8" if options.encoding in (None, "utf-8-sig") else options.encoding
    return {
        "read_options": arrow_csv.ReadOptions(
            block_size=BLOCK,
            column_names=every,
            skip_rows=shape.n_lines_before,
            skip_rows_after_names=1,
            encoding=encoding,
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=options.separator or ",", newlines_in_values=True
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(every, pa.string()),
            null_values=null_words(options),
            strings_can_be_null=True,
            include_columns=[*wanted, *beyond],
        ),
    }
