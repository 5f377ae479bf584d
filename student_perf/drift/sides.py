"""The two sides of a drift report: files, datasets of `conf/dataset`, or the data of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.explain import explain_composition_error
from student_perf.config.load import compose_config, register_resolvers, validate
from student_perf.config.recorded import load_recorded
from student_perf.config.schema import DatasetConfig
from student_perf.data import Dataset, load_dataset
from student_perf.data.columns import as_text
from student_perf.data.contract import Contract, make_contract
from student_perf.data.dataset import trimmed_names
from student_perf.data.features import prepare_features, prepared_target
from student_perf.data.spellings import declared_spellings
from student_perf.drift.named import named_side
from student_perf.errors import ConfigError, DataError, TrackingError, suggest
from student_perf.runs.layout import CONFIG_FILE
from student_perf.runs.record import RunRecord
from student_perf.store.address import default_tracking
from student_perf.store.find import find_kept
from student_perf.store.reader import fetch_file
from student_perf.tables.files import iter_tables, left_out_at_end, new_file_options, read_file
from student_perf.tables.options import ReadOptions
from student_perf.text import column_name

_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class Side:
    """Rows of one side.

    `target` holds labels or numbers, None if the side has none; `dataset` is where the rows come
    from, None for a file; `left_out` says what the end of a file held beside rows.
    """

    name: str
    features: pd.DataFrame
    target: pd.Series | None = None
    dataset: Dataset | None = None
    left_out: str = ""


@dataclass(frozen=True)
class Rules:
    """How rows of a file become features: a contract, and the config that defines the target."""

    contract: Contract
    config: DatasetConfig | None


def load_sides(
    reference: str,
    current: str,
    named: Mapping[str, Any] | None = None,
    target: str | None = None,
    contract: Contract | None = None,
    model: str | None = None,
    store: str | None = None,
) -> tuple[Side, Side, Rules | None]:
    """Both sides, with columns that compare, and the rules for the files among them.

    If one side is a dataset or a run, a file on the other side is cleaned and typed by its rules.
    With a `contract`, that of `model`, every file is. Two files alone are compared as they are.

    Args:
        reference: A CSV or parquet file, `DATASET [overrides]` of `conf/dataset`, or a run.
        current: The other side, named in the same way.
        named: How files are written, if not as the training file, by the keys of
            `tables.options.ReadOptions`.
        target: The target's column, if both sides are files.
        contract: That of `model`.
        model: The run that the model comes from.
        store: The tracking store of runs that are not on disk; by default the default one.

    Raises:
        ConfigError: A side has no such name.
        DataError: A side cannot be read.
    """
    configs = [_config(text, store) for text in (reference, current)]
    datasets = [load_dataset(config) if config else None for config in configs]
    rules = None
    if contract is not None and model is not None:
        made_from = _of_model(model, store)
        rules = Rules(contract, next((c for c in (made_from, *configs) if c), None))
    for config, dataset in zip(configs, datasets, strict=True):
        if rules is None and config is not None and dataset is not None:
            rules = Rules(make_contract(dataset, np.arange(dataset.n_rows), config), config)
    left, right = (
        _of_dataset(text, dataset) if dataset else _of_file(text, named or {}, target, rules)
        for text, dataset in zip((reference, current), datasets, strict=True)
    )
    return left, right, rules


def _config(text: str, store: str | None) -> DatasetConfig | None:
    """The dataset config that a side names, None for a file."""
    match named_side(text, store):
        case RunRecord() as record:
            return _of_run(record, store)
        case list(words):
            return _composed(words)
    return None


def _composed(overrides: Sequence[str]) -> DatasetConfig:
    register_resolvers()
    try:
        return validate(compose_config(overrides)).dataset
    except Exception as error:
        raise explain_composition_error(error, overrides) from error


def _of_run(record: RunRecord, store: str | None) -> DatasetConfig:
    """The dataset config of a run, as it was composed then."""
    return load_recorded(fetch_file(record, store or default_tracking().uri, CONFIG_FILE)).dataset


def _of_model(model: str, store: str | None) -> DatasetConfig | None:
    """Config of the rows that a model was made from; None for a model without a run here."""
    try:
        return _of_run(find_kept(model, store), store)
    except (ConfigError, TrackingError):
        return None


def _of_dataset(text: str, dataset: Dataset) -> Side:
    labels = pd.Series(dataset.target_labels(dataset.target), name=dataset.target_name)
    target = labels.astype("str") if dataset.classes else labels
    return Side(text, dataset.features, target, dataset)


def _of_file(text: str, named: Mapping[str, Any], target: str | None, rules: Rules | None) -> Side:
    if rules is None:
        return _of_plain_file(text, named, target)
    contract, path = rules.contract, Path(text)
    options = new_file_options(path, contract.options, named, contract.number_columns)
    once = contract.sources | {contract.target}
    parts = list(iter_tables(path, options, _ROWS_AT_ONCE, once))
    table = trimmed_names(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame()
    _refuse_empty(text, table)
    features, _ = prepare_features(table, contract, options)
    column = table.get(contract.target)
    labels = None if column is None else _labels(column, rules, options)
    return Side(text, features, labels, left_out=left_out_at_end(path, options))


def _of_plain_file(text: str, named: Mapping[str, Any], target: str | None) -> Side:
    """A file beside another one, both as they are."""
    options = new_file_options(Path(text), ReadOptions(), named)
    table = trimmed_names(read_file(Path(text), options).table)
    _refuse_empty(text, table)
    target = None if target is None else column_name(target)
    if target is not None and target not in table:
        raise DataError(
            f"--target {target}: {text} has no such column; "
            f"{suggest(target, map(str, table.columns))}"
        )
    features = table.drop(columns=[target] if target else [])
    left_out = left_out_at_end(Path(text), options)
    return Side(text, features, table[target] if target else None, left_out=left_out)


def _refuse_empty(text: str, table: pd.DataFrame) -> None:
    if table.empty:
        raise DataError(f"{text}: holds no rows; drift needs some on both sides")


def _labels(column: pd.Series, rules: Rules, options: ReadOptions) -> pd.Series | None:
    """A file's target as the dataset has it: cut into bands, as numbers, or as text.

    None if it holds none of the classes, for example numbers whose bands are unknown.
    """
    config, classes = rules.config, rules.contract.classes
    cells = prepared_target(column, rules.contract, options)
    numbers = cells.map(lambda cell: cell if isinstance(cell, float) else np.nan).astype("float64")
    if config is not None and config.bands is not None:
        codes = np.digitize(numbers.to_numpy(), config.bands.edges)
        labels = pd.Series(np.asarray(config.bands.labels)[codes], name=column.name)
        return labels.astype("str").where(numbers.notna())
    if not classes:
        return numbers
    spelling = declared_spellings(classes)
    texts = as_text(cells).str.strip()
    labels = texts.map(lambda text: spelling.of(str(text)), na_action="ignore")
    return labels if labels.isin(classes).any() else None
