"""Sends the records of a sweep to MLflow beside the work, and whatever is missing afterwards.

Reads only what is on disk, so it may be killed and started again at any time: a run that MLflow
has already is found by its trial number and completed instead of doubled.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from student_perf.atomic import write_atomic
from student_perf.config import TrackingConfig, load_config
from student_perf.data import Dataset, load_dataset
from student_perf.errors import StudentPerfError, TrackingError, one_line
from student_perf.masking import masked
from student_perf.tracking.mlflow_store import (
    RunStore,
    errors_of_store,
    import_for_models,
    mlflow_status,
)
from student_perf.tracking.model_format import load_model
from student_perf.tracking.record import (
    CONFIG_FILE,
    MODEL_FILE,
    RECORD_FILE,
    RUN_ID_FILE,
    RunRecord,
    begun_run_id,
    load_record,
)

log = logging.getLogger(__name__)

ERROR_FILE = "tracking_error.txt"
LOCK_FILE = "publisher.lock"
SETTLED_FILE = "settled"  # there once the winner and the other kept models stay as they are
OVER_FILE = "over"  # there once nothing more comes
_EVIDENCE = (".yaml", ".json", ".html", ".log", ".csv", ".png", ".diff")
_KEPT = ("final", "kept")  # kinds of the records that have a model
_BATCH = 100  # trials that go in one transaction
_PAUSE = 0.2  # seconds between two looks at the folder
_LOCK_SECONDS = 60  # a publisher whose sweep was killed sends what there is and ends


def publish_sweep(
    folder: Path, tracking: TrackingConfig, is_over: Callable[[], bool] = lambda: True
) -> int:
    """Send the sweep in `folder`, its trials and the models it keeps until `is_over`; returns the
    number of trials sent.

    Raises TrackingError where the store fails; what is on disk stays complete.
    """
    with errors_of_store(tracking, folder):
        try:
            with FileLock(folder / LOCK_FILE, timeout=_LOCK_SECONDS):
                return _Sending(folder, RunStore(tracking)).run(is_over)
        except Timeout as error:
            raise TrackingError(
                f"{folder}: another process is sending this sweep to MLflow; wait for its end"
            ) from error


def publish_recorded(record: RunRecord, tracking: TrackingConfig) -> None:
    """Send a finished run of any kind but a sweep from its folder. Raises TrackingError."""
    with errors_of_store(tracking, record.folder):
        sweep_id = begun_run_id(record.folder.parent) if record.kind in _KEPT else None
        _send_complete(record, RunStore(tracking), sweep_id)


def follow_sweep(folder: Path, tracking: TrackingConfig) -> None:
    """Body of the publishing process: `publish_sweep` until the over-file is there or the sweep's
    process has died. An error goes into a file beside the records, where the sweep looks for it.
    """
    os.nice(10)  # the trials come first
    sweep, over_file = os.getppid(), folder / OVER_FILE
    (folder / ERROR_FILE).unlink(missing_ok=True)
    try:
        publish_sweep(folder, tracking, lambda: over_file.exists() or os.getppid() != sweep)
    except TrackingError as error:
        write_atomic(folder / ERROR_FILE, masked(str(error)))


class _Sending:
    """One pass over a sweep's folder, as long as the sweep runs."""

    def __init__(self, folder: Path, store: RunStore) -> None:
        self._folder, self._store = folder, store
        record = load_record(folder)
        self._run_id = store.open_run(record, begun_run_id(folder) or store.find(record))
        write_atomic(folder / RUN_ID_FILE, self._run_id)
        self._known = store.children(self._run_id)
        self._sent: set[int] = set()
        self._refused: dict[Path, Exception] = {}

    def run(self, is_over: Callable[[], bool]) -> int:
        """Send what comes until `is_over`, then the sweep's own record."""
        last_look = False
        while not last_look:
            last_look = is_over()
            settled = last_look or (self._folder / SETTLED_FILE).exists()
            if settled:  # the sweep waits for its winner's id, to name it in the report
                self._for_kept(_begin)
            self._send_trials()
            if settled:
                self._for_kept(_send_complete)
            if not last_look:
                import_for_models()  # while there is nothing else to do
                time.sleep(_PAUSE / 10 if settled else _PAUSE)
        record = load_record(self._folder)
        if record.status != "RUNNING":
            files = [*sorted(self._folder.iterdir()), *sorted(self._folder.glob(".hydra/*"))]
            files = [path for path in files if path.is_file() and path.suffix in _EVIDENCE]
            self._store.send(record, run_id=self._run_id, files=files)
        if self._refused:
            raise next(iter(self._refused.values()))
        return len(self._sent)

    def _send_trials(self) -> None:
        while records := list(islice(_iter_finished(self._folder, self._sent), _BATCH)):
            for record in records:
                record.tags["mlflow.parentRunId"] = self._run_id
            new = [record for record in records if _number(record) not in self._known]
            for record, run_id in zip(new, self._store.add(new), strict=True):
                self._known[_number(record)] = run_id, mlflow_status(record)
            for record in records:
                run_id, status = self._known[_number(record)]
                if status != mlflow_status(record):  # only half of it is there
                    self._store.send(record, run_id)
                if record.mlflow_run_id != run_id:
                    record.mlflow_run_id = run_id
                    record.save()
                self._sent.add(_number(record))

    def _for_kept(self, step: Callable[[RunRecord, RunStore, str], None]) -> None:
        """Take a step with the winner and the other kept models, which nobody replaces any more."""
        for file in sorted(self._folder.glob(f"[!0-9]*/{RECORD_FILE}")):
            record = load_record(file.parent)
            is_due = record.kind in _KEPT and is_unsent(record)
            if is_due and record.folder not in self._refused:
                try:
                    step(record, self._store, self._run_id)
                except Exception as error:  # the rest of the sweep goes all the same
                    self._refused[record.folder] = error
                    write_atomic(record.folder / ERROR_FILE, masked(one_line(error)))


def _number(trial: RunRecord) -> int:
    return int(trial.folder.name)


def is_unsent(record: RunRecord) -> bool:
    """Whether a record has come to its end and is not in MLflow."""
    return record.mlflow_run_id is None and record.status in ("FINISHED", "FAILED")


def _begin(record: RunRecord, store: RunStore, sweep_id: str) -> None:
    """Create the run of a kept record, where there is none yet, and leave its id in the folder."""
    record.tags["mlflow.parentRunId"] = sweep_id
    run_id = store.find(record) or store.open_run(record)
    write_atomic(record.folder / RUN_ID_FILE, run_id)


def _send_complete(record: RunRecord, store: RunStore, sweep_id: str | None) -> None:
    """Send a record with the dataset and the model in its folder, below the sweep's run if there is
    one; a run that was begun for it is completed.
    """
    (record.folder / ERROR_FILE).unlink(missing_ok=True)
    if sweep_id is not None:
        record.tags["mlflow.parentRunId"] = sweep_id
    file = record.folder / MODEL_FILE
    has_model = record.status == "FINISHED" and file.is_file()
    model = load_model(file) if has_model else None
    dataset = None if record.kind == "drift" else _dataset_of(record)
    record.mlflow_run_id = store.send(record, store.find(record), dataset, model)
    record.save()


def _dataset_of(record: RunRecord) -> Dataset | None:
    """The rows of a run, None where they cannot be had any more or are others now."""
    try:
        dataset = load_dataset(load_config(record.folder / CONFIG_FILE).dataset)
    except (StudentPerfError, OSError) as error:
        log.warning("%s: sent without its dataset (%s)", record.folder, error)
        return None
    return dataset if dataset.sha256 == record.tags["student_perf.data_sha256"] else None


def _iter_finished(folder: Path, sent: set[int]) -> Iterator[RunRecord]:
    numbers = sorted(int(e.name) for e in os.scandir(folder) if e.name.isdigit())
    for number in numbers:
        if number not in sent and (folder / str(number) / RECORD_FILE).is_file():
            record = load_record(folder / str(number))
            if record.status != "RUNNING":
                yield record
