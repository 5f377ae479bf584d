"""Rows that a message names, with the line of the training file on which a person finds them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from student_perf.config.schema import DatasetConfig, FileDataset
from student_perf.errors import DataError
from student_perf.tables.files import first_line
from student_perf.tables.raw import RawTable

_ROW = re.compile(r"((?:first: |\()row )(\d+)(?=\))")
_LEAVE_ROWS_OUT = {"drop_missing_target", "drop_duplicates", "filter_rows"}


def with_lines(message: str, config: DatasetConfig, raw: RawTable) -> str:
    """The message with `, line N` after each row that it names, as it is if the lines are not known
    or a cleaning step leaves rows out.
    """
    steps = {step["step"] if isinstance(step, Mapping) else step for step in config.clean}
    if not _ROW.search(message) or not isinstance(config, FileDataset) or steps & _LEAVE_ROWS_OUT:
        return message
    try:
        first = first_line(Path(config.path).expanduser(), raw.options, len(raw.table))
    except DataError:  # it has gone or changed since it was read
        return message
    if first is None:
        return message
    return _ROW.sub(lambda found: f"{found[0]}, line {first + int(found[2])}", message)
