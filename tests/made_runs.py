"""Small finished runs, and records of runs that never ran, with scores that are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from student_perf.config.schema import ExperimentConfig
from student_perf.experiment.run import run_experiment
from student_perf.runs.layout import RECORD_FILE
from student_perf.runs.record import Recorded, RunRecord, load_record
from student_perf.store.find import open_run
from student_perf.terminal import Terminal

Run = Callable[..., RunRecord]
MakeFolder = Callable[..., Path]
SPACE: dict[str, Any] = {
    "name": "model.C",
    "key": "model.C",
    "values": "0.001 to 100, log scale",
    "log": True,
}
QUICK = ("tracking=off", "report.importance=false", "split.n_splits=2")


@pytest.fixture(name="run")
def run_fixture(workspace: Path, compose_config: Callable[..., ExperimentConfig]) -> Run:
    """Makes a finished run in outputs/."""
    made: list[RunRecord] = []

    def make(*overrides: str, kind: str = "single", quick: tuple[str, ...] = QUICK) -> RunRecord:
        folder = workspace / "outputs" / "2026-01-02" / f"run-{len(made)}"
        config = compose_config(*quick, *overrides)
        made.append(run_experiment(config, folder, Terminal(quiet=True), kind=kind).record)
        return made[-1]

    return make


def read(record: RunRecord) -> Recorded:
    """The run as `open_run` gives it."""
    with open_run(str(record.folder)) as recorded:
        return recorded


def change_record(record: RunRecord, **changed: object) -> None:
    """Merge into the dictionaries of a record.json, or replace its other values."""
    content = json.loads((record.folder / RECORD_FILE).read_text())
    for key, value in changed.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    (record.folder / RECORD_FILE).write_text(json.dumps(content))
    load_record(record.folder)


@pytest.fixture
def make_record(workspace: Path) -> Run:
    """Makes a record and its `record.json`: below outputs/, or multirun/<study> for a trial."""

    def make(name: str, folds: list[float], model: str = "logreg", **changed: Any) -> RunRecord:
        study = changed.get("study")
        parent = workspace / "multirun" / study if study else workspace / "outputs" / "2026-01-02"
        kind = changed.get("kind", "trial" if study else "single")
        tags = {
            "student_perf.kind": kind,
            "student_perf.data_sha256": changed.get("data", "d" * 64),
            "student_perf.split_sha256": changed.get("split", "s" * 64),
            "dataset": "grades",
        }
        if study:
            tags["student_perf.study_name"] = study
            tags["student_perf.trial_number"] = str(changed.get("number", name.split("-")[-1]))
        metric = changed.get("metric", "accuracy")
        params = {
            "model.name": model,
            "objective.metric": metric,
            "dataset.task": "classification",
            "split.kind": "kfold",
            "test_over_train": "0.25",
        }
        metrics = {f"fold_{metric}": folds, "fit_seconds": changed.get("seconds", 1.0)}
        record = RunRecord(
            parent / ("winner" if kind == "final" else name),
            name,
            kind,
            params,
            tags,
            metrics | changed.get("metrics", {}),
            changed.get("status", "FINISHED"),
            started=changed.get("started", 1_700_000_000.0),
        )
        record.folder.mkdir(parents=True)
        record.save()
        return record

    return make


@pytest.fixture
def sweep_folder(make_record: Run, workspace: Path) -> MakeFolder:
    """Makes the folder of a sweep from its trials' fold scores; trial 0 ran the defaults."""

    def make(folds: list[list[float]], study: str = "mine", **changed: Any) -> Path:
        for number, scores in enumerate(folds):
            trial = make_record(str(number), scores, study=study, **changed)
            trial.params |= {"model.C": f"{10.0**-number}", "swept.model.C": f"{10.0**-number}"}
            origin = "drawn" if number or changed.get("model") else "defaults"
            trial.tags["student_perf.configuration"] = origin
            trial.metrics["dummy_accuracy_mean"] = 0.25
            trial.metrics[f"cv_{changed.get('metric', 'accuracy')}_mean"] = float(np.mean(scores))
            trial.save()
        params = {key: value for key, value in trial.params.items() if key[:6] != "swept."}
        params |= {"model.C": "1.0", "space.model.C": SPACE["values"], "n_rows": "120"}
        tags = {"dataset": "grades", "student_perf.target": "grade: low 40, high 80"}
        folder = workspace / "multirun" / study
        record = RunRecord(folder, study, "sweep", params, tags, started=1_700_000_000.0)
        record.space = [SPACE]
        record.finish()
        return folder

    return make
