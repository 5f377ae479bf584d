"""The file of predictions: parquet, or a CSV that the program which wrote the input opens, too."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv

from student_perf.atomic import check_place
from student_perf.errors import ConfigError
from student_perf.tables.content import head, unpacked
from student_perf.tables.options import PLAIN, ReadOptions

_ENDINGS = (".csv", ".txt", ".tsv", ".parquet")
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_UNICODE = (None, "utf-8", "ascii")


def is_parquet(target: Path) -> bool:
    """Whether the file keeps types, and no text is a formula there."""
    return target.suffix.lower() == ".parquet"


def check_target(source: Path, target: Path) -> None:
    """Raise ConfigError for a file that cannot be written, or would replace the input."""
    ending = target.suffix.lower()
    if ending not in _ENDINGS:
        problem = (
            "is of a spreadsheet, which is only read" if ending in _SPREADSHEETS else "is unknown"
        )
        raise ConfigError(
            f"{target}: the ending '{target.suffix}' {problem}; use one of {', '.join(_ENDINGS)}"
        )
    check_place(target, "output")
    if target.resolve() == source.resolve():
        raise ConfigError(f"{target}: is also the input; name another file for the predictions")


def form_like(source: Path, options: ReadOptions, target: Path) -> ReadOptions:
    """How the predictions for a file that is read so are written: a CSV with its separator and
    decimal sign, and where it is not UTF-8 as UTF-8 with a byte order mark, by which spreadsheets
    know it. Parquet, and what is asked of other formats, is `PLAIN`.
    """
    if options.separator is None or is_parquet(target):
        return PLAIN
    form = ReadOptions(options.separator, options.decimal or ".", encoding="utf-8")
    if options.encoding in _UNICODE:
        return form
    if form == PLAIN and head(unpacked(source, source.name)[0]).isascii():
        return form  # the training file was in this encoding, this one does not show it
    return ReadOptions(form.separator, form.decimal, encoding="utf-8-sig")


@contextmanager
def open_writer(target: Path, schema: pa.Schema, form: ReadOptions) -> Iterator[Any]:
    """Writer of tables to a draft, which becomes `target` at the end and goes after a failure."""
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with _opened(draft, target, schema, form) as writer:
            yield writer
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _opened(draft: Path, target: Path, schema: pa.Schema, form: ReadOptions) -> Iterator[Any]:
    if is_parquet(target) or form == PLAIN:
        writer = pq.ParquetWriter if is_parquet(target) else arrow_csv.CSVWriter
        with writer(draft, schema) as opened:
            yield opened
        return
    with draft.open("w", encoding=form.encoding, newline="") as file:
        yield _Rows(file, schema, form)


class _Rows:
    """Writes a CSV with a separator and a decimal sign, which Arrow's writer does not take."""

    def __init__(self, file: IO[str], schema: pa.Schema, form: ReadOptions) -> None:
        assert form.separator is not None
        self._decimal = form.decimal or "."
        self._writer = csv.writer(file, delimiter=form.separator, lineterminator="\n")
        self._writer.writerow(schema.names)

    def write_table(self, table: pa.Table) -> None:
        """Write the next rows; numbers with as many digits as give them back to the last bit."""
        columns = [self._texts(column).to_pylist() for column in table.columns]
        self._writer.writerows(zip(*columns, strict=True))

    def _texts(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        if not pa.types.is_floating(column.type):
            return column
        return pc.replace_substring(column.cast(pa.string()), ".", self._decimal)
