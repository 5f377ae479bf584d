"""Tables from files of any format: what a file is shows in its content, not in its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as pf
import pyarrow.parquet as pq

from student_perf.errors import DataError, StudentPerfError, one_line, suggest
from student_perf.tables.arff import read_arff
from student_perf.tables.content import (
    MOST_BYTES,
    Kind,
    content,
    head,
    kind_of,
    opened,
    unpacked,
)
from student_perf.tables.json_records import json_cells, read_json
from student_perf.tables.memory import available_memory, rows_that_fit
from student_perf.tables.numbers import (
    LARGEST,
    missing_numbers,
    typed_column,
    without_declared,
)
from student_perf.tables.options import (
    ENDINGS,
    ReadOptions,
    check_input,
    named_for_commands,
    one_character,
)
from student_perf.tables.ragged import RaggedError
from student_perf.tables.raw import RawTable, table_of
from student_perf.tables.sheets import choose_sheet, read_sheet, row_of_first_row, sheet_cells
from student_perf.tables.sniff import (
    OptionError,
    complete_options,
    fitting_encoding,
    fitting_separator,
    other_decimal,
    sniff_encoding,
)
from student_perf.tables.text import (
    BLOCK,
    about_blank,
    is_given_name,
    is_index,
    iter_text,
    line_of_first_row,
    n_blank_rows,
    null_words,
    read_text,
)
from student_perf.text import column_name, spreadsheet_cell

_MOST_BYTES = MOST_BYTES
_READING = 2.5  # times the size of its cells is taken while a table is read and typed
_PROBLEMS = (ValueError, TypeError, NotImplementedError, OSError)


def read_file(path: Path, options: ReadOptions | None = None) -> RawTable:
    """Read the table in a file that the user names.

    Raises:
        DataError: Names `dataset.path` and the fix.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(path.name, [name for name in near if name.lower().endswith(ENDINGS)])
        raise DataError(f"dataset.path={path}: {problem}; {hint}")
    _refuse_oversized(path, f"dataset.path={path}")
    return parse_table(path, path.name, options or ReadOptions(), f"dataset.path={path}")


def parse_table(source: Path | bytes, name: str, options: ReadOptions, origin: str) -> RawTable:
    """Parse the table in a file or in its bytes.

    Args:
        source: Path or content.
        name: File name.
        options: How it is written; what is not named is found out.
        origin: Start of error messages.

    Raises:
        DataError: The file is empty, or its content is not a table, or may be read in two ways.
    """
    _refuse_empty(source, origin)
    try:
        source, name = unpacked(source, name)
        _refuse_empty(source, origin)
        return _read(source, name, _settled(source, name, options))
    except StudentPerfError:
        raise
    except _PROBLEMS as error:
        raise _unreadable(error, origin) from error


def read_column(path: Path, options: ReadOptions, name: str) -> pd.Series:
    """One column of a file, for a first look; of text and parquet no other one is read.

    Raises:
        DataError: As `read_file`, and if there is no such column.
    """
    origin = f"dataset.path={path}"
    _refuse_oversized(path, origin)
    try:
        source, held = unpacked(path, path.name)
        kind = kind_of(source, held)
        if kind == "text":
            table = read_text(source, options, only=name).table
        elif kind == "parquet" and name in pq.read_schema(opened(source)).names:
            table = _named_levels(pd.read_parquet(opened(source), columns=[name]))
            table = _with_numbers(table, options).table
        else:
            table = _read(source, held, options).table
    except StudentPerfError:
        raise
    except _PROBLEMS as error:
        raise _unreadable(error, origin) from error
    columns = {column_name(column): table[column] for column in table.columns}
    if name not in columns:
        hint = suggest(name, columns)
        if len(columns) > 2 and all(is_given_name(column) for column in list(columns)[1:]):
            hint = "its first line holds a single cell; if that is a title, take it out of the file"
        raise DataError(f"dataset.target={name}: no such column in {path.name}; {hint}")
    return columns[name]


def settled_options(path: Path, options: ReadOptions) -> ReadOptions:
    """The options with everything named that the file's format needs.

    Raises:
        DataError: As `read_file`.
    """
    origin = f"dataset.path={path}"
    if not path.is_file():
        read_file(path, options)  # says why
    _refuse_empty(path, origin)
    try:
        source, name = unpacked(path, path.name)
        return _settled(source, name, options)
    except StudentPerfError:
        raise
    except _PROBLEMS as error:
        raise _unreadable(error, origin) from error


def new_file_options(
    path: Path, trained: ReadOptions, named: Mapping[str, Any], numbers: Collection[str] = ()
) -> ReadOptions:
    """How a file of new rows is read: as the training file, but for what is named or what it can
    only have otherwise.

    With another separator another program has written it, so its decimal sign is found out anew.

    Args:
        path: The file.
        trained: How the training file was read.
        named: Keys of `ReadOptions` that the user names.
        numbers: Columns that were numbers in the training file.

    Raises:
        DataError: As `iter_tables`, or the file writes numbers in another way.
    """
    with _for_new_rows(path):
        source, name = unpacked(path, path.name)
        kind = kind_of(source, name)
        options = _with_named(trained, named)
        if kind in ("text", "arff", "json") and trained.encoding and "encoding" not in named:
            options = replace(options, encoding=fitting_encoding(source, trained.encoding))
        if kind == "text" and "separator" not in named:
            options = replace(options, separator=fitting_separator(source, options))
        keeps_signs = options.separator == trained.separator or kind != "text"
        if not keeps_signs and not {"decimal", "thousands"} & set(named):
            options = replace(options, decimal=None, thousands=None)
        options = _settled(source, name, options)
        if kind == "text" and keeps_signs and "decimal" not in named:
            _refuse_other_signs(source, options, numbers)
        if kind != "sheet":
            options = replace(options, sheet=None)
        return options if kind in ("text", "arff", "json") else replace(options, encoding=None)


def _with_named(trained: ReadOptions, named: Mapping[str, Any]) -> ReadOptions:
    """The training's options with those that the user names. A sign that is named for another use
    than in training leaves its former one open.
    """
    options = replace(trained, **named)
    if options.decimal is None or options.decimal != options.thousands:
        return options
    if "thousands" not in named:
        return replace(options, thousands=None)
    return options if "decimal" in named else replace(options, decimal=None)


def _refuse_other_signs(
    source: Path | bytes, options: ReadOptions, numbers: Collection[str]
) -> None:
    shown = other_decimal(source, options, numbers)
    if shown is not None:
        other = "." if options.decimal == "," else ","
        line = f"\"dataset.decimal='{other}'\""
        if options.thousands == other:
            line += f" \"dataset.thousands='{options.decimal}'\""
        raise OptionError(
            f"its numbers are written like '{shown}', those of the training file with "
            f"'{options.decimal}'; name the sign: {line}"
        )


def iter_tables(
    path: Path, options: ReadOptions, n_rows: int, once: Collection[str] = ()
) -> Iterator[pd.DataFrame]:
    """Read a file of new rows in tables of about `n_rows`, so that memory does not grow with a text
    or parquet file.

    Cells are as the file holds them, numbers or text, since not this file but the training decides
    what is a number; the same cells are missing as with `parse_table`.

    Raises:
        DataError: As `read_file`; what can be named is named as `--read KEY=VALUE`. A column of
            `once` occurs twice in the header of a text file or sheet.
    """
    with _for_new_rows(path):
        source, name = unpacked(path, path.name)
        kind = kind_of(source, name)
        options = _settled(source, name, options)
        if kind == "parquet":
            with pq.ParquetFile(opened(source)) as file:
                _refuse_wide_groups(file.metadata, n_rows)
                first = 0
                for batch in file.iter_batches(n_rows):
                    table = _named_levels(batch.to_pandas())
                    yield _with_counted_index(table, file.schema_arrow.pandas_metadata, first)
                    first += batch.num_rows
        elif kind == "text":
            yield from iter_text(source, options, n_rows, once)
        elif kind == "sheet":
            yield sheet_cells(source, options, once)
        elif kind == "json":
            yield json_cells(_text(source, options), options)
        else:
            yield _read(source, name, options).table


def left_out_at_end(path: Path, options: ReadOptions) -> str:
    """What is said of rows of empty cells at the end of a text file; empty if there are none."""
    with _for_new_rows(path):
        source, name = unpacked(path, path.name)
        if kind_of(source, name) != "text":
            return ""
        n_rows = n_blank_rows(source, _settled(source, name, options))
        return about_blank(n_rows) if n_rows else ""


def first_line(path: Path, options: ReadOptions, n_rows: int) -> int | None:
    """Line of a text file, or row of a sheet, in which the first of its `n_rows` rows stands, from
    1, as an editor or a spreadsheet shows it. None for other formats, and if the others do not
    follow it line by line.
    """
    with _for_new_rows(path):
        source, name = unpacked(path, path.name)
        kind = kind_of(source, name)
        if kind == "text":
            return line_of_first_row(source, _settled(source, name, options), n_rows)
        return row_of_first_row(source, options) if kind == "sheet" else None


@contextmanager
def _for_new_rows(path: Path) -> Iterator[None]:
    """Errors of a file that a command reads: no config names its options."""
    check_input(path)
    try:
        _refuse_empty(path, str(path))
        yield
    except StudentPerfError as error:
        raise DataError(named_for_commands(str(error))) from error
    except _PROBLEMS as error:
        raise DataError(named_for_commands(str(_unreadable(error, str(path))))) from error


def _settled(source: Path | bytes, name: str, options: ReadOptions) -> ReadOptions:
    kind = kind_of(source, name)
    options = replace(
        options,
        separator=one_character(options.separator, "dataset.separator"),
        decimal=one_character(options.decimal, "dataset.decimal"),
        thousands=one_character(options.thousands, "dataset.thousands"),
    )
    if options.decimal is None and options.thousands in (",", "."):
        options = replace(options, decimal="." if options.thousands == "," else ",")
    if options.decimal is not None and options.decimal == options.thousands:
        raise OptionError(
            f"dataset.decimal='{options.decimal}' and dataset.thousands='{options.thousands}': one "
            "sign cannot be both; leave one of the two out"
        )
    if kind == "text":
        return complete_options(source, options)
    options = replace(options, separator=None)
    if kind == "sheet":
        return replace(options, sheet=choose_sheet(source, options.sheet))
    if kind in ("arff", "json"):
        return replace(options, encoding=options.encoding or sniff_encoding(source))
    return options


def _read(source: Path | bytes, name: str, options: ReadOptions) -> RawTable:
    kind = kind_of(source, name)
    if kind == "text":
        return read_text(source, options)
    raw = _read_typed(source, kind, options)
    if not missing_numbers(options):
        return raw
    # Text is compared with the declared words as it is written, numbers by their value.
    table = raw.table.copy(deep=False)
    for name in table.select_dtypes("number").columns:
        table[name] = without_declared(table[name], options)
    return replace(raw, table=table)


def _read_typed(source: Path | bytes, kind: Kind, options: ReadOptions) -> RawTable:
    """The table of a file that holds numbers as numbers."""
    if kind == "sheet":
        return read_sheet(source, options)
    if kind == "json":
        return read_json(_text(source, options), options)
    if kind == "arff":
        table, notes = read_arff(_text(source, options))
        return RawTable(table, options, tuple(notes))
    if kind == "feather":
        table, notes = _without_index(pf.read_table(opened(source)).to_pandas())
    else:
        table, notes = _without_index(pd.read_parquet(opened(source)))
    raw = _with_numbers(table, options)
    return replace(raw, notes=(*notes, *raw.notes))


def _with_numbers(table: pd.DataFrame, options: ReadOptions) -> RawTable:
    """The table with columns of text as numbers where a text file with these cells gives numbers,
    unless they lose digits.
    """
    empty, missing = pa.array(null_words(options)), pa.scalar(None, pa.string())
    typed = {}
    for name, column in table.items():
        if isinstance(column.dtype, pd.StringDtype):
            texts = pa.array(column, pa.string())
            texts = pc.if_else(pc.is_in(texts, value_set=empty), missing, texts)
            one = typed_column(texts, options)
            is_text = pa.types.is_string(one.cells.type)
            if is_text or not (pc.max(pc.abs(one.cells)).as_py() or 0) > LARGEST:
                typed[str(name)] = one
    raw, table = table_of(typed, options), table.copy(deep=False)
    for name in raw.table.select_dtypes("number"):
        table[name] = raw.table[name].to_numpy()
    return replace(raw, table=table)


def _text(source: Path | bytes, options: ReadOptions) -> str:
    return content(source).decode(options.encoding or "utf-8").removeprefix("\ufeff")


def _without_index(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the index that pandas has written as a column; an index with names is columns, as
    a note says.
    """
    levels = [str(name) for name in table.index.names if name is not None]
    if levels:
        notes = [f"the index is a column: {', '.join(levels)}"]
        return _named_levels(table), notes
    first = str(table.columns[0]) if table.shape[1] else ""
    named = first in ("__index_level_0__", "Unnamed: 0")
    return (table.iloc[:, 1:] if named and is_index(table.iloc[:, 0]) else table), []


def _named_levels(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the levels of its index that have a name as columns."""
    return table.reset_index([name for name in table.index.names if name is not None])


def _with_counted_index(
    table: pd.DataFrame, metadata: Mapping[str, Any] | None, first: int
) -> pd.DataFrame:
    """A part of a file, from row `first` on, with the index of the whole that pandas keeps as a
    range with a name, and gives back only with all its rows.
    """
    for level in (metadata or {}).get("index_columns", ()):
        if isinstance(level, Mapping) and level["name"] and level["name"] not in table:
            start = level["start"] + first * level["step"]
            values = pd.RangeIndex(start, start + len(table) * level["step"], level["step"])
            table.insert(0, level["name"], values.to_numpy())
    return table


def _refuse_empty(source: Path | bytes, origin: str) -> None:
    if not head(source).strip():
        raise DataError(f"{origin}: the file is empty; it needs a header row and rows below")


def _unreadable(error: Exception, origin: str) -> DataError:
    if isinstance(error, (OptionError, RaggedError)):
        return DataError(f"{origin}: {error}")
    hint = "see how the first lines of the file are written"
    return DataError(f"{origin}: cannot be read as a table ({_problem(error)}); {hint}")


def _problem(error: Exception) -> str:
    if "straddl" in str(error):  # Arrow's word for a row that does not fit into a block
        return f"a row, or a quoted cell that never ends, is longer than {BLOCK:,} bytes"
    if isinstance(error, (pa.ArrowInvalid, UnicodeDecodeError)):
        return one_line(error)[:200]
    return str(error)[:300]


def _refuse_oversized(path: Path, origin: str) -> None:
    """Raise DataError for a table that does not fit into memory, since it is read as a whole."""
    try:
        n_rows, size = _rows_and_bytes(path)
    except (ValueError, OSError):
        return  # the parser says why
    needed, available = _READING * size, available_memory()
    if needed > available:
        fitting = rows_that_fit(n_rows, needed, available)
        raise DataError(
            f"{origin}: about {n_rows} rows need {needed / 1e9:.2g} GB of memory to be read, and "
            f"{available / 1e9:.2g} GB are available; write a sample of about {fitting} rows to "
            "another file"
        )


def _rows_and_bytes(path: Path) -> tuple[int, float]:
    """About how many rows a file has, by its head, and their size in memory."""
    if kind_of(path, path.name) == "parquet":
        metadata = pq.read_metadata(path)
        groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        # Equal values take hardly any room in the file, but eight bytes each in memory.
        return metadata.num_rows, max(sum(groups), 8 * metadata.num_rows * metadata.num_columns)
    start, size = head(path), path.stat().st_size
    n_lines = max(1, start.count(b"\n"))
    n_cells = n_lines + max(start.count(sign) for sign in (b",", b";", b"\t", b"|"))
    share = len(start) / size if size else 1.0
    # A long number takes half of its text; what is longer than that is words.
    return round(n_lines / share), max(8 * n_cells / share, size / 2)


def _refuse_wide_groups(metadata: pq.FileMetaData, n_rows: int) -> None:
    """Raise ValueError if `n_rows` rows, or a row group, unpack to more than fits."""
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).total_byte_size
        size = max(size, 8 * min(n_rows, metadata.num_rows) * metadata.num_columns)
        if size > _MOST_BYTES:
            raise ValueError(
                f"row group {number} unpacks to {size / 2**30:.1f} GiB, more than "
                f"{_MOST_BYTES / 2**30:g}; write it in smaller row groups"
            )


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV for people, too: no cell is a formula to a spreadsheet.

    >>> csv_text(pd.DataFrame({"group": ["=1+1", "-2"], "gap": [-0.5, 1.0]})).split()
    ['group,gap', "'=1+1,-0.5", '-2,1.0']
    """
    return str(table.map(spreadsheet_cell).rename(columns=spreadsheet_cell).to_csv(index=False))
