"""What a file shows about keys of its dataset's config that nobody has named.

Each answer is put into the config before it is used, so the record of a run holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from student_perf.tables.files import read_column, settled_options
from student_perf.tables.options import (
    DOUBTFUL_WORDS,
    FEWEST_ANSWERS,
    FREQUENT_ANSWER,
    ReadOptions,
    decided_by_column,
)
from student_perf.text import column_name, in_nfc

# A whole-number target with more values than this is a quantity, not a set of classes.
MOST_NUMERIC_CLASSES = 20
_READING = ("separator", "decimal", "thousands", "encoding", "missing_words", "sheet")
# Lowest first. Other words have no order of themselves.
_SCALES = (
    ("f", "e", "d", "c", "b", "a"),
    ("l", "m", "h"),
    ("very low", "low", "medium", "high", "very high"),
    ("poor", "fair", "average", "good", "very good", "excellent"),
    ("muy bajo", "bajo", "medio", "alto", "muy alto"),
    ("suspenso", "aprobado", "notable", "sobresaliente", "matrícula de honor"),
    ("muito baixo", "baixo", "médio", "alto", "muito alto"),
)


def guess(dataset: Mapping[str, Any], key: str, measures: str | None = None) -> Any:
    """Value of a key of a dataset's config.

    Args:
        dataset: The keys that are named, `path` and `target` among them.
        key: A key of `ReadOptions`, `task` or `classes`.
        measures: The task that a named metric measures: one of numbers makes a target of few
            numbers a number to predict.

    Raises:
        DataError: The file cannot be read, or in two ways.
    """
    path = Path(str(dataset["path"])).expanduser()
    given = ReadOptions(*(_text(dataset.get(k)) for k in _READING))
    options = _options(path, _state(path), _key(given))
    if key in _READING:
        return getattr(options, key)
    task = dataset.get("task")
    if dataset.get("bands") is not None or dataset.get("classes") is not None:
        task = task or "classification"
    if task is not None and (key == "task" or task == "regression" or dataset.get("bands")):
        return task if key == "task" else None
    target = column_name(dataset["target"])
    values = _target(path, _state(path), _key(options), target)
    are_numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    is_number = is_quantity(values) or (measures == "regression" and are_numbers)
    task = task or ("regression" if is_number else "classification")
    if key == "task":
        return task
    changed = any(target in in_nfc(str(step)) for step in dataset.get("clean") or ())
    if task == "regression" or changed or dataset.get("ordered") is False:
        return None
    if _has_doubtful_answer(values, dataset.get("missing_words")):
        return None  # what counts as missing decides which labels there are
    return ordered_labels(values)


def _has_doubtful_answer(values: pd.Series, declared: Sequence[str] | None) -> bool:
    """Whether a word for "missing" may be one of the labels: it is frequent, or words are named."""
    if pd.api.types.is_numeric_dtype(values):
        return False
    words = values.dropna().astype("str").str.strip().str.casefold()
    doubtful = words[words.isin(DOUBTFUL_WORDS)].value_counts()
    frequent = max(FEWEST_ANSWERS, FREQUENT_ANSWER * len(values))
    return bool(len(doubtful)) and (
        not decided_by_column(declared) or int(doubtful.max()) >= frequent
    )


def is_quantity(values: pd.Series) -> bool:
    """Whether a target is a number to predict: one with fractions, or with many values."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return False
    known = values.dropna()
    return bool((known % 1 != 0).any()) or known.nunique() > MOST_NUMERIC_CLASSES


def ordered_labels(values: pd.Series) -> list[Any] | None:
    """Labels lowest first where they show an order: numbers, and scales that schools use.

    >>> ordered_labels(pd.Series(["Medium", "Low", "High"]))
    ['Low', 'Medium', 'High']
    >>> ordered_labels(pd.Series(["Dropout", "Enrolled", "Graduate"])) is None
    True
    """
    known = values.dropna()
    if pd.api.types.is_bool_dtype(values) or known.nunique() < 3:
        return None
    if isinstance(values.dtype, pd.CategoricalDtype):
        used = set(known.unique())
        return [c for c in values.cat.categories if c in used] if values.cat.ordered else None
    if pd.api.types.is_numeric_dtype(values):
        return None if is_quantity(values) else sorted(int(value) for value in known.unique())
    labels = {str(value).strip() for value in known.unique()}
    labels = {label for label in labels if label and label.casefold() not in DOUBTFUL_WORDS}
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=int)
    folded = {label.casefold(): label for label in labels}
    for scale in _SCALES:
        if set(folded) <= set(scale) and len(folded) == len(labels):
            return [folded[word] for word in scale if word in folded]
    return None


def _text(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else str(value)


def _state(path: Path) -> tuple[int, int] | None:
    """What changes with the file's content; None without a file."""
    if not path.is_file():
        return None
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=8)
def _options(path: Path, _: object, given: tuple[Any, ...]) -> ReadOptions:
    return settled_options(path, _from_key(given))


@lru_cache(maxsize=2)
def _target(path: Path, _: object, given: tuple[Any, ...], target: str) -> pd.Series:
    return read_column(path, _from_key(given), target)


def _key(options: ReadOptions) -> tuple[Any, ...]:
    """The options as a key of a cache, which takes no list."""
    values = (getattr(options, name) for name in _READING)
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


def _from_key(key: tuple[Any, ...]) -> ReadOptions:
    values: list[Any] = [list(one) if isinstance(one, tuple) else one for one in key]
    return ReadOptions(*values)
