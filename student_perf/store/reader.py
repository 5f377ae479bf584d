"""Reads one run back from MLflow: its record and its files, as they stood in the run folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.config.schema import TrackingConfig
from student_perf.errors import StudentPerfError, TrackingError, one_line
from student_perf.paths import sqlite_file
from student_perf.runs.record import MODEL_FILE, RunRecord, Status
from student_perf.store.client import check_store, prepare_environment

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_FOLDS = "fold_"
_ERROR_TAG = "student_perf.error"
_STATUS: Mapping[str, Status] = {
    "FINISHED": "FINISHED",
    "FAILED": "FAILED",
    "KILLED": "PRUNED",
    "RUNNING": "RUNNING",
    "SCHEDULED": "RUNNING",
}


def fetch_run(run_id: str, store: str, folder: Path) -> RunRecord:
    """Download the run whose id starts with `run_id` into `folder`; its record is saved there.

    Raises TrackingError where the store does not answer, or has no such run or more than one.
    """
    check_store(TrackingConfig(True, store, ""))
    if store.startswith("sqlite") and not sqlite_file(store).is_file():
        raise TrackingError(f"{store}: no such database; name the store with --store")
    try:
        return _fetch(run_id, store, folder)
    except StudentPerfError:
        raise
    except Exception as error:
        raise TrackingError(
            f"{run_id}: could not be read from {store} ({one_line(error)}); "
            "check the store, or name the run's folder"
        ) from error


def _fetch(run_id: str, store: str, folder: Path) -> RunRecord:
    prepare_environment()
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=store)
    run = _find(client, run_id, store)
    folder.mkdir(parents=True, exist_ok=True)
    client.download_artifacts(run.info.run_id, "", str(folder))
    _fetch_model(client, run, store, folder)
    record = _record(client, run, folder)
    record.save()
    return record


def _find(client: MlflowClient, run_id: str, store: str) -> Run:
    if not run_id.isalnum():
        raise TrackingError(f"{run_id}: is no run id; ids hold letters and digits only")
    experiments = [e.experiment_id for e in client.search_experiments()]
    condition = f"attributes.run_id LIKE '{run_id}%'"
    found = client.search_runs(experiments, condition, max_results=2) if experiments else []
    if len(found) != 1:
        many = "more than one run starts with it; give more of the id"
        none = "no such run; correct the id, or name another store with --store"
        raise TrackingError(f"{run_id}: {many if found else none} ({store})")
    return found[0]


def _fetch_model(client: MlflowClient, run: Run, store: str, folder: Path) -> None:
    """The model's own file, which MLflow keeps apart from the run's other files."""
    import mlflow

    outputs = run.outputs.model_outputs if run.outputs is not None else []
    for output in outputs[:1]:
        place = client.get_logged_model(output.model_id).artifact_location
        mlflow.artifacts.download_artifacts(
            artifact_uri=f"{place}/{MODEL_FILE}", dst_path=str(folder), tracking_uri=store
        )


def _record(client: MlflowClient, run: Run, folder: Path) -> RunRecord:
    run_id, tags = run.info.run_id, dict(run.data.tags)
    metrics: dict[str, float | list[float]] = dict(run.data.metrics)
    for name in [name for name in metrics if name.startswith(_FOLDS)]:
        history = sorted(client.get_metric_history(run_id, name), key=lambda entry: entry.step)
        metrics[name] = [entry.value for entry in history]
    return RunRecord(
        folder=folder,
        name=str(run.info.run_name),
        kind=tags.get("student_perf.kind", "single"),
        params=dict(run.data.params),
        tags=tags,
        metrics=metrics,
        status=_STATUS[run.info.status],
        started=run.info.start_time / 1000,
        ended=run.info.end_time / 1000 if run.info.end_time else None,
        error=tags.get(_ERROR_TAG),
        mlflow_run_id=run_id,
    )
