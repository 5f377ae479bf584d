"""The frozen dataset that every later step works on: features, and apart from them the target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from student_perf.config.overrides import declaration, setting
from student_perf.config.schema import DatasetConfig, FileDataset
from student_perf.data.booleans import booleans_as_numbers, is_boolean
from student_perf.data.cleaning import (
    Declared,
    LineageStep,
    after_steps,
    clean_table,
    derived_columns,
    numeric_steps,
)
from student_perf.data.columns import column_roles, label_of, matching, with_declared_text
from student_perf.data.dates import date_advice, looks_like_dates, times_of
from student_perf.data.fingerprint import combine_columns, fingerprint_columns
from student_perf.data.lines import with_lines
from student_perf.data.missing import missing_line
from student_perf.data.sources import raw_fingerprint, read_source
from student_perf.data.target import encode_target, positive_second
from student_perf.data.totals import sums_up
from student_perf.errors import DataError, suggest
from student_perf.scoring.answers import effective_number
from student_perf.scoring.metrics import metrics_of
from student_perf.tables.numbers import (
    NumberForm,
    about_other_decimal,
    parse_numbers,
    with_other_decimal,
)
from student_perf.tables.options import ReadOptions
from student_perf.tables.raw import RawTable
from student_perf.text import column_name, plural

_FIRST_ROWS = 1000
_MOST_WORDS = 5  # named to be declared as missing
_HASH_BASE = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio, Knuth's multiplier of hashes
_DATES = ("date", "datetime", "datetime64")
_NO_FEATURES = ("time", "timedelta", "timedelta64", "bytes")
_DROP = "add the column to dataset.drop if it is an identifier"


@dataclass(frozen=True)
class Dataset:
    """Rows ready for an experiment.

    Attributes:
        features: Table of n rows, numbered 0..n-1: float64 columns for numbers, `str` columns for
            categories, missing cells as NaN.
        target: Shape (n,): class codes 0..K-1 in the order of `classes` (int64), or the numbers to
            predict (float64). Read-only, as all trials of a sweep share it.
        classes: Labels, lowest first; empty for numbers.
        sha256: Hash of features and target, made of the hashes in `column_sha256`.
        raw_sha256: Hash of the file's bytes; None without a file.
        lineage: What reading and each cleaning step did.
        dropped: The columns left out, which may still define groups of rows.
        ordered: Whether the classes are grades.
        read_as: How the file was read; None without a file.
        forms: How columns write their numbers, the target among them, where that is more than
            `read_as` says; with a column of numbers that are labels.
        times: When each row arose, shape (n,), larger is later; None without `dataset.time`.
        weights: Weight of each row, shape (n,), above 0; None without `dataset.weight`.
        groups: Number of each row's group, shape (n,); None without `dataset.group` or
            `split.group`.
        is_turned: Whether `dataset.positive` has turned the order of two classes.
        is_listed: Whether `dataset.classes` has listed classes without an order.
        text: Features that are text, of which the words count.
        uncut: The numbers of a target that is cut into bands, shape (n,); None of others.
    """

    name: str
    version: str
    task: str
    target_name: str
    features: pd.DataFrame
    target: np.ndarray
    classes: tuple[str | int, ...]
    sha256: str
    raw_sha256: str | None = None
    lineage: tuple[LineageStep, ...] = ()
    dropped: pd.DataFrame = field(default_factory=pd.DataFrame)
    ordered: bool = False
    column_sha256: Mapping[str, str] = field(default_factory=dict)
    read_as: ReadOptions | None = None
    forms: Mapping[str, NumberForm] = field(default_factory=dict)
    times: np.ndarray | None = None
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None
    is_turned: bool = False
    is_listed: bool = False
    text: tuple[str, ...] = ()
    uncut: np.ndarray | None = None

    def __post_init__(self) -> None:
        for values in (self.target, self.times, self.weights, self.groups, self.uncut):
            if values is not None:
                values.setflags(write=False)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.features)

    def rows(self, numbers: np.ndarray) -> pd.DataFrame:
        """Features of the rows with these numbers, in memory of their own: a model may change it.

        pandas only shares a table in which all rows are taken in order, but scikit-learn with
        `copy=False` writes into memory that pandas shares.
        """
        if np.array_equal(numbers, np.arange(self.n_rows)):
            return self.features.copy()
        return self.features.iloc[numbers]

    def column(self, name: str, key: str) -> pd.Series:
        """A column by name, whether the model gets it or not.

        Args:
            name: Of the column; the target is none of them.
            key: The option that names it, for the message.

        Raises:
            DataError: There is no such column.
        """
        for table in (self.features, self.dropped):
            if name in table:
                return table[name]
        known = [str(column) for column in (*self.features, *self.dropped)]
        raise DataError(f"{key}={name}: no such column in {self.name}; {suggest(name, known)}")

    def weights_of(self, numbers: np.ndarray) -> np.ndarray | None:
        """Weights of the rows with these numbers; None if rows have none."""
        return None if self.weights is None else self.weights[numbers]

    def n_effective(self, numbers: np.ndarray) -> float:
        """How many independent rows of equal weight these are worth (Kish 1965); the rows of a
        group are one.
        """
        weights, groups = self.weights_of(numbers), self.groups_of(numbers)
        n = len(numbers) if weights is None else float(effective_number(weights)[0])
        return n if groups is None else min(n, len(np.unique(groups)))

    def groups_of(self, numbers: np.ndarray) -> np.ndarray | None:
        """Groups of the rows with these numbers; None if rows have none."""
        return None if self.groups is None else self.groups[numbers]

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics that suit the target."""
        return metrics_of(self.task, self.ordered, len(self.classes))

    @property
    def notes(self) -> list[str]:
        """What reading and cleaning have decided by themselves."""
        return [note for step in self.lineage for note in step.notes]

    @cached_property
    def duplicate_groups(self) -> np.ndarray:
        """Number of each row's set of identical feature rows, shape (n,), by first appearance."""
        codes: np.ndarray = pd.factorize(_row_hashes(self.features))[0].astype(np.int64)
        return codes

    @cached_property
    def target_sha256(self) -> str:
        """Hash of what is predicted: task, classes in their order, and the code or number of each
        row. It is the same whether classes were written out or found.
        """
        content = json.dumps([self.task, [str(label) for label in self.classes]])
        column = fingerprint_columns(pd.DataFrame({"target": self.target}))
        return combine_columns({content: column["target"]})

    @property
    def numeric(self) -> list[str]:
        """Names of the numeric feature columns."""
        return [str(c) for c in self.features if self.features[c].dtype == np.float64]

    @property
    def categorical(self) -> list[str]:
        """Names of the categorical feature columns."""
        others = (str(c) for c in self.features if self.features[c].dtype != np.float64)
        return [name for name in others if name not in self.text]

    @property
    def n_missing(self) -> int:
        """Number of missing feature cells."""
        return int(self.features.isna().to_numpy().sum())

    def target_labels(self, codes: np.ndarray) -> np.ndarray:
        """Class codes as their labels; numbers stay as they are."""
        return np.asarray(self.classes, dtype=object)[codes] if self.classes else codes


@dataclass(frozen=True)
class Survey:
    """All columns of a table as they would be features, whatever the config leaves out.

    Attributes:
        columns: Cleaned and typed; those that a run would refuse are text.
        refused: Why a run would refuse a column, by its name.
        notes: What reading and cleaning have decided by themselves.
        read_as: How the file was read; None without a file.
    """

    columns: pd.DataFrame
    refused: Mapping[str, str]
    notes: tuple[str, ...]
    read_as: ReadOptions | None


def survey(config: DatasetConfig) -> Survey:
    """Look at the columns of the rows that `config` names; it may lack a target.

    Raises:
        DataError: The table cannot be read or cleaned.
    """
    raw = read_source(config)
    table = trimmed_names(raw.table)
    _check_table(table, config)
    table = with_declared_text(table, config)
    missing = getattr(config, "missing_words", None)
    sentences, as_is = _kept_as_text(table, config)
    declared = Declared("", config.categories, missing, config.categories, sentences)
    steps = [step for step in config.clean if step != "drop_missing_target"]
    percents = [column_name(name) for name in raw.percents]
    table, lineage, _ = clean_table(table, steps, declared, raw.notes, percents)
    columns, refused = {}, {}
    for name in map(str, table):
        try:
            columns[name] = _feature(table[name], name in as_is, raw.options)
        except DataError as error:
            columns[name] = table[name].astype("str").where(table[name].notna())
            refused[name] = after_steps(str(error), config.clean)
    notes = tuple(note for step in lineage for note in step.notes)
    read_as = raw.options if isinstance(config, FileDataset) else None
    return Survey(pd.DataFrame(columns), refused, notes, read_as)


def load_dataset(config: DatasetConfig) -> Dataset:
    """Read, clean and check the rows that `config` names.

    Raises:
        DataError: With the value, the rule and the fix.
    """
    raw = read_source(config)
    with ThreadPoolExecutor(1) as pool:  # the file is hashed while its table is cleaned
        raw_sha256 = pool.submit(raw_fingerprint, config)
        try:
            return _from_table(raw, config, raw_sha256)
        except DataError as error:
            message = after_steps(str(error), config.clean)
            raise DataError(with_lines(message, config, raw)) from error


def _from_table(raw: RawTable, config: DatasetConfig, raw_sha256: Future[str | None]) -> Dataset:
    table = held = trimmed_names(raw.table)
    _check_table(table, config)
    table = with_declared_text(table, config)
    percents = [column_name(name) for name in raw.percents]
    missing = getattr(config, "missing_words", None)
    labels = _listed_classes(config)
    sentences, as_is = _kept_as_text(table, config)
    known = config.categories
    declared = Declared(config.target, known, missing, known | labels, sentences)
    table, lineage, hashes = clean_table(table, config.clean, declared, raw.notes, percents)
    roles = column_roles(table, config)
    codes, order = encode_target(table[config.target], config)
    target, classes = positive_second(codes, order, config)
    features = pd.DataFrame(
        {name: _feature(table[name], name in as_is, raw.options) for name in roles.features},
        copy=False,  # else pandas makes a second table of the columns
    )
    _check_declared(features, config)
    weighted = [config.weight] if config.weight else []
    chosen = {str(name): hashes[name] for name in (*features, config.target, *weighted)}
    return Dataset(
        name=config.name,
        version=config.version,
        task=config.task,
        target_name=config.target,
        features=features,
        target=target,
        classes=classes,
        sha256=combine_columns(chosen),
        raw_sha256=raw_sha256.result(),
        lineage=lineage,
        dropped=table[roles.left_out],
        ordered=config.is_ordered,
        column_sha256=chosen,
        read_as=raw.options if isinstance(config, FileDataset) else None,
        forms=_number_forms(held, table, list(chosen), config, lineage),
        times=_times(table, config),
        weights=_weights(table[config.weight], raw.options) if config.weight else None,
        groups=_groups(table, config),
        is_turned=classes != order,
        is_listed=config.classes is not None and not config.is_ordered,
        text=tuple(n for n in sentences if n in features and features[n].dtype != np.float64),
        uncut=table[config.target].to_numpy(np.float64, copy=True) if config.bands else None,
    )


def _listed_classes(config: DatasetConfig) -> dict[str, list[str]]:
    """The labels of the target that are listed, but for those that YAML reads as truth values: they
    have the spelling of the column.
    """
    listed = [label_of(one) for one in config.classes or () if not isinstance(one, bool)]
    return {config.target: listed} if listed else {}


def _kept_as_text(table: pd.DataFrame, config: DatasetConfig) -> tuple[list[str], set[str]]:
    """Columns of text, and all whose cells stay text: these, codes and declared categories."""
    names = list(map(str, table))
    sentences = matching(config.text, names, "dataset.text")
    labels = matching(config.categorical, names, "dataset.categorical")
    return sentences, {*config.categories, *labels, *sentences}


def _number_forms(
    held: pd.DataFrame,
    table: pd.DataFrame,
    chosen: Sequence[str],
    config: DatasetConfig,
    lineage: Sequence[LineageStep],
) -> dict[str, NumberForm]:
    """Forms of columns whose cells were numbers with a percent sign, made by a step, or labels, of
    a target of numbers, and of numbers from which a step derives others.

    Args:
        held: The table as the reader gave it.
        table: The table after cleaning.
        chosen: Its columns that count; those from which others are derived do, too.
        config: That of the dataset.
        lineage: What reading and the steps have decided.
    """
    percents = {name for step in lineage for name in step.decided.get("percents", ())}
    steps = numeric_steps(config.clean)
    sources = [name for names in derived_columns(config.clean).values() for name in names]
    as_numbers = {config.target, *sources}
    forms = {}
    for name in dict.fromkeys((*chosen, *sources)):
        is_number = pd.api.types.is_numeric_dtype(table[name])
        was_number = name in held and pd.api.types.is_numeric_dtype(held[name])
        is_percent = is_number and name in percents
        if is_number and not was_number and name in steps:
            signs = steps[name]
            forms[name] = NumberForm(signs.decimal or ".", signs.thousands, True, is_percent)
        elif was_number and (is_percent or not is_number or name in as_numbers):
            forms[name] = NumberForm(is_percent=is_percent)
    return forms


def _check_table(table: pd.DataFrame, config: DatasetConfig) -> None:
    if table.shape[1] and not len(table):
        origin = f"dataset={config.name}"
        if isinstance(config, FileDataset):
            origin = f"dataset.path={config.path}"
        raise DataError(f"{origin}: has no rows below its header; check the file")
    if table.empty:
        raise DataError(
            f"dataset={config.name}: the table has {table.shape[0]} rows and {table.shape[1]} "
            "columns; an experiment needs both, check the file and dataset.separator"
        )
    for name in table.columns:
        # Arrow gives these cells as objects, in every row with a value.
        filled = table[name].iloc[:0] if table[name].dtype != object else table[name].dropna()
        if len(filled) and isinstance(filled.iloc[0], (list, dict, np.ndarray)):
            raise DataError(
                f"column '{name}': holds lists or records, a cell takes one value; split the "
                "column in the file or remove it there"
            )


def _check_declared(features: pd.DataFrame, config: DatasetConfig) -> None:
    """Refuse a range of text, and features that give a derived target away."""
    for name in config.ranges:
        if name in features and features[name].dtype != np.float64:
            line = declaration("dataset.categories", name, ["first", "...", "last"])
            raise DataError(
                f"dataset.ranges.{name}: the column holds text like "
                f"'{features[name].dropna().iloc[0]}'; a range is for numbers, declare its values: "
                f"{line}"
            )
    sources = derived_columns(config.clean).get(config.target, ())
    if given := [name for name in sources if name in features]:
        raise DataError(
            f"dataset.target={config.target}: is derived from '{given[0]}', which gives it away; "
            f"leave out what it is derived from: {setting('dataset.drop', list(sources))}"
        )


def group_numbers(column: pd.Series) -> np.ndarray:
    """Number of each row's group by first appearance, shape (n,); rows without a value are one."""
    numbers: np.ndarray = pd.factorize(column, use_na_sentinel=False)[0].astype(np.int64)
    return numbers


def groups_of(column: pd.Series, key: str) -> np.ndarray:
    """As `group_numbers`, for a column that `key` names.

    Raises:
        DataError: A row has no group; such rows together are none.
    """
    if column.isna().any():
        raise DataError(
            f"{key}={column.name}: {column.isna().sum()} of {len(column)} rows have no value "
            f"(first: row {column.isna().argmax()}); every row needs a group, remove these rows or "
            "write whose they are"
        )
    return group_numbers(column)


def _groups(table: pd.DataFrame, config: DatasetConfig) -> np.ndarray | None:
    if config.group_column is None:
        return None
    return groups_of(table[config.group_column], f"{'dataset' if config.group else 'split'}.group")


def _times(table: pd.DataFrame, config: DatasetConfig) -> np.ndarray | None:
    name = config.time
    return times_of(table[name], config.categories.get(name)) if name else None


def _weights(column: pd.Series, options: ReadOptions) -> np.ndarray:
    """The column of weights as float64, shape (n,). Raises DataError for one not above 0."""
    numbers = parse_numbers(column, options)
    weights: np.ndarray = numbers.to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if len(wrong):
        raise DataError(
            f"dataset.weight={column.name}: '{column.iloc[wrong[0]]}' is not a number above 0 "
            f"({plural(len(wrong), 'row')}, first: row {wrong[0]}); correct these rows or remove "
            "them"
        )
    return weights


def trimmed_names(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its column names as people type them: without blanks and tabs around them, and
    in NFC.

    Raises:
        DataError: Two names differ in nothing else.
    """
    names = [column_name(name) for name in table.columns]
    if names == list(table.columns):
        return table
    if repeated := [name for name in names if names.count(name) > 1]:
        raise DataError(
            f"column name '{repeated[0]}' occurs twice, but for blanks around it or how its "
            "accents are stored; rename one"
        )
    return table.set_axis(names, axis=1)


def _feature(column: pd.Series, declared: bool, options: ReadOptions) -> pd.Series:
    """Numbers and booleans as float64, everything else as text; missing cells as NaN.

    Raises DataError for values that the conversion would distort: infinities, whole numbers that
    float64 cannot hold exactly, dates, and numbers with some text among them.
    """
    if column.isna().all():
        return column.astype("float64")
    if not declared and is_boolean(column):
        return booleans_as_numbers(column)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
        values = numbers.to_numpy()
        # A look at both ends, without temporary columns, settles nearly every table.
        if max(np.fmax.reduce(values), -np.fmin.reduce(values)) > 2**53:
            _refuse(numbers, numbers.abs() == np.inf, "is infinite; replace it or drop the column")
            _refuse(column, numbers.abs() > 2**53, "loses digits as a number; " + _DROP)
        return numbers
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind == "decimal":
        return column.astype("float64")
    if kind in _DATES or (not declared and looks_like_dates(column)):
        raise DataError(date_advice(str(column.name), column.dropna().iloc[0]))
    if kind in _NO_FEATURES:
        _refuse(column, column.notna(), f"is a {kind}; derive a number from it or drop the column")
    texts = column.astype("str")
    if not declared:
        _refuse_mixed(texts, options)
    return texts


def _row_hashes(table: pd.DataFrame) -> np.ndarray:
    """A 64-bit hash of each row, shape (n,); two different rows that collide only stay together."""

    def weighted(number: int) -> np.ndarray:
        hashed = pd.util.hash_pandas_object(table.iloc[:, number], index=False).to_numpy()
        # An odd factor for each column, so that equal cells in two columns do not cancel out.
        product: np.ndarray = hashed * np.uint64(2 * pow(_HASH_BASE, number + 1, 2**63) + 1)
        return product

    total = np.zeros(len(table), dtype=np.uint64)
    with ThreadPoolExecutor(2) as pool:
        for product in pool.map(weighted, range(table.shape[1])):
            total += product
    return total


def _refuse(column: pd.Series, wrong: pd.Series, why: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        raise DataError(
            f"column '{column.name}': '{column.iloc[rows[0]]}' {why} "
            f"({plural(len(rows), 'row')}, first: row {rows[0]})"
        )


def _refuse_mixed(texts: pd.Series, options: ReadOptions) -> None:
    """Refuse text if at least half of its distinct values are numbers, but not all, or if they are
    numbers with other signs than the file's.
    """
    others = [
        replace(options, decimal=decimal, thousands=thousands)
        for decimal, thousands in ((".", None), (",", None), (".", ","), (",", "."))
    ]
    # If half of the values are numbers, the first rows already show one.
    first = texts.iloc[:_FIRST_ROWS]
    signed = parse_numbers(first, options, is_percent=True)
    if signed.isna().all() and all(parse_numbers(first, one).isna().all() for one in others):
        return
    values = pd.Series(texts.dropna().unique())
    is_signed = parse_numbers(values, options, is_percent=True).notna()
    is_number = parse_numbers(values, options).notna()
    if is_signed.any() and (is_number | is_signed).mean() >= 0.5:
        _refuse_some_percents(texts, values[is_signed], values[is_number])
    _refuse_other_signs(texts, values, is_number, others)
    name = str(texts.name)
    if 0.5 <= is_number.mean() < 1:
        _refuse_other_decimal(texts, values, options)
        if sums_up(last := texts.iloc[-1]):
            raise DataError(
                f"column '{texts.name}': '{last}' in the last row sums up the others; delete the "
                "row in the file"
            )
        line = missing_line(options.missing_words, values[~is_number][:_MOST_WORDS])
        _refuse(
            texts,
            texts.isin(set(values[~is_number])),
            f"is text among numbers; if it means that one is missing: {line}; if the values are no "
            f"numbers: {setting('dataset.categorical', [name])}; or leave it out: "
            f"{setting('dataset.drop', [name])}",
        )


def _refuse_other_decimal(texts: pd.Series, values: pd.Series, options: ReadOptions) -> None:
    """Refuse a number with a point among those with decimal commas, or the other way round. As a
    declared word for missing it would be lost.
    """
    pointed = values[with_other_decimal(values, options)]
    if len(pointed):
        first = texts[texts.isin(set(pointed))].iloc[0]
        _refuse(texts, texts.isin(set(pointed)), about_other_decimal(first, options))


def _refuse_other_signs(
    texts: pd.Series, values: pd.Series, is_number: pd.Series, others: Sequence[ReadOptions]
) -> None:
    """Refuse values of which other signs make more numbers than those of the file."""
    fits = [parse_numbers(values, one).notna() for one in others]
    best = max(range(len(others)), key=lambda i: int(fits[i].sum()))
    if fits[best].mean() < 0.5 or fits[best].sum() <= is_number.sum():
        return
    signs = others[best]
    shown = values[fits[best] & ~is_number].iloc[0]
    keys = {"decimal": signs.decimal, "thousands": signs.thousands}
    typed = " ".join(f"\"dataset.{key}='{sign}'\"" for key, sign in keys.items() if sign)
    _refuse(
        texts,
        texts == shown,
        f"is a number in another form than the file is read with; name its signs: {typed}, or for "
        f"this column alone: 'dataset.clean=[normalise_text,{{step: to_numeric, columns: "
        f'["{texts.name}"], decimal: "{signs.decimal}"'
        + (f', thousands: "{signs.thousands}"' if signs.thousands else "")
        + "}]', or keep its values as they are: "
        + setting("dataset.categorical", [str(texts.name)]),
    )


def _refuse_some_percents(texts: pd.Series, signed: pd.Series, plain: pd.Series) -> None:
    if not len(plain):
        return
    _refuse(
        texts,
        texts.isin(set(plain)),
        f"has no percent sign, and '{signed.iloc[0]}' has one; write all of them alike, as nobody "
        f"can see whether it is a share, or keep the values as labels: "
        f"{setting('dataset.categorical', [str(texts.name)])}",
    )
