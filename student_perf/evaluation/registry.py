"""The numbered checks: each is one decorated function with its code and its page.

A check is about one kind of subject: the rows of a run (`Subject`), what a run or a sweep has
chosen (`Chosen`), or runs side by side (`Compared`).

`docs/checks.md` is written from here, and the level of each check stands in `conf/config.yaml`
alone: `guards.SP101=off|warn|error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from student_perf.config.schema import GuardsConfig

if TYPE_CHECKING:  # whoever shows results looks here too, and reads no rows
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
class Range:
    """The numbers that a search tries for a key, from the lowest to the highest."""

    low: float
    high: float
    is_log: bool = False


@dataclass(frozen=True)
class Chosen:
    """The values of a single run or of the best trial of a sweep, beside those that a search tries.

    Attributes:
        values: What was chosen, by config key, as text.
        ranges: The numbers that are tried, by config key.
        place: Where the ranges stand, as a user knows it.
        model: The model of a single run; empty for a sweep.
        defaults: The defaults of the keys that a search of this model varies, as far as its file
            names them; empty for a sweep.
        as_good: What other trials of a sweep chose that came out equal to its best.
    """

    values: Mapping[str, str]
    ranges: Mapping[str, Range]
    place: str
    model: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    as_good: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Compared:
    """Runs that somebody sets side by side; `differ` names what they do not share: data, folds,
    metric.
    """

    differ: Sequence[str]


@dataclass(frozen=True)
class Finding:
    """What a check has to say: one line that names columns, folds, keys or runs, and the fix."""

    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


Find = Callable[[Any], Iterator[str]]


@dataclass(frozen=True)
class Check:
    """A check and its page: `what` it finds, `why` that matters, and the `fix`.

    `about` is the kind of its subject. A `costly` one fits something, so a command asks it once and
    not for each trial. A `quiet` one does not speak against a run by itself: its terminal does not
    show it.
    """

    code: str
    title: str
    what: str
    why: str
    fix: str
    find: Find
    about: type = Subject
    costly: bool = False
    quiet: bool = False


CHECKS: dict[str, Check] = {}


def check(
    code: str,
    title: str,
    *,
    what: str,
    why: str,
    fix: str,
    about: type = Subject,
    costly: bool = False,
    quiet: bool = False,
) -> Callable[[Find], Find]:
    """Register a function as the check with this code; it yields a line for each finding."""

    def register(find: Find) -> Find:
        assert code not in CHECKS, code
        CHECKS[code] = Check(code, title, what, why, fix, find, about, costly, quiet)
        return find

    return register


def asked(
    subject: Subject | Chosen | Compared, guards: GuardsConfig, *, costly: bool = False
) -> Iterator[tuple[Check, list[str]]]:
    """Each known check of the subject's kind that is not off, by its code, with its lines.

    Args:
        subject: What they look at.
        guards: The level of each; those of a record may name checks of other versions.
        costly: Whether to ask those that fit something, or the others.
    """
    for code in sorted(CHECKS):
        one = CHECKS[code]
        is_about = isinstance(subject, one.about) and one.costly == costly
        if is_about and guards.level(code) != "off":
            yield one, _typed_after(subject, list(one.find(subject)))


def _typed_after(subject: Subject | Chosen | Compared, lines: list[str]) -> list[str]:
    """Lines whose advice on cleaning keeps the steps that are declared."""
    if not lines or not isinstance(subject, Subject):
        return lines
    from student_perf.data.cleaning import after_steps

    return [after_steps(line, subject.config.clean) for line in lines]
