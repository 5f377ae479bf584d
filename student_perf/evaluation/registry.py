"""The numbered checks of a run: each is one decorated function with its code and its page.

`docs/checks.md` is written from here, and the level of each check stands in `conf/config.yaml`
alone: `guards.SP101=off|warn|error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from student_perf.config.schema import DatasetConfig, SplitConfig
from student_perf.data.dataset import Dataset
from student_perf.evaluation.splits import Split

SOME_ROWS = 5000  # a finding shows in some thousand rows; all rows are looked at to confirm it


@dataclass(frozen=True)
class Subject:
    """What the checks look at: the rows, how they are divided, and what the config declares.

    Attributes:
        dataset: The rows.
        split: The sides of the rows.
        config: What is declared of the rows.
        split_config: What made the sides.
        metric: Name of the metric that decides; only costly checks need it.
        pipeline: The unfitted model with its preprocessing; only costly checks need it.
    """

    dataset: Dataset
    split: Split
    config: DatasetConfig
    split_config: SplitConfig
    metric: str = ""
    pipeline: Pipeline | None = None

    @property
    def rows(self) -> np.ndarray:
        """Numbers of the development rows, the only ones whose targets a check may read."""
        return self.split.development

    @cached_property
    def some_rows(self) -> np.ndarray:
        """At most about `SOME_ROWS` of the development rows, from all over the table."""
        return self.rows[:: max(1, len(self.rows) // SOME_ROWS)]

    @cached_property
    def some(self) -> pd.DataFrame:
        """The features of `some_rows`."""
        return self.dataset.features.iloc[self.some_rows]


@dataclass(frozen=True)
class Finding:
    """What a check has to say of a run: one line that names columns or folds, and the fix."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


Find = Callable[[Subject], Iterator[str]]


@dataclass(frozen=True)
class Check:
    """A check and its page: `what` it finds, `why` that matters, and the `fix`.

    A `costly` one fits something, so a command asks it once and not for each trial.
    """

    code: str
    title: str
    what: str
    why: str
    fix: str
    find: Find
    costly: bool = False


CHECKS: dict[str, Check] = {}


def check(
    code: str, title: str, *, what: str, why: str, fix: str, costly: bool = False
) -> Callable[[Find], Find]:
    """Register a function as the check with this code; it yields a line for each finding."""

    def register(find: Find) -> Find:
        assert code not in CHECKS, code
        CHECKS[code] = Check(code, title, what, why, fix, find, costly)
        return find

    return register
