"""Numbers far outside of those that a model has learned from: said, never refused.

A range that only describes the training rows does not bind others, and of any new table some rows
lie a little outside of it. What is said is what a table of the same kind would hardly show: a lost
decimal comma, or a share where training had percentages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from student_perf.data.contract import Contract

_FAR = 0.1  # beyond the range, in its width
_ABSURD = 3.0  # the same, for a single row
_SHARE, _FEWEST = 0.05, 2  # rows that are far


@dataclass(frozen=True)
class Outside:
    """A column with numbers outside of `lowest` to `highest` in training.

    `n_rows` counts all that are, `n_far` those that are further out than a tenth of the range's
    width. The farthest is `farthest` in row `row`, `widths` beyond the range in its width.
    """

    column: str
    lowest: float
    highest: float
    n_rows: int
    n_far: int
    farthest: float
    row: int
    widths: float


class TrainingRanges:
    """Compares the parts of a table with the ranges of the training; declared ranges are left out,
    since the contract refuses what they do not hold, and columns that were constant, since a model
    learns nothing from them.
    """

    def __init__(self, contract: Contract) -> None:
        self._ranges = {
            name: (rules.lowest, rules.highest)
            for name, rules in contract.columns.items()
            if name not in contract.declared
            and rules.lowest is not None
            and rules.highest is not None
            and rules.lowest < rules.highest
        }
        self._found: dict[str, Outside] = {}
        self._n_rows = 0

    def add(self, features: pd.DataFrame) -> None:
        """Take the next rows, as `prepare_features` gives them."""
        for name, (low, high) in self._ranges.items():
            numbers = features[name].to_numpy(np.float64)
            widths = np.fmax(low - numbers, numbers - high) / (high - low)  # NaN where missing
            if not (widths > 0).any():
                continue
            worst = int(np.nanargmax(widths))
            last = self._found.get(name, Outside(name, low, high, 0, 0, np.nan, 0, 0.0))
            if widths[worst] > last.widths:
                last = replace(
                    last,
                    farthest=float(numbers[worst]),
                    row=self._n_rows + worst,
                    widths=float(widths[worst]),
                )
            n_rows, n_far = int((widths > 0).sum()), int((widths > _FAR).sum())
            self._found[name] = replace(last, n_rows=last.n_rows + n_rows, n_far=last.n_far + n_far)
        self._n_rows += len(features)

    def n_far(self, columns: Mapping[str, Any] | pd.DataFrame) -> int:
        """Of rows that are not taken, values by column, those with a number that is further out
        than a tenth of its range's width.
        """
        rows: set[int] = set()
        for name, (low, high) in self._ranges.items():
            margin = _FAR * (high - low)
            least, most = low - margin, high + margin
            rows.update(
                row
                for row, number in enumerate(columns[name])
                if number is not None and (number < least or number > most)
            )
        return len(rows)

    def far_outside(self) -> list[Outside]:
        """Columns that a table of the same kind would hardly show, the worst first: two rows or
        more, and one in twenty, are far outside, or one is by three times the width of the range.
        """
        fewest = max(_FEWEST, _SHARE * self._n_rows)
        named = [o for o in self._found.values() if o.n_far >= fewest or o.widths > _ABSURD]
        return sorted(named, key=lambda one: -one.widths)
