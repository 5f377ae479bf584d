"""JSON: a list of records, or one record a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from student_perf.tables.numbers import plain_cells, typed_cells
from student_perf.tables.options import ReadOptions
from student_perf.tables.raw import RawTable, table_of
from student_perf.tables.text import null_words


def read_json(text: str, options: ReadOptions) -> RawTable:
    """The table of records, columns in the order of their first appearance.

    Raises:
        ValueError: It holds no records, or a cell that is a list or a record.
    """
    columns = _columns(text, options)
    return table_of({n: typed_cells(cells, options) for n, cells in columns.items()}, options)


def json_cells(text: str, options: ReadOptions) -> pd.DataFrame:
    """As `read_json`, but with cells as they are: numbers, and text."""
    columns = _columns(text, options)
    return pd.DataFrame({name: plain_cells(cells) for name, cells in columns.items()})


def _columns(text: str, options: ReadOptions) -> dict[str, list[Any]]:
    records = _records(text)
    names = list(dict.fromkeys(name for record in records for name in record))
    missing = set(null_words(options))
    columns = {}
    for name in names:
        cells = [record.get(name) for record in records]
        nested = next((cell for cell in cells if isinstance(cell, (list, dict))), None)
        if nested is not None:
            raise ValueError(
                f"column '{name}' holds lists or records, a cell takes one value; split the column"
            )
        columns[name] = [None if str(cell) in missing else cell for cell in cells]
    return columns


def _records(text: str) -> list[Mapping[str, Any]]:
    try:
        if text.lstrip().startswith("["):
            records = json.loads(text)
        else:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON, as a list of records or one a line: {error}") from error
    wrong = next((record for record in records if not isinstance(record, Mapping)), None)
    if wrong is not None or not records:
        raise ValueError('JSON is read as records: [{"a": 1}, {"a": 2}], or one a line')
    return list(records)
