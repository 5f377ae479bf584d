"""Columns that a config names: looked up in one place, with the nearest name where one is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from student_perf.config.schema import DatasetConfig
from student_perf.errors import DataError, suggest


@dataclass(frozen=True)
class Roles:
    """What each column of a cleaned table is: names in the order of the table."""

    features: list[str]
    left_out: list[str]


def column_roles(table: pd.DataFrame, config: DatasetConfig) -> Roles:
    """Features and columns left out, by `dataset.keep`, `dataset.drop` and the declared facts: the
    columns of groups and time are features only if `dataset.keep` names them, those of weights and
    of a given split never.

    Raises:
        DataError: A section of the config names a column that does not exist, or no feature is
            left.
    """
    names = [str(name) for name in table.columns]
    check_named(names, config)
    kept = set(matching(config.keep, names, "dataset.keep")) if config.keep else set(names)
    dropped = set(matching(config.drop, names, "dataset.drop"))
    dropped |= {name for name in (config.weight, config.split_column) if name}
    dropped |= {name for name in (config.group_column, config.time) if name and not config.keep}
    others = [name for name in names if name != config.target]
    features = [name for name in others if name in kept and name not in dropped]
    if not features:
        key, value = ("keep", config.keep) if config.keep else ("drop", config.drop)
        raise DataError(
            f"dataset.{key}={value}: leaves no feature column; keep at least one of "
            f"{', '.join(others)}"
        )
    return Roles(features, [name for name in others if name not in features])


def check_named(names: Sequence[str], config: DatasetConfig) -> None:
    """Raise DataError for a column that a section of the config names and the table lacks."""
    sections: dict[str, Iterable[str | None]] = {
        "dataset.target": [config.target],
        "dataset.subgroups": config.subgroups,
        "dataset.group": [config.group],
        "dataset.time": [config.time],
        "dataset.weight": [config.weight],
        "split.column": [config.split_column],
        "split.group": [config.split_group],
    }
    for key, wanted in sections.items():
        for name in wanted:
            if name is not None and name not in names:
                raise DataError(
                    f"{key}={name}: no such column in {config.name}; {suggest(name, names)}"
                )
    for key, declared in {"categories": config.categories, "ranges": config.ranges}.items():
        for name in declared:
            if name not in names:
                raise DataError(f"dataset.{key}.{name}: no such column; {suggest(name, names)}")


def matching(patterns: Iterable[str], names: Sequence[str], key: str) -> list[str]:
    """Names of columns that are listed, or match a pattern with `*` or `?`; in order of the table.

    Raises:
        DataError: One of them matches no column.

    >>> matching(["quiz_*", "age"], ["age", "quiz_1", "quiz_2", "sex"], "dataset.drop")
    ['age', 'quiz_1', 'quiz_2']
    """
    found: set[str] = set()
    for pattern in patterns:
        is_pattern = pattern not in names and ("*" in pattern or "?" in pattern)
        hits = [n for n in names if (fnmatchcase(n, pattern) if is_pattern else n == pattern)]
        if not hits:
            what = "no column matches" if is_pattern else "no such column"
            raise DataError(f"{key}={pattern}: {what}; {suggest(pattern, names)}")
        found.update(hits)
    return [name for name in names if name in found]


def with_declared_text(table: pd.DataFrame, config: DatasetConfig) -> pd.DataFrame:
    """The table with columns as text that the config declares to be categories or text, whatever
    their type in the file.
    """
    names = [str(name) for name in table.columns]
    listed = matching(config.categorical, names, "dataset.categorical")
    listed += matching(config.text, names, "dataset.text")
    declared = [name for name in {*config.categories, *listed} if name in names]
    numbers = {n: table[n] for n in declared if pd.api.types.is_numeric_dtype(table[n])}
    return table.assign(**{name: as_text(column) for name, column in numbers.items()})


def as_text(column: pd.Series) -> pd.Series:
    """Numbers and booleans as their labels; whole numbers have no fraction, even with gaps."""
    labels: Mapping[Any, str] = {value: label_of(value) for value in column.dropna().unique()}
    return column.astype("object").map(labels, na_action="ignore").astype("str")


def label_of(value: Any) -> str:
    """A cell as a label.

    >>> label_of(3.0), label_of(True), label_of("07")
    ('3', 'True', '07')
    """
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
