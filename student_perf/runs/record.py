"""The run's folder: the local record that exists before anything is sent anywhere.

`record.json` says whether the run is RUNNING, FINISHED, FAILED, PRUNED (a trial given up early
because others did better) or STOPPED (a sweep that can be continued). It is replaced as a whole,
and FINISHED is written last, so a folder without it is never taken for a finished run.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from student_perf.atomic import write_atomic

Status = Literal["RUNNING", "FINISHED", "FAILED", "PRUNED", "STOPPED"]

RECORD_FILE = "record.json"
METRICS_FILE = "metrics.json"
CONFIG_FILE = "config.yaml"
PREDICTIONS_FILE = "predictions.parquet"
NOTE_TAG = "mlflow.note.content"  # Markdown that MLflow shows on the run's page
CONTRACT_FILE = "contract.yaml"
CARD_FILE = "model_card.md"
MODEL_FILE = "model.skops"
RECORD_TAG = "student_perf.record_id"  # by which a run is found again in the store
ERROR_FILE = "tracking_error.txt"  # why something is not in the store
RUN_ID_FILE = "mlflow_run_id"  # in the folder of a sweep, a winner or another kept model


@dataclass
class RunRecord:
    """What is known of one run; times are seconds since the epoch.

    `metrics` maps a name to its value or, for fold scores, to the list of values by step.
    """

    folder: Path
    name: str
    kind: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float | list[float]] = field(default_factory=dict)
    status: Status = "RUNNING"
    started: float = field(default_factory=time.time)
    ended: float | None = None
    error: str | None = None
    mlflow_run_id: str | None = None

    def save(self) -> None:
        """Replace `record.json` in one step."""
        content = vars(self) | {"folder": str(self.folder)}
        write_atomic(self.folder / RECORD_FILE, to_json(content))

    def finish(self) -> None:
        """Mark the run as finished: everything it produces is in its folder."""
        self.status, self.ended = "FINISHED", time.time()
        self.save()

    def prune(self) -> None:
        """Mark a trial as stopped early; it keeps the metrics of the folds it did."""
        self.status, self.ended = "PRUNED", time.time()
        self.save()

    def stop(self, reason: str) -> None:
        """Mark a sweep as ended before all its trials were done."""
        self.status, self.ended, self.error = "STOPPED", time.time(), reason
        self.save()

    def fail(self, error: str) -> None:
        """Mark the run as failed with the error's one line."""
        self.status, self.ended, self.error = "FAILED", time.time(), error
        self.save()


@dataclass(frozen=True)
class Recorded:
    """A run's record with the plain config it was composed to; its files are in `record.folder`."""

    record: RunRecord
    composed: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the run's files are."""
        return self.record.folder

    def json(self, name: str) -> dict[str, Any]:
        """Content of one of its JSON files, empty where the run has none."""
        file = self.folder / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return content if isinstance(content, dict) else {}

    def text(self, name: str) -> str | None:
        """Content of one of its text files, None where the run has none."""
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.is_file() else None


def load_record(folder: Path) -> RunRecord:
    """The record in a run folder. Raises FileNotFoundError where there is none."""
    content = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    return RunRecord(**(content | {"folder": folder}))


def begun_run_id(folder: Path) -> str | None:
    """Id of the MLflow run begun for what is in the folder of a sweep or a kept model, None before;
    the run may be far from complete.
    """
    file = folder / RUN_ID_FILE
    return file.read_text(encoding="utf-8") if file.is_file() else None


def to_json(content: Mapping[str, Any]) -> str:
    """Readable JSON; NaN and infinities, which JSON does not know, become null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
