"""Whether two runs have the same results: predictions, scores, and the kept model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from student_perf.reproduction.model_contents import model_contents, same_leaf
from student_perf.scoring.metrics import LOGGED_PREFIXES, logged_as, metrics_logged

TOLERANCE = 1e-6
# Figures that follow from rows, split and seed; times, memory and counts of looks do not.
_RESULTS = (*LOGGED_PREFIXES, "label_noise_")
_NO_RESULT = "test_looks"

Figures = Mapping[str, float | list[float]]


class Sameness(IntEnum):
    """How close two results are, the closest first."""

    IDENTICAL = 0
    WITHIN_TOLERANCE = 1
    DIFFERENT = 2


@dataclass(frozen=True)
class Comparison:
    """What was compared, how close it is, and in words how much or where it differs."""

    what: str
    sameness: Sameness
    words: str


def compare_predictions(a: Path, b: Path) -> Comparison:
    """Compare two files of held-out predictions, cell by cell."""
    first, second = pq.read_table(a), pq.read_table(b)
    what = "predictions"
    if first.column_names != second.column_names or first.num_rows != second.num_rows:
        sizes = f"{first.num_rows} rows of {first.num_columns} columns against {second.num_rows} "
        return Comparison(what, Sameness.DIFFERENT, f"{sizes}of {second.num_columns}")
    largest, wrong = 0.0, dict[str, int]()
    for name in first.column_names:
        difference = _column_difference(first[name], second[name])
        n = int((difference > TOLERANCE).sum())
        if n:
            wrong[name] = n
        largest = max(largest, float(difference.max(initial=0.0)))
    if wrong:
        cells = ", ".join(f"{n} of {name}" for name, n in wrong.items())
        return Comparison(what, Sameness.DIFFERENT, f"{first.num_rows} rows; cells: {cells}")
    if largest > 0:
        return Comparison(what, Sameness.WITHIN_TOLERANCE, f"differ by {largest:.2g} at most")
    return Comparison(what, Sameness.IDENTICAL, f"{first.num_rows} rows, equal to the last digit")


def _column_difference(a: pa.ChunkedArray, b: pa.ChunkedArray) -> np.ndarray:
    """Difference of each cell, shape (n,), relative to the cell if that is above 1; infinite if
    texts differ.
    """
    if pa.types.is_dictionary(a.type) or not pa.types.is_floating(a.type):
        unequal = np.array([x != y for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)])
        return np.where(unequal, np.inf, 0.0)
    return _relative(a.to_numpy(), b.to_numpy())


def _relative(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    both_nan = np.isnan(a) & np.isnan(b)
    one_nan = np.isnan(a) ^ np.isnan(b)
    scale = np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
    difference = np.abs(a - b) / scale
    return np.where(both_nan, 0.0, np.where(one_nan, np.inf, difference))


def compare_figures(a: Figures, b: Figures) -> list[Comparison]:
    """Compare recorded scores of folds, and all other recorded metrics `a`, to those that came out
    again; MLflow keeps fewer figures of a run than its folder.

    >>> compare_figures({"cv_accuracy_mean": 0.5}, {"cv_accuracy_mean": 0.6})[0].words
    'cv_accuracy_mean (0.5 against 0.6)'
    """
    chosen = [{k: v for k, v in figures.items() if _is_result(k)} for figures in (a, b)]
    names = list(chosen[0])
    folds = [logged_as(metric, "folds") for metric in metrics_logged(names, "folds")]
    others = [name for name in names if name not in folds]
    parts = {"scores of folds": folds, "metrics": others}
    return [_compare_named(what, which, *chosen) for what, which in parts.items() if which]


def _is_result(name: str) -> bool:
    return name.startswith(_RESULTS) and name != _NO_RESULT


def _compare_named(what: str, names: list[str], a: Figures, b: Figures) -> Comparison:
    largest, wrong = 0.0, list[str]()
    for name in names:
        if name not in b:
            wrong.append(f"{name} (recorded only)")
            continue
        first, second = _numbers(a[name]), _numbers(b[name])
        if first.shape != second.shape:
            wrong.append(f"{name} ({len(first)} against {len(second)} values)")
            continue
        difference = float(_relative(first, second).max(initial=0.0))
        largest = max(largest, difference)
        if difference > TOLERANCE:
            wrong.append(f"{name} ({first.mean():.6g} against {second.mean():.6g})")
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Comparison(what, Sameness.DIFFERENT, f"{', '.join(wrong[:3])}{more}")
    if largest > 0:
        return Comparison(what, Sameness.WITHIN_TOLERANCE, f"differ by {largest:.2g} at most")
    return Comparison(what, Sameness.IDENTICAL, f"{len(names)}, equal to the last digit")


def _numbers(value: float | list[float]) -> np.ndarray:
    values = value if isinstance(value, list) else [value]
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def compare_models(a: Path, b: Path) -> Comparison:
    """Compare two skops files part by part. Parts that differ never make the result different: that
    is for the predictions to decide.
    """
    first, second = model_contents(a), model_contents(b)
    missing = first.keys() ^ second.keys()
    changed = [n for n in first.keys() & second.keys() if not same_leaf(first[n], second[n])]
    if not missing and not changed:
        words = f"{len(first)} parts, equal to the last byte"
        return Comparison("model", Sameness.IDENTICAL, words)
    where = sorted({*missing, *changed})[0].strip(".")
    words = (
        f"{len(missing) + len(changed)} of {len(first)} parts differ, the first at ...{where[-50:]}"
    )
    return Comparison("model", Sameness.WITHIN_TOLERANCE, words)
