"""Golden rows: a few raw rows that a model carries with its own answers to them.

Whoever loads the model prepares these rows like any other and compares the answers. A difference
shows that preparation, model or libraries are not those of the training.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.schema import DatasetConfig
from student_perf.config.typed import typed_node
from student_perf.data.contract import Contract
from student_perf.data.dataset import Dataset, trimmed_names
from student_perf.data.features import Refusal, needed_columns, prepare_features
from student_perf.data.sources import read_source
from student_perf.models.libraries import PACKAGES
from student_perf.runs.record import to_json
from student_perf.runs.versions import installed_versions
from student_perf.tables.numbers import written
from student_perf.tables.options import ReadOptions

# Far above the rounding of other processors and threads, far below any change of meaning.
TOLERANCE = 1e-6
_MOST_INCOMPLETE = 3

Answer = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class GoldenRows:
    """Raw rows, the answer to each (probabilities by class, or one number), and the versions of the
    libraries that gave it.
    """

    rows: list[dict[str, Any]]
    expected: list[list[float]]
    packages: dict[str, str]

    def to_json(self) -> str:
        """Text that `golden_from_json` reads back."""
        return to_json(asdict(self))

    def prepared(self, contract: Contract) -> tuple[pd.DataFrame, dict[int, Refusal]]:
        """The rows as `prepare_features` makes them, read as the training file they come from."""
        return prepare_features(pd.DataFrame(self.rows), contract, contract.options)


@dataclass(frozen=True)
class Mismatch:
    """A golden row whose answer has changed."""

    row: int
    expected: list[float]
    got: list[float]
    reason: str = ""

    def __str__(self) -> str:
        if self.reason:
            return f"golden row {self.row}: {self.reason}"
        expected, got = (", ".join(f"{v:.6g}" for v in side) for side in (self.expected, self.got))
        return f"golden row {self.row}: expected {expected}; got {got}"


def make_golden_rows(
    dataset: Dataset,
    config: DatasetConfig,
    development: np.ndarray,
    contract: Contract,
    answer: Answer,
) -> GoldenRows | None:
    """Choose golden rows from the development rows, as the source holds them before cleaning.

    They are one of each class (or the smallest, the middle and the largest number) and some with
    missing cells. The result is None if new rows cannot repeat the cleaning (`one_hot`).
    """
    if any("one_hot" in str(step) for step in config.clean):
        return None
    numbers = development[_chosen(dataset, development)]
    rows = _raw_rows(dataset, config, numbers, contract)
    features, _ = prepare_features(rows, contract, contract.options)
    expected = np.asarray(answer(features), dtype=np.float64).reshape(len(rows), -1)
    return GoldenRows(
        rows=[{name: _plain(value) for name, value in row.items()} for row in _records(rows)],
        expected=expected.tolist(),
        packages=installed_versions(PACKAGES),
    )


def golden_from_json(text: str) -> GoldenRows:
    """The rows that `GoldenRows.to_json` wrote.

    Raises:
        ConfigError: They have other keys or types.
        ValueError: The text is not JSON.
    """
    return typed_node(GoldenRows, json.loads(text), "golden rows")


def check_golden_rows(golden: GoldenRows, contract: Contract, answer: Answer) -> list[Mismatch]:
    """The golden rows that are now refused, or whose answer differs by more than `TOLERANCE`."""
    features, refused = golden.prepared(contract)
    got = np.asarray(answer(features), dtype=np.float64).reshape(len(features), -1)
    mismatches = []
    for row, (now, before) in enumerate(zip(got.tolist(), golden.expected, strict=True)):
        if row in refused:
            mismatches.append(Mismatch(row, before, now, f"refused, {refused[row]}"))
        elif len(now) != len(before) or not np.allclose(now, before, TOLERANCE, TOLERANCE):
            mismatches.append(Mismatch(row, before, now))
    return mismatches


def _chosen(dataset: Dataset, development: np.ndarray) -> np.ndarray:
    """Positions within `development`, each once."""
    target = dataset.target[development]
    if dataset.classes:
        first = np.unique(target, return_index=True)[1]
    else:
        first = np.argsort(target, kind="stable")[[0, len(target) // 2, -1]]
    incomplete = dataset.features.iloc[development].isna().any(axis=1).to_numpy()
    return np.unique([*first, *np.flatnonzero(incomplete)[:_MOST_INCOMPLETE]]).astype(np.int64)


def _raw_rows(
    dataset: Dataset, config: DatasetConfig, numbers: np.ndarray, contract: Contract
) -> pd.DataFrame:
    """The rows as the source holds them; if cleaning changed cells or dropped rows, they are found
    again by their features.
    """
    wanted = dataset.features.iloc[numbers]
    if not any(
        step.cells_changed or step.rows_after < step.rows_before for step in dataset.lineage[1:]
    ):
        return _with_signs(wanted.reset_index(drop=True), contract)
    raw = trimmed_names(read_source(config).table)
    prepared, _ = prepare_features(_with_signs(raw, contract), contract, contract.options)
    first = pd.Series(pd.util.hash_pandas_object(prepared, index=False)).drop_duplicates()
    positions = dict(zip(first, first.index, strict=True))
    hashes = pd.util.hash_pandas_object(wanted, index=False)
    rows = [positions[key] for key in hashes if key in positions]
    chosen = raw.iloc[rows][needed_columns(raw, contract)].reset_index(drop=True)
    return _with_signs(chosen, contract)


def _with_signs(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """Rows whose percentages have the sign again that reading has taken off, since a number alone
    may be a share.
    """
    signed = {
        name: rows[name].map(
            partial(_percentage, options=form.options(contract.options)), na_action="ignore"
        )
        for name, form in contract.forms.items()
        if form.is_percent and name in rows and pd.api.types.is_numeric_dtype(rows[name])
    }
    return rows.assign(**signed)


def _percentage(number: float, options: ReadOptions) -> str:
    return f"{written(number, options)}%"


def _records(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    return [dict(zip(map(str, table.columns), row, strict=True)) for row in table.to_numpy(object)]


def _plain(value: Any) -> Any:
    """A cell as JSON holds it; a missing cell becomes null."""
    if pd.isna(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (int, float, str)) else str(value)
