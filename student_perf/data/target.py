"""The target column as class codes in their declared order, or as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.overrides import setting
from student_perf.config.schema import Bands, DatasetConfig
from student_perf.data.booleans import booleans_as_labels, is_boolean
from student_perf.data.columns import label_of
from student_perf.data.missing import missing_line
from student_perf.data.spellings import same_values
from student_perf.errors import DataError
from student_perf.tables.guess import MOST_NUMERIC_CLASSES, is_quantity, ordered_labels
from student_perf.tables.numbers import (
    about_other_decimal,
    parse_numbers,
    with_other_decimal,
)
from student_perf.tables.options import ReadOptions
from student_perf.text import plural

_MOST_NAMED = 5


def encode_target(
    column: pd.Series, config: DatasetConfig
) -> tuple[np.ndarray, tuple[str | int, ...]]:
    """Encode the target column of n rows, whichever class is the positive one.

    Returns:
        Class codes (int64) and labels in order, or numbers (float64) and no labels; shape (n,).

    Raises:
        DataError: A row has no target, which is never imputed; a value is outside `config.classes`;
            or the column does not suit the task.
    """
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise DataError(
            f"dataset.target={config.target}: {len(missing)} of {len(column)} rows have no value "
            f"(first: row {missing[0]}); a target is never imputed, drop these rows with "
            "'dataset.clean=[normalise_text,drop_missing_target]'"
        )
    if config.task == "regression":
        numbers = _numbers(column, config)
        if numbers.min() == numbers.max():
            raise DataError(
                f"dataset.target={config.target}: is {numbers[0]:g} in every row; there is nothing "
                "to predict, choose another target"
            )
        return numbers, ()
    if config.bands is not None:
        return _banded(_numbers(column, config), config.bands, config)
    return _classes(column, config)


def refuse_spellings(column: pd.Series) -> None:
    """Refuse classes that are the same but for their spelling, unless `dataset.classes` lists them.

    Raises:
        DataError: With the line that makes them one.
    """
    counts = column.dropna().astype("str").value_counts()
    groups = same_values(counts.index)
    if not groups:
        return
    other_ones = {label for group in groups for label in group[1:]}
    classes = sorted(label for label in counts.index if label not in other_ones)
    ordered = ordered_labels(pd.Series(classes))
    line = setting("dataset.classes", ordered or classes)
    line += "" if ordered or len(classes) < 3 else " dataset.ordered=false"
    named = ", ".join(f"'{label}' ({plural(counts[label], 'row')})" for label in groups[0])
    raise DataError(
        f"dataset.target={column.name}: {named} are one class but for case, accents or blanks; "
        f"list each class once: {line}; if they are different classes, list all of them"
    )


def positive_second(
    codes: np.ndarray, labels: tuple[str | int, ...], config: DatasetConfig
) -> tuple[np.ndarray, tuple[str | int, ...]]:
    """Codes, shape (n,), and labels with the positive class as the second of two; as they are if
    none is declared.

    Raises:
        DataError: There are not two classes, or the declared one is none of them.
    """
    if config.positive is None:
        return codes, labels
    (positive,) = _labels(pd.Series(labels), [config.positive])
    if len(labels) != 2:
        raise DataError(
            f"dataset.positive={config.positive}: '{config.target}' has {len(labels)} classes, and "
            "one of them is positive only where there are two; leave it out"
        )
    if positive not in labels:
        known = " or ".join(f"dataset.positive={label}" for label in labels)
        raise DataError(
            f"dataset.positive={config.positive}: does not stand in '{config.target}'; use {known}"
        )
    return (codes, labels) if positive == labels[1] else (1 - codes, labels[::-1])


def _numbers(column: pd.Series, config: DatasetConfig) -> np.ndarray:
    if not pd.api.types.is_numeric_dtype(column):
        _refuse_words_among_numbers(column, config, fewest=0)
        wanted = "dataset.bands" if config.bands is not None else "dataset.task=regression"
        raise DataError(
            f"dataset.target={config.target}: {wanted} needs numbers, the column holds text like "
            f"'{column.iloc[0]}'; use dataset.task=classification dataset.bands=null"
        )
    numbers: np.ndarray = column.to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(
            f"dataset.target={config.target}: holds an infinite value; remove these rows"
        )
    return numbers


def _banded(
    numbers: np.ndarray, bands: Bands, config: DatasetConfig
) -> tuple[np.ndarray, tuple[str, ...]]:
    codes = np.digitize(numbers, bands.edges)
    for code, label in enumerate(bands.labels):
        if not (codes == code).any():
            raise DataError(
                f"dataset.bands.edges={bands.edges}: no row falls into the band '{label}' "
                f"({config.target} is {numbers.min():g} to {numbers.max():g}); move the edges"
            )
    return codes.astype(np.int64), tuple(bands.labels)


def _classes(column: pd.Series, config: DatasetConfig) -> tuple[np.ndarray, tuple[str | int, ...]]:
    if is_boolean(column):
        column = booleans_as_labels(column)
    if pd.api.types.is_numeric_dtype(column):
        _check_few_numbers(column, config)
        column = column.astype("int64")
    else:
        column = column.astype("str")
        if config.classes is None:
            _refuse_words_among_numbers(column, config, fewest=MOST_NUMERIC_CLASSES)
            refuse_spellings(column)
    declared = None if config.classes is None else _labels(column, config.classes)
    labels = declared or sorted(column.unique().tolist())
    position = {label: code for code, label in enumerate(labels)}
    outside = column[~column.isin(list(position))].value_counts(sort=False)
    if len(outside):
        counted = ", ".join(f"{label} ({n})" for label, n in outside.sort_index().items())
        raise DataError(
            f"dataset.classes={config.classes}: does not hold these labels of "
            f"'{config.target}': {counted} rows; add them to the list or correct the rows"
        )
    if column.nunique() < 2:
        raise DataError(
            f"dataset.target={config.target}: holds the single class '{column.iloc[0]}'; "
            "there is nothing to predict, choose another target"
        )
    return column.map(position).to_numpy(dtype=np.int64), tuple(labels)


def _labels(column: pd.Series, classes: list[Any]) -> list[str | int]:
    """The declared classes as the column writes them: YAML reads yes, True and codes in its way."""
    if pd.api.types.is_numeric_dtype(column):
        texts = [label_of(one) for one in classes]
        return [int(text) if text.lstrip("-").isdigit() else text for text in texts]
    spelling = {str(label).casefold(): str(label) for label in column.unique()}
    return [
        spelling.get(str(one).casefold(), str(one)) if isinstance(one, bool) else label_of(one)
        for one in classes
    ]


def _refuse_words_among_numbers(column: pd.Series, config: DatasetConfig, fewest: int) -> None:
    """Raise DataError for a quantity that is text only since some cells say why there is none, as
    'NP' of a student who did not sit the examination. Up to `fewest` numbers may be classes.
    """
    signs = {key: getattr(config, key, None) for key in ("decimal", "thousands")}
    options = ReadOptions(**signs)
    counts = column.astype("str").value_counts(sort=False)
    numbers = parse_numbers(pd.Series(counts.index), options)
    words = counts[numbers.isna().to_numpy()].sort_values(ascending=False)
    n_numbers = len(counts) - len(words)
    _refuse_other_decimal(words, n_numbers, config, options)
    if n_numbers <= max(fewest, len(words)) or words.empty:
        return
    named = ", ".join(f"'{word}' ({plural(n, 'row')})" for word, n in words[:_MOST_NAMED].items())
    line = missing_line(getattr(config, "missing_words", None), words.index[:_MOST_NAMED])
    raise DataError(
        f"dataset.target={config.target}: {named} stands among numbers; if these rows have no "
        f"value: {line} 'dataset.clean=[normalise_text,drop_missing_target]'"
        + ("; if all are labels, list them in dataset.classes" if fewest else "")
    )


def _refuse_other_decimal(
    words: pd.Series, n_numbers: int, config: DatasetConfig, options: ReadOptions
) -> None:
    """Raise DataError if some of these counted words are numbers with the other decimal sign."""
    pointed = words[with_other_decimal(pd.Series(words.index), options).to_numpy()]
    if n_numbers > len(words) and len(pointed):
        named = ", ".join(f"'{word}'" for word in pointed.index[:_MOST_NAMED])
        raise DataError(
            f"dataset.target={config.target}: {named} ({plural(int(pointed.sum()), 'row')}) "
            f"{about_other_decimal(str(pointed.index[0]), options)}"
        )


def _check_few_numbers(column: pd.Series, config: DatasetConfig) -> None:
    if is_quantity(column):
        raise DataError(
            f"dataset.target={config.target}: {column.nunique()} different numbers are not "
            "classes; use dataset.task=regression, or cut them with dataset.bands"
        )
