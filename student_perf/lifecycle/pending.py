"""Sends runs that are complete on disk and not in MLflow, because the store could not be reached.

A run that was on its way when the store went away is found there by its record's id and completed,
so sending twice changes nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from student_perf.config import TrackingConfig, load_config
from student_perf.data import Dataset
from student_perf.errors import StudentPerfError, TrackingError
from student_perf.experiment import prepare_data
from student_perf.masking import MASK
from student_perf.tracking.mlflow_store import check_store, publish
from student_perf.tracking.model_format import load_model
from student_perf.tracking.publisher import parent_id, publish_sweep
from student_perf.tracking.record import (
    CONFIG_FILE,
    MODEL_FILE,
    RECORD_FILE,
    RunRecord,
    load_record,
)

log = logging.getLogger(__name__)


def iter_recorded(workspace: Path) -> Iterator[RunRecord]:
    """Every tracked record below a workspace but the trials, sweeps before what belongs to them."""
    folders = [*sorted((workspace / "multirun").glob("*")), *(workspace / "multirun").glob("*/*")]
    folders += sorted((workspace / "outputs").glob("*/*"))
    folders += sorted((workspace / "drift").glob("*"))
    for folder in folders:
        if (folder / RECORD_FILE).is_file() and not folder.name.isdigit():
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
        return f"{record.folder.name}: {publish_sweep(record.folder, tracking)} trials"
    if record.mlflow_run_id is not None or record.status not in ("FINISHED", "FAILED"):
        return None
    check_store(tracking)
    if record.kind in ("final", "kept") and (sweep := parent_id(record.folder.parent)) is not None:
        record.tags["mlflow.parentRunId"] = sweep
    model = record.folder / MODEL_FILE
    fitted = load_model(model) if model.is_file() else None
    dataset = None if record.kind == "drift" else _dataset_of(record)
    record.mlflow_run_id = publish(record, tracking, dataset, fitted, resume=True)
    record.save()
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


def _dataset_of(record: RunRecord) -> Dataset | None:
    """The rows of a run, None where they cannot be had any more or are others now."""
    try:
        dataset = prepare_data(load_config(record.folder / CONFIG_FILE)).dataset
    except (StudentPerfError, OSError) as error:
        log.warning("%s: sent without its dataset (%s)", record.folder, error)
        return None
    return dataset if dataset.sha256 == record.tags["student_perf.data_sha256"] else None
