"""Records of runs that never ran, with scores that are known."""

from __future__ import annotations

from typing import Any

import pytest

from student_perf.tracking.record import RunRecord


@pytest.fixture
def make_record(workspace):
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
