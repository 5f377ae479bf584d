"""What a table is, by its name: known before any table is read or imported."""

from __future__ import annotations

from pathlib import Path

from student_perf.config.overrides import literal
from student_perf.config.search_path import config_options
from student_perf.errors import ConfigError, suggest
from student_perf.tables.options import ENDINGS


def named_table(table: str) -> list[str]:
    """The overrides that choose a file, or a dataset of `conf/dataset`. Raises ConfigError if it is
    neither.
    """
    if Path(table).expanduser().is_file():
        return ["dataset=csv", f"dataset.path={literal(table, 'dataset.path')}"]
    if table in (options := config_options("dataset")):
        return [f"dataset={table}"]
    if Path(table).suffix.lower() in ENDINGS or "/" in table:
        raise ConfigError(f"{table}: no such file; name one, or a dataset of conf/dataset")
    raise ConfigError(f"{table}: is neither a file nor a dataset; {suggest(table, options)}")
