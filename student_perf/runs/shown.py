"""What a run shows on the terminal: while it is made, and again from the files it has left.

What no other file of a run says is kept in `introduction.json`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.inspection.sentences import about_groups, group_lines, most_important
from student_perf.runs.layout import (
    IMPORTANCE_FILE,
    INTRODUCTION_FILE,
    LINEAGE_FILE,
    METRICS_FILE,
    SUBGROUPS_FILE,
    TEST_PREDICTIONS_FILE,
)
from student_perf.runs.looks import count_tries
from student_perf.runs.record import Recorded, RunRecord, write_json
from student_perf.scoring.metrics import METRICS
from student_perf.terminal import MetricRow, Terminal
from student_perf.text import folds

if TYPE_CHECKING:
    import pandas as pd

    from student_perf.data.cleaning import LineageStep

_TEXT = ("column", "group", "metric", "note")  # columns of the tables that hold no figures


@dataclass(frozen=True)
class Introduction:
    """What a run says before its first fit.

    Attributes:
        facts: Dataset, target, split, model, and how the file was read, by name.
        notes: What reading and cleaning have decided by themselves.
        warnings: What the checks have let pass.
        samples: What is measured on a sample of the rows; shown below the metrics.
    """

    facts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    samples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TestRows:
    """The figure on the test rows, how many they are, and how often they were opened."""

    __test__ = False  # for pytest, which takes the name for a test's

    row: MetricRow
    n: int
    looks: int


@dataclass(frozen=True)
class Result:
    """What comes out of a run, as it is shown.

    Attributes:
        metric: Name of the metric that decides.
        rows: Figures by metric.
        n_folds: How many folds they are the mean of.
        samples: What is measured on a sample of the rows.
        test: None if the run did not open the test rows.
        subgroups: Table of `inspection.subgroups`; None without it.
        importance: Table of `inspection.importance`; None without it.
        n_tries: Configurations tried on the same rows.
    """

    metric: str
    rows: dict[str, MetricRow]
    n_folds: int
    samples: Sequence[str]
    test: TestRows | None
    subgroups: pd.DataFrame | None
    importance: pd.DataFrame | None
    n_tries: int


def show_introduction(
    terminal: Terminal, introduction: Introduction, lineage: Sequence[LineageStep]
) -> None:
    """Facts, what cleaning did, notes and warnings."""
    if introduction.facts:
        terminal.facts(introduction.facts)
    terminal.lineage(lineage)
    terminal.notes(introduction.notes)
    terminal.warnings(introduction.warnings)


def show_result(terminal: Terminal, result: Result) -> None:
    """Metrics, test rows if they were opened, groups, important columns, and the verdict."""
    metric, rows = result.metric, result.rows
    terminal.metrics(rows, metric, f"held-out rows, {folds(result.n_folds)}")
    terminal.notes(result.samples)
    if result.test is not None:
        terminal.test_rows(result.test.row, metric, result.test.n, result.test.looks)
    terminal.groups(group_lines(result.subgroups), about_groups(result.subgroups))
    terminal.important(most_important(result.importance), metric)
    if any(row.get("dummy") is not None for row in rows.values()):  # a trial has none
        terminal.verdict(rows, metric, result.n_tries)


def write_introduction(folder: Path, introduction: Introduction) -> None:
    """Keep what a run has said before its first fit."""
    write_json(folder / INTRODUCTION_FILE, asdict(introduction))


def read_introduction(run: Recorded) -> Introduction:
    """What a run has said before its first fit; empty for one of an earlier version."""
    known = run.json(INTRODUCTION_FILE)
    return Introduction(
        facts={str(name): str(text) for name, text in dict(known.get("facts") or {}).items()},
        **{name: [*map(str, known.get(name) or [])] for name in ("notes", "warnings", "samples")},
    )


def read_lineage(run: Recorded) -> list[LineageStep]:
    """What cleaning did, step by step; empty for a run without a step beside reading."""
    steps = run.json(LINEAGE_FILE).get("steps") or []
    if len(steps) < 2:
        return []
    from student_perf.data.cleaning import LineageStep

    return [LineageStep(**step) for step in steps]


def read_result(run: Recorded) -> Result:
    """What came out of a finished run, from its record and its files."""
    record = run.record
    return Result(
        metric=record.objective,
        rows=_rows(run),
        n_folds=len(record.fold_scores(record.objective)),
        samples=read_introduction(run).samples,
        test=_test_rows(record),
        subgroups=_table(record, SUBGROUPS_FILE),
        importance=_table(record, IMPORTANCE_FILE),
        n_tries=count_tries(record),
    )


def _rows(run: Recorded) -> dict[str, MetricRow]:
    """The figures of each metric: all that the run has computed, or what its record holds."""
    summary, record = run.json(METRICS_FILE).get("metrics"), run.record
    if isinstance(summary, dict) and record.objective in summary:
        return {name: row for name, row in summary.items() if name in METRICS}
    rows = {}
    for name in METRICS:
        scores = record.fold_scores(name)
        if not len(scores):
            continue
        estimate = record.estimate(name)
        figures = {"mean": estimate.mean, "std": estimate.std}
        figures |= {"low": estimate.low, "high": estimate.high}
        figures |= {"train": record.train(name), "dummy": record.dummy(name)} | record.gain(name)
        rows[name] = {key: None if math.isnan(x) else x for key, x in figures.items()}
    return rows


def _test_rows(record: RunRecord) -> TestRows | None:
    estimate, file = record.test_estimate(record.objective), record.file(TEST_PREDICTIONS_FILE)
    if estimate is None or not file.is_file():
        return None
    import pyarrow.parquet as pq

    looks = record.number("test_looks")
    n_looks = 1 if math.isnan(looks) else int(looks)
    return TestRows(asdict(estimate), pq.read_metadata(file).num_rows, n_looks)


def _table(record: RunRecord, name: str) -> pd.DataFrame | None:
    """A table that the run has left; its words stay words, also `NA`, and groups stay text."""
    file = record.file(name)
    if not file.is_file():
        return None
    import pandas as pd

    text = pd.read_csv(file, dtype=str, keep_default_na=False)
    figures: Mapping[str, Any] = {
        column: pd.to_numeric(text[column].where(text[column] != "")).astype(float)
        for column in text.columns
        if column not in _TEXT
    }
    return text.assign(**figures)
