"""Reads runs back from MLflow as records: params, tags and metrics of many, files only one by one.

A sqlite store is read by SQL: 5,000 runs take a second, where MLflow's client needs forty and its
import alone three. Other stores are asked through the client, a page of runs at a time.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from student_perf.errors import TrackingError, one_line
from student_perf.paths import sqlite_file
from student_perf.runs.record import RunRecord, Status

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PAGE = 1000
_RUNS_PER_HISTORY = 100  # MLflow's limit for one request
_HISTORY = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
_WAIT_SECONDS = 30
_OBJECTIVE = "objective.metric"
_RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Selection:
    """Which runs: those of an experiment, of studies by name, single ones by id with their
    children; several of them add up.
    """

    experiment: str | None = None
    studies: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = ()


def is_run_id(text: str) -> bool:
    """Whether a text has the form of an MLflow run id."""
    return _RUN_ID.fullmatch(text) is not None


def read_runs(uri: str, selection: Selection, metrics: Sequence[str] = ()) -> list[RunRecord]:
    """The selected runs, oldest first, with the fold scores of each run's objective and `metrics`.

    A record's folder is where MLflow keeps the run's files, if that is on this machine. A fold on
    which a metric is not defined is NaN. Raises TrackingError where the store cannot be read.
    """
    read = _read_sqlite if uri.startswith("sqlite") else _read_client
    try:
        records = read(uri, selection, set(metrics))
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(
            f"--store {uri}: could not be read ({one_line(error)}); check the address, or let "
            "`python -m student_perf ui` bring an older database up to date"
        ) from error
    return sorted(records, key=lambda record: record.started)


def fetch_file(record: RunRecord, uri: str, name: str) -> Path:
    """A file of a run: from its folder, or else downloaded from the store `uri`.

    Raises TrackingError where neither has it.
    """
    if (record.folder / name).is_file():
        return record.folder / name
    if record.mlflow_run_id is None or not uri.startswith("http"):
        raise TrackingError(f"{record.name}: {name} is not in {record.folder}")
    import mlflow

    try:
        found = mlflow.artifacts.download_artifacts(
            run_id=record.mlflow_run_id, artifact_path=name, tracking_uri=uri
        )
    except Exception as error:
        raise TrackingError(f"{record.name}: no {name} in {uri} ({one_line(error)})") from error
    return Path(found)


def _read_sqlite(uri: str, selection: Selection, metrics: set[str]) -> list[RunRecord]:
    database = sqlite_file(uri)
    if not database.is_file():
        raise TrackingError(f"--store {uri}: no such database; run `make train` first")
    address = f"{database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as db:
        where, values = _condition(selection)
        db.execute(f"CREATE TEMP TABLE chosen AS SELECT run_uuid FROM runs WHERE {where}", values)  # noqa: S608 (our own words)
        db.execute("CREATE UNIQUE INDEX temp.chosen_id ON chosen (run_uuid)")
        records = {
            row[0]: _record(*row)
            for row in db.execute(
                "SELECT run_uuid, name, status, start_time, end_time, artifact_uri FROM runs "
                "JOIN temp.chosen USING (run_uuid)"
            )
        }
        _fill_values(db, records)
        objectives = {r.params[_OBJECTIVE] for r in records.values() if _OBJECTIVE in r.params}
        for metric in metrics | objectives:
            rows = db.execute(
                "SELECT run_uuid, step, value FROM metrics JOIN temp.chosen USING (run_uuid) "
                "WHERE key = ? AND NOT is_nan ORDER BY timestamp",
                (f"fold_{metric}",),
            )
            _set_folds(records, metric, rows)
    return list(records.values())


def _condition(selection: Selection) -> tuple[str, list[str]]:
    """What a run must fulfil, as SQL with its values."""
    parts, values = [], []
    if selection.experiment is not None:
        parts.append("experiment_id IN (SELECT experiment_id FROM experiments WHERE name = ?)")
        values.append(selection.experiment)
    tagged = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value = ?)"
    for study in selection.studies:
        parts.append(tagged)
        values += ["student_perf.study_name", study]
    for run_id in selection.run_ids:
        parts.append(f"run_uuid = ? OR {tagged}")
        values += [run_id, "mlflow.parentRunId", run_id]
    chosen = " OR ".join(parts) or "1"
    return f"lifecycle_stage = 'active' AND ({chosen})", values


def _fill_values(db: sqlite3.Connection, records: dict[str, RunRecord]) -> None:
    """Params, tags and single metrics; fold scores are read by step, and only those needed."""
    for table, name in (("params", "params"), ("tags", "tags"), ("latest_metrics", "metrics")):
        by_run = {run_id: getattr(record, name) for run_id, record in records.items()}
        condition = "key NOT GLOB 'fold_*' AND NOT is_nan" if name == "metrics" else "1"
        for run_id, key, value in db.execute(
            f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN temp.chosen "  # noqa: S608
            f"AND {condition}"
        ):
            by_run[run_id][key] = value
    for record in records.values():
        record.kind = record.tags.get("student_perf.kind", "")


def _set_folds(
    records: dict[str, RunRecord], metric: str, rows: Iterator[tuple[str, int, float]]
) -> None:
    by_run: dict[str, dict[int, float]] = {}
    for run_id, step, value in rows:
        by_run.setdefault(run_id, {})[step] = value
    for run_id, steps in by_run.items():
        scores = [steps.get(step, float("nan")) for step in range(max(steps) + 1)]
        records[run_id].metrics[f"fold_{metric}"] = scores


def _record(
    run_id: str, name: str, status: str, start: int, end: int | None, artifact_uri: str
) -> RunRecord:
    words: dict[str, Status] = {"FINISHED": "FINISHED", "FAILED": "FAILED", "KILLED": "PRUNED"}
    parts = urlsplit(artifact_uri)
    folder = url2pathname(parts.path) if parts.scheme in ("file", "") else artifact_uri
    return RunRecord(
        folder=Path(folder),
        name=name,
        kind="",
        params={},
        tags={},
        status=words.get(status, "RUNNING"),
        started=start / 1000,
        ended=None if end is None else end / 1000,
        mlflow_run_id=run_id,
    )


def _read_client(uri: str, selection: Selection, metrics: set[str]) -> list[RunRecord]:
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    records: dict[str, RunRecord] = {}
    for run in _iter_runs(client, selection):
        info, data = run.info, run.data
        record = _record(
            info.run_id,
            info.run_name,
            info.status,
            info.start_time,
            info.end_time,
            info.artifact_uri,
        )
        record.params, record.tags = dict(data.params), dict(data.tags)
        record.kind = record.tags.get("student_perf.kind", "")
        record.metrics = {k: v for k, v in data.metrics.items() if not k.startswith("fold_")}
        records[info.run_id] = record
    objectives = {r.params[_OBJECTIVE] for r in records.values() if _OBJECTIVE in r.params}
    for metric in metrics | objectives:
        _set_folds(records, metric, _iter_history(client, uri, f"fold_{metric}", sorted(records)))
    return list(records.values())


def _iter_runs(client: MlflowClient, selection: Selection) -> Iterator[Any]:
    active = client.search_experiments()
    if selection.experiment is not None:
        ids = [e.experiment_id for e in active if e.name == selection.experiment]
        yield from _iter_pages(client, ids, "")
    everywhere = [e.experiment_id for e in active]
    filters = [f"tags.`student_perf.study_name` = '{study}'" for study in selection.studies]
    for run_id in selection.run_ids:
        filters += [f"attributes.run_id = '{run_id}'", f"tags.`mlflow.parentRunId` = '{run_id}'"]
    if selection == Selection():
        filters = [""]
    for one in filters:
        yield from _iter_pages(client, everywhere, one)


def _iter_pages(client: MlflowClient, experiments: list[str], condition: str) -> Iterator[Any]:
    token = None
    while experiments:
        page = client.search_runs(experiments, condition, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _iter_history(
    client: MlflowClient, uri: str, key: str, run_ids: list[str]
) -> Iterator[tuple[str, int, float]]:
    """Run, step and value of a metric for many runs, a hundred with each request."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request_safe

    for i in range(0, len(run_ids), _RUNS_PER_HISTORY):
        some = run_ids[i : i + _RUNS_PER_HISTORY]
        if uri.startswith("http"):
            asked = [*(("run_id", one) for one in some), ("metric_key", key)]
            creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
            answer = http_request_safe(creds, _HISTORY, "GET", params=asked).json()  # type: ignore[no-untyped-call]
            yield from ((m["run_id"], int(m["step"]), m["value"]) for m in answer["metrics"])
        else:
            for run_id in some:
                history = client.get_metric_history(run_id, key)
                yield from ((run_id, m.step, m.value) for m in history)
