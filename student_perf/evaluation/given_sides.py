"""Sides that the data give: by time, or by a column of the file. No seed decides them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from student_perf.config.overrides import setting
from student_perf.config.schema import ColumnSplit, TemporalSplit
from student_perf.data.dataset import Dataset
from student_perf.errors import DataError

_WORDS = {
    "train": ("train", "trn", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "tst", "testing"),
}
_SIDE_OF = {word: side for side, words in _WORDS.items() for word in words}
_NAME_PARTS = re.compile(r"[\W_\d]+|(?<=[a-z])(?=[A-Z])")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class GivenSides:
    """Ascending row numbers of the test and the development part, and of training and validation
    of each fold.
    """

    test: np.ndarray
    development: np.ndarray
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]


def sides_by_time(dataset: Dataset, config: TemporalSplit) -> GivenSides:
    """The latest rows are the test part; the times before are cut into one block more than there
    are folds, and each block but the first is validated by what lies before it. Rows of one time
    stay together, and `gap` times before a validated part, or the test part, are left out.

    Raises:
        DataError: There are too few times.
    """
    assert dataset.times is not None
    times, of_row, counts = np.unique(dataset.times, return_inverse=True, return_counts=True)
    n_times = len(times)
    first_test = n_times
    if config.test_size > 0:
        first_test = _cuts(counts, [1 - config.test_size], 1)[0]
    n_known = first_test - (config.gap if config.test_size > 0 else 0)
    needed = config.gap + 1 + config.n_splits
    if n_known < needed or first_test >= n_times > n_known:
        raise _too_few(dataset, config, n_known, needed)
    shares = [i / (config.n_splits + 1) for i in range(1, config.n_splits + 1)]
    starts = _cuts(counts[:n_known], shares, config.gap + 1)
    ends = [*starts[1:], n_known]
    folds = tuple(
        (
            np.flatnonzero(of_row < start - config.gap),
            np.flatnonzero((of_row >= start) & (of_row < end)),
        )
        for start, end in zip(starts, ends, strict=True)
    )
    return GivenSides(np.flatnonzero(of_row >= first_test), np.flatnonzero(of_row < n_known), folds)


def _cuts(counts: np.ndarray, shares: list[float], first: int) -> list[int]:
    """Where to cut a row of times, with these `counts` of rows, so that these shares of the rows
    lie before, as nearly as whole times allow; the first cut is at `first` or later.
    """
    before = np.concatenate([[0], counts.cumsum()])
    cuts: list[int] = []
    for number, share in enumerate(shares):
        nearest = int(np.abs(before - share * before[-1]).argmin())
        lowest = cuts[-1] + 1 if cuts else first
        cuts.append(max(lowest, min(nearest, len(counts) - (len(shares) - number))))
    return cuts


def _too_few(dataset: Dataset, config: TemporalSplit, n_known: int, needed: int) -> DataError:
    possible = n_known - config.gap - 1
    if possible >= 2:
        fix = f"use split.n_splits={possible}"
    elif config.gap > 0:
        fix = "use a smaller split.gap"
    else:
        fix = "name a column with more times in dataset.time, or use split=group_kfold"
    return DataError(
        f"split.n_splits={config.n_splits}: dataset.time has {max(n_known, 0)} different times "
        f"in {dataset.name} outside the test part, and split.gap={config.gap} makes it need "
        f"{needed}; {fix}"
    )


def sides_by_column(dataset: Dataset, config: ColumnSplit) -> GivenSides:
    """The sides that the column names: `train`, `val` and `test` give a single fold, whole numbers
    from 0 a fold each, validated by a model of the others; `test` may stand beside these.

    Raises:
        DataError: A cell says something else, or a side has no row.
    """
    side = _sides(dataset.column(config.column, "split.column"), config.column)
    _refuse_flag(config.column, side)
    test = np.flatnonzero(side == "test")
    development = np.flatnonzero(side != "test")
    numbers = sorted(set(side[development]) - {"train", "val"}, key=int)
    if not numbers:
        train, validation = (np.flatnonzero(side == name) for name in ("train", "val"))
        _refuse_empty(config.column, {"train": train, "val": validation})
        return GivenSides(test, development, ((train, validation),))
    if len(numbers) < 2:
        raise DataError(
            f"split.column={config.column}: holds the single fold {numbers[0]}; cross-validation "
            "needs two or more"
        )
    folds = (
        (development[side[development] != one], np.flatnonzero(side == one)) for one in numbers
    )
    return GivenSides(test, development, tuple(folds))


def _sides(column: pd.Series, name: str) -> np.ndarray:
    """`train`, `val`, `test` or a whole number as text for each row, shape (n,)."""
    texts = column.astype("object").map(_side, na_action="ignore").fillna("").to_numpy(dtype=object)
    numbers = {text for text in texts if text.isdecimal()}
    wrong = np.array([text not in numbers and text not in _WORDS for text in texts])
    if wrong.any() or (numbers and {"train", "val"} & set(texts)):
        counts = column[wrong if wrong.any() else slice(None)].astype("str").value_counts()
        shown = ", ".join(f"{word} ({n})" for word, n in counts.head(_MOST_SHOWN).items())
        n_missing = int(column.isna().sum())
        missing = f"{', ' if shown else ''}missing ({n_missing})" if n_missing else ""
        raise DataError(
            f"split.column={name}: {shown}{missing} rows; a cell says train, val or test, or is "
            "the number of a fold from 0 (test may stand beside numbers); correct these rows"
        )
    return texts


def names_sides(column: pd.Series) -> bool:
    """Whether the cells say train and at least one other side, and nothing else.

    >>> names_sides(pd.Series(["trn", "Test", "trn"])), names_sides(pd.Series(["test", "exam"]))
    (True, False)
    """
    sides = {_side(value) for value in column.dropna().unique()}
    return "train" in sides and len(sides) > 1 and sides <= set(_WORDS)


def _side(value: object) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value):
        return str(int(value))
    text = str(value).strip().casefold()
    return _SIDE_OF.get(text, text)


def _refuse_flag(name: str, side: np.ndarray) -> None:
    """Refuse 0 and 1 in a column named like a side: they say which rows are on it and would be read
    as two folds, which uses up the test rows.
    """
    words = [word.casefold() for word in _NAME_PARTS.split(name)]
    named = {_SIDE_OF.get(word, word) for word in words} & {*_WORDS, "split"}
    if not named or set(side) != {"0", "1"}:
        return
    values = "{0: val, 1: train}" if "train" in named else "{0: train, 1: val}"
    quoted = name if re.fullmatch(r"\w+", name) else f'"{name}"'
    raise DataError(
        f"split.column={name}: 0 and 1 mark a side there, they do not number two folds; to score "
        "the marked rows: "
        f"'dataset.clean=[normalise_text,{{step: map_values, column: {quoted}, values: {values}}}]'"
        "; to keep them as test rows, write test there and numbers of folds in the other rows; two "
        "folds are numbered 1 and 2"
    )


def _refuse_empty(name: str, sides: dict[str, np.ndarray]) -> None:
    for side, rows in sides.items():
        if not len(rows):
            raise DataError(
                f"split.column={name}: no row says {side}, and a model needs rows to "
                f"{'learn from' if side == 'train' else 'be scored on'}; mark some as {side}, or "
                f"use split=kfold {setting('dataset.drop', [name])}"
            )
