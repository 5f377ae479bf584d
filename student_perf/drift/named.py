"""What a side of a comparison is, by its name: known before any table is read or imported."""

from __future__ import annotations

import shlex
from pathlib import Path

from student_perf.config.search_path import config_options
from student_perf.errors import ConfigError, suggest
from student_perf.runs.record import RunRecord
from student_perf.store.find import find_run
from student_perf.tables.options import ENDINGS


def named_side(text: str, store: str | None) -> Path | list[str] | RunRecord:
    """A file, a dataset of `conf/dataset` with its overrides, or the record of a run.

    Raises:
        ConfigError: It is none of them.
        TrackingError: The store of a run does not answer.
    """
    path = Path(text)
    if path.is_file():
        return path
    words = shlex.split(text)
    options = config_options("dataset")
    if words and words[0] in options:
        return [f"dataset={words[0]}", *words[1:]]
    if path.suffix.lower() in ENDINGS and not path.is_dir():
        raise ConfigError(f"{text}: no such file; name a CSV or parquet file, a dataset or a run")
    try:
        return find_run(text, store)
    except ConfigError as error:
        hint = suggest(words[0] if words else "", options)
        raise ConfigError(f"{error}; or a dataset of conf/dataset: {hint}") from error
