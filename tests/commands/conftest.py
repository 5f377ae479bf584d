"""One finished run of a dummy, sent nowhere."""

from pathlib import Path

import pytest

from student_perf.experiment.run import run_experiment
from student_perf.runs.record import RunRecord
from student_perf.terminal import Terminal
from tests.conftest import compose_config


@pytest.fixture
def dummy_run(workspace: Path) -> RunRecord:
    config = compose_config(
        "tracking=off", "model=dummy", "report.importance=false", "split.n_splits=2"
    )
    folder = workspace / "outputs" / "2026-01-02" / "03-04-05_abcdef01"
    return run_experiment(config, folder, Terminal(quiet=True)).record
