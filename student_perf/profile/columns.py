"""Facts about each column of a table: kind, gaps, values, and what it tells of the target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset, Survey
from student_perf.data.dates import looks_like_dates
from student_perf.evaluation.strength import explained_share
from student_perf.text import format_share

_MOST_VALUES = 4
_LONGEST_VALUE = 24
_LARGE = 1e12  # below it a whole number is written out


@dataclass(frozen=True)
class ColumnFacts:
    """What is to be said of a column.

    Attributes:
        kind: `number`, `category`, `date`, or `refused` if a run would stop at it.
        role: `feature`, `target` or `left out`.
        missing: Share of the rows without a value.
        n_distinct: Different values.
        values: The range of numbers, or the commonest values with their shares.
        told: Share of what is to be known of the target that the column tells; NaN if unknown.
    """

    name: str
    kind: str
    role: str
    missing: float
    n_distinct: int
    values: str
    told: float


def column_facts(
    seen: Survey, target: str, dataset: Dataset | None, rows: np.ndarray
) -> list[ColumnFacts]:
    """Facts about each column, in the order of the table.

    Args:
        seen: The columns.
        target: Name of the target, empty without one.
        dataset: The rows as a run has them; None if there is no target, or a run would stop.
        rows: The rows whose targets may be looked at.
    """
    features = [] if dataset is None else list(dataset.features)
    facts = []
    for name, column in seen.columns.items():
        role = "target" if name == target else "feature"
        if dataset is not None and name != target and name not in features:
            role = "left out"
        told = math.nan
        if dataset is not None and name in features:
            values = dataset.features[name].iloc[rows]
            told = explained_share(values, dataset.target[rows], dataset.task)
        kind = _kind(column, str(name), seen.refused)
        if dataset is not None and name in dataset.text:
            kind = "text"
        missing = float(column.isna().mean())
        facts.append(
            ColumnFacts(str(name), kind, role, missing, column.nunique(), _values(column), told)
        )
    return facts


def _kind(column: pd.Series, name: str, refused: Mapping[str, str]) -> str:
    if name in refused:
        return "date" if looks_like_dates(column) else "refused"
    return "number" if column.dtype == np.float64 else "category"


def _values(column: pd.Series) -> str:
    known = column.dropna()
    if known.empty:
        return "none"
    if column.dtype == np.float64:
        low, high, median = map(_figure, (known.min(), known.max(), known.median()))
        return f"{low} to {high}, median {median}"
    counts = known.value_counts()
    shown = [f"{_short(value)} {format_share(n / len(known))}" for value, n in counts.items()]
    more = f", {len(counts) - _MOST_VALUES} more" if len(counts) > _MOST_VALUES else ""
    return ", ".join(shown[:_MOST_VALUES]) + more


def _figure(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() and abs(value) < _LARGE else f"{value:g}"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"
