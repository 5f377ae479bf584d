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
from student_perf.config.load import load_config
from student_perf.config.schema import TrackingConfig
from student_perf.data import Dataset, load_dataset
from student_perf.errors import StudentPerfError, TrackingError, one_line
from student_perf.masking import masked
from student_perf.runs.model_file import load_model
from student_perf.runs.record import (
    CONFIG_FILE,
    ERROR_FILE,
    MODEL_FILE,
    RECORD_FILE,
    RECORD_TAG,
    RUN_ID_FILE,
    RunRecord,
    begun_run_id,
    load_record,
)
from student_perf.store.client import (
    RunStore,
    errors_of_store,
    import_for_models,
    is_refusal,
    mlflow_status,
)

log = logging.getLogger(__name__)

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
                n_sent = _Sending(folder, RunStore(tracking)).run(is_over)
        except Timeout as error:
            raise TrackingError(
                f"{folder}: another process is sending this sweep to MLflow; wait for its end"
            ) from error
    (folder / ERROR_FILE).unlink(missing_ok=True)
    return n_sent


def publish_recorded(record: RunRecord, tracking: TrackingConfig) -> None:
    """Send a finished run of any kind but a sweep from its folder. Raises TrackingError."""
    with errors_of_store(tracking, record.folder):
        sweep_id = begun_run_id(record.folder.parent) if record.kind in _KEPT else None
        _send_complete(record, RunStore(tracking), sweep_id)


def follow_sweep(folder: Path, tracking: TrackingConfig) -> None:
    """Body of the publishing process: `publish_sweep` until the over-file is there or the sweep's
    process has died. An error goes into a file beside the records, where the sweep looks for it.
    """
    if hasattr(os, "nice"):  # not on Windows
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
        self._handled: set[int] = set()
        self._refused: dict[Path, Exception] = {}

    def run(self, is_over: Callable[[], bool]) -> int:
        """Send what comes until `is_over`, then the sweep's own record; returns how many trials."""
        settled = False
        while not is_over():
            if not settled:  # afterwards nothing new comes
                settled = (self._folder / SETTLED_FILE).exists()
                self._send(with_kept=settled)
                import_for_models()  # while there is nothing else to do
            time.sleep(_PAUSE / 10 if settled else _PAUSE)
        self._send(with_kept=True)
        kept = {record.tags.get(RECORD_TAG, "") for record in self._kept()}
        self._store.retire_models(self._run_id, kept)
        record = load_record(self._folder)
        if record.status != "RUNNING":
            files = [*sorted(self._folder.iterdir()), *sorted(self._folder.glob(".hydra/*"))]
            files = [path for path in files if path.is_file() and path.suffix in _EVIDENCE]
            self._store.send(record, run_id=self._run_id, files=files)
        if self._refused:
            raise next(iter(self._refused.values()))
        return len(self._handled)

    def _send(self, with_kept: bool) -> None:
        if with_kept:  # first, since the sweep waits for its winner's id
            self._for_kept(_begin)
        self._send_trials()
        if with_kept:
            self._for_kept(_send_complete)

    def _send_trials(self) -> None:
        ended = _iter_finished(self._folder, self._handled)
        while records := list(islice(ended, _BATCH)):
            for record in records:
                record.tags["mlflow.parentRunId"] = self._run_id
            if new := [record for record in records if _number(record) not in self._known]:
                self._add(new)
            for record in records:
                if _number(record) not in self._handled:
                    self._send_one(record)

    def _add(self, new: list[RunRecord]) -> None:
        """Send new trials together, where the store takes that and refuses none of them."""
        try:
            ids = self._store.add_rows(new)
        except Exception as error:
            if not is_refusal(error):
                raise
            return
        for record, run_id in zip(new, ids, strict=False):
            self._note(record, run_id)

    def _send_one(self, record: RunRecord) -> None:
        run_id, status = self._known.get(_number(record), (None, None))
        try:
            if run_id is None or status != mlflow_status(record):  # not there, or half of it
                run_id = self._store.send(record, run_id)
        except Exception as error:
            if not is_refusal(error):
                raise
            self._refuse(record, error)
            self._handled.add(_number(record))
        else:
            (record.folder / ERROR_FILE).unlink(missing_ok=True)
            self._note(record, run_id)

    def _note(self, trial: RunRecord, run_id: str) -> None:
        if trial.mlflow_run_id != run_id:
            trial.mlflow_run_id = run_id
            trial.save()
        self._handled.add(_number(trial))

    def _for_kept(self, step: Callable[[RunRecord, RunStore, str], None]) -> None:
        """Take a step with the winner and the other kept models that are not sent."""
        for record in self._kept():
            if is_unsent(record) and record.folder not in self._refused:
                try:
                    step(record, self._store, self._run_id)
                except Exception as error:  # the rest of the sweep goes all the same
                    self._refuse(record, error)

    def _refuse(self, record: RunRecord, error: Exception) -> None:
        self._refused[record.folder] = error
        write_atomic(record.folder / ERROR_FILE, masked(one_line(error)))

    def _kept(self) -> list[RunRecord]:
        """The winner and the other kept models, which nobody replaces any more."""
        files = sorted(self._folder.glob(f"[!0-9]*/{RECORD_FILE}"))
        records = (load_record(file.parent) for file in files)
        return [record for record in records if record.kind in _KEPT]


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


def _iter_finished(folder: Path, handled: set[int]) -> Iterator[RunRecord]:
    numbers = sorted(int(e.name) for e in os.scandir(folder) if e.name.isdigit())
    for number in numbers:
        if number not in handled and (folder / str(number) / RECORD_FILE).is_file():
            record = load_record(folder / str(number))
            if record.status != "RUNNING":
                yield record
