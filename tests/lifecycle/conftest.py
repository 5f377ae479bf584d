"""Small finished runs, without pictures of importance and without tracking."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from student_perf.experiment import run_experiment
from student_perf.lifecycle.recorded import opened
from student_perf.terminal import Terminal
from student_perf.tracking.record import RECORD_FILE, Recorded, RunRecord, load_record
from tests.conftest import compose_config

Run = Callable[..., RunRecord]
QUICK = ("tracking=off", "report.importance=false", "split.n_splits=2")


@pytest.fixture
def run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Makes a finished run in outputs/; pictures, which no test here looks at, are left out."""
    monkeypatch.setattr("student_perf.artifacts._save_figures", lambda folder, figures: None)
    made = []

    def make(*overrides: str, kind: str = "single", quick: tuple[str, ...] = QUICK) -> RunRecord:
        folder = workspace / "outputs" / "2026-01-02" / f"run-{len(made)}"
        config = compose_config(*quick, *overrides)
        made.append(run_experiment(config, folder, Terminal(quiet=True), kind=kind).record)
        return made[-1]

    return make


def read(record: RunRecord) -> Recorded:
    """The run as `opened` gives it."""
    with opened(str(record.folder), "") as recorded:
        return recorded


def change_record(record: RunRecord, **changed: object) -> None:
    """Merge into the dictionaries of a record.json, or replace its other values."""
    content = json.loads((record.folder / RECORD_FILE).read_text())
    for key, value in changed.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    (record.folder / RECORD_FILE).write_text(json.dumps(content))
    load_record(record.folder)
