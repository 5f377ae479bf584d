"""Sends runs that are complete on disk and not in MLflow, because the store could not be reached.

A run that was on its way when the store went away is found there by its record's id and completed,
so sending twice changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from student_perf.config.schema import TrackingConfig
from student_perf.errors import TrackingError
from student_perf.masking import MASK
from student_perf.runs.record import RECORD_FILE, RunRecord, load_record
from student_perf.store.client import check_store
from student_perf.store.publisher import is_unsent, publish_recorded, publish_sweep


def iter_recorded(workspace: Path) -> Iterator[RunRecord]:
    """Every tracked record below a workspace; a sweep stands for all that belongs to it."""
    folders = sorted((workspace / "multirun").glob("*"))
    folders += sorted((workspace / "outputs").glob("*/*"))
    folders += sorted((workspace / "drift").glob("*"))
    for folder in folders:
        if (folder / RECORD_FILE).is_file():
            record = load_record(folder)
            if record.params.get("tracking.enabled") == "True":
                yield record


def send(record: RunRecord) -> str | None:
    """Send what MLflow lacks of a sweep or run; one line about it, None where it lacks nothing.

    Raises TrackingError where the store cannot be reached or fails; then it can be tried again.
    """
    tracking = _tracking_of(record)
    if record.kind == "sweep":
        check_store(tracking)
        n_sent = publish_sweep(record.folder, tracking)
        return f"{record.folder.name}: {n_sent} trials"
    if not is_unsent(record):
        return None
    check_store(tracking)
    publish_recorded(record, tracking)
    return f"{record.name}: run {record.mlflow_run_id}"


def _tracking_of(record: RunRecord) -> TrackingConfig:
    uri = record.params["tracking.uri"]
    if MASK in uri:
        known = os.environ.get("MLFLOW_TRACKING_URI")
        if known is None:
            raise TrackingError(
                f"tracking.uri={uri}: its password is not on record; set MLFLOW_TRACKING_URI to "
                "the whole address"
            )
        uri = known
    return TrackingConfig(True, uri, record.params["tracking.experiment"])
