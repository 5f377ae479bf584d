"""Sends the records of a sweep to MLflow beside the work, and whatever is missing afterwards.

Reads only what is on disk, so it may be killed and started again at any time: a run that MLflow
has already is found by its trial number and completed instead of doubled.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from student_perf.atomic import write_atomic
from student_perf.config import TrackingConfig
from student_perf.errors import StudentPerfError, TrackingError, one_line
from student_perf.tracking.mlflow_store import RunStore, mlflow_status
from student_perf.tracking.record import RECORD_FILE, RunRecord, load_record

PARENT_FILE = "mlflow_run_id"
ERROR_FILE = "tracking_error.txt"
_EVIDENCE = (".yaml", ".json", ".html", ".log", ".csv", ".png", ".diff")
_PAUSE = 0.2  # seconds between two looks at the folder


def publish_sweep(
    folder: Path, tracking: TrackingConfig, is_over: Callable[[], bool] = lambda: True
) -> int:
    """Send the sweep in `folder` and its trials until `is_over`; returns the number of runs sent.

    Raises TrackingError where the store fails; what is on disk stays complete.
    """
    try:
        store = RunStore(tracking)
        record = load_record(folder)
        run_id = store.open_run(record, parent_id(folder) or store.find(record))
        write_atomic(folder / PARENT_FILE, run_id)
        n_sent = _send_trials(folder, store, run_id, is_over)
        record = load_record(folder)
        if record.status != "RUNNING":
            files = [*sorted(folder.iterdir()), *sorted(folder.glob(".hydra/*"))]
            files = [path for path in files if path.is_file() and path.suffix in _EVIDENCE]
            store.send(record, run_id=run_id, files=files)
        return n_sent
    except StudentPerfError:
        raise
    except Exception as error:
        raise TrackingError(
            f"tracking.uri={tracking.uri}: MLflow did not take the sweep ({one_line(error)}); "
            f"its records are in {folder}"
        ) from error


def follow_sweep(folder: Path, tracking: TrackingConfig, over_file: Path) -> None:
    """Body of the publishing process: `publish_sweep` until `over_file` is there or the sweep's
    process has died. An error goes into a file beside the records, where the sweep looks for it.
    """
    os.nice(10)  # the trials come first
    sweep = os.getppid()
    (folder / ERROR_FILE).unlink(missing_ok=True)
    try:
        publish_sweep(folder, tracking, lambda: over_file.exists() or os.getppid() != sweep)
    except TrackingError as error:
        write_atomic(folder / ERROR_FILE, str(error))


def _send_trials(folder: Path, store: RunStore, sweep_id: str, is_over: Callable[[], bool]) -> int:
    known = store.children(sweep_id)
    sent: set[int] = set()
    while True:
        last_look = is_over()
        for record in _iter_finished(folder, sent):
            number = int(record.folder.name)
            run_id, status = known.get(number, (None, None))
            if status != mlflow_status(record):  # not there, or only half of it
                record.tags["mlflow.parentRunId"] = sweep_id
                record.mlflow_run_id = store.send(record, run_id=run_id)
                record.save()
            sent.add(number)
        if last_look:
            return len(sent)
        time.sleep(_PAUSE)


def _iter_finished(folder: Path, sent: set[int]) -> Iterator[RunRecord]:
    numbers = sorted(int(e.name) for e in os.scandir(folder) if e.name.isdigit())
    for number in numbers:
        if number not in sent and (folder / str(number) / RECORD_FILE).is_file():
            record = load_record(folder / str(number))
            if record.status != "RUNNING":
                yield record


def parent_id(folder: Path) -> str | None:
    """Id of the sweep's MLflow run, None before it has one."""
    file = folder / PARENT_FILE
    return file.read_text(encoding="utf-8") if file.is_file() else None
