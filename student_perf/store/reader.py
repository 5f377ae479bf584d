"""Reads runs back from MLflow as records: params, tags and metrics of many, the files of one.

A SQLite store is read by SQL: 5,000 runs take a second, whereas MLflow's client needs forty and its
import alone three. Other stores are asked through the client, one page of runs at a time.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from student_perf.errors import StudentPerfError, TrackingError, one_line
from student_perf.masking import masked
from student_perf.runs import tags
from student_perf.runs.layout import LOGGED_PLACE, MODEL_FILE, holds_record
from student_perf.runs.record import RunRecord
from student_perf.runs.record_types import Status
from student_perf.scoring.metrics import logged_as
from student_perf.shell import own_line
from student_perf.store.address import is_server, sqlite_file
from student_perf.store.client import (
    check_readable,
    iter_pages,
    logged_model_id,
    prepare_environment,
)
from student_perf.text import visible, visible_tree

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_RUNS_PER_HISTORY = 100  # MLflow's limit for one request
_HISTORY = "/ajax-api/2.0/mlflow/metrics/get-history-bulk"
_WAIT_SECONDS = 30
_FOLDS = logged_as("", "folds")
_STATUS: Mapping[str, Status] = {"FINISHED": "FINISHED", "FAILED": "FAILED", "KILLED": "PRUNED"}

Values = dict[str, Any]
RunRow = tuple[str, str, str, int, int | None, str]  # id, name, status, start, end in ms, artifacts
FoldRow = tuple[str, str, int, float]  # run, metric, fold, score


@dataclass(frozen=True)
class Selection:
    """Which runs: all, or those that fit any of these; with `kinds`, only those kinds of them.

    Attributes:
        experiment: name of an experiment.
        studies: names of sweeps; with the sweeps their trials and winners.
        ids: how ids of runs or of their records begin; letters and digits.
        parents: whole ids of runs whose children are wanted.
        names: names of runs, or how they end.
    """

    experiment: str | None = None
    studies: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


def read_runs(
    uri: str, selection: Selection, metrics: Sequence[str] | None = ()
) -> list[RunRecord]:
    """The selected runs, oldest first.

    A record's folder is where MLflow keeps the run's files, if that is on this machine. Fold scores
    are those of each run's objective and of `metrics`, or all of them if that is None; a fold on
    which a metric is not defined is NaN.

    Raises:
        TrackingError: The store does not answer or cannot be read.
    """
    read = _read_client if sqlite_file(uri) is None else _read_sqlite
    with _errors_of(uri):
        records = read(uri, selection, metrics)
    for record in records:  # what a run has in MLflow does not say where that is
        record.params["tracking.uri"] = masked(uri)
    return sorted(records, key=lambda record: record.started)


def _make_record(
    row: RunRow, params: dict[str, str], run_tags: dict[str, str], metrics: dict[str, float]
) -> RunRecord:
    """The record that a run in MLflow was made from, without fold scores."""
    params, run_tags = visible_tree(params), visible_tree(run_tags)
    run_id, name, status, start, end, artifact_uri = row
    parts = urlsplit(artifact_uri)
    folder = url2pathname(parts.path) if parts.scheme in ("file", "") else artifact_uri
    kind = run_tags.get(tags.KIND, "")
    files = run_tags.pop(tags.FILES, None)
    was_stopped = status == "KILLED" and kind == "sweep"
    return RunRecord(
        folder=Path(folder),
        name=visible(name),
        kind=kind,
        params=params,
        tags=run_tags,
        metrics={key: value for key, value in metrics.items() if not key.startswith(_FOLDS)},
        status="STOPPED" if was_stopped else _STATUS.get(status, "RUNNING"),
        started=start / 1000,
        ended=None if end is None else end / 1000,
        error=run_tags.get(tags.ERROR),
        mlflow_run_id=run_id,
        files=json.loads(files) if files else {},
    )


def fetch_file(record: RunRecord, uri: str, name: str) -> Path:
    """A file of a run: from its folder, or downloaded from the store `uri`.

    Raises:
        ChangedError: It is not as the run left it.
        TrackingError: Neither has it.
    """
    if (record.folder / name).is_file() or holds_record(record.folder):
        here = record.file(name)
        if here.is_file():
            return here
    if record.mlflow_run_id is None or not is_server(uri):
        raise TrackingError(f"{record.name}: {name} is not in {record.folder}")
    prepare_environment()
    import mlflow

    try:
        file = mlflow.artifacts.download_artifacts(
            run_id=record.mlflow_run_id, artifact_path=name, tracking_uri=uri
        )
    except Exception as error:
        raise TrackingError(f"{record.name}: no {name} in {uri} ({one_line(error)})") from error
    return replace(record, folder=Path(file).parent).file(name)


def fetch_run(record: RunRecord, uri: str, folder: Path) -> RunRecord:
    """Download all files of a run and its model; its record, with every fold score, is saved there.

    Raises:
        TrackingError: The store does not answer or cannot be read.
    """
    assert record.mlflow_run_id is not None
    with _errors_of(uri):
        prepare_environment()
        import mlflow

        client = mlflow.MlflowClient(tracking_uri=uri)
        folder.mkdir(parents=True, exist_ok=True)
        client.download_artifacts(record.mlflow_run_id, "", str(folder))
        _fetch_model(client, record.mlflow_run_id, uri, folder)
        (whole,) = read_runs(uri, Selection(ids=(record.mlflow_run_id,)), None)
    fetched = replace(whole, folder=folder)
    fetched.save()
    return fetched


def _fetch_model(client: MlflowClient, run_id: str, uri: str, folder: Path) -> None:
    """The model's own file, which MLflow keeps apart from the run's other files."""
    import mlflow

    if (model_id := logged_model_id(client, client.get_run(run_id))) is None:
        return
    place = client.get_logged_model(model_id).artifact_location
    top = mlflow.artifacts.list_artifacts(artifact_uri=place, tracking_uri=uri)
    is_of_earlier_version = any(file.path.endswith(MODEL_FILE) for file in top)
    file = MODEL_FILE if is_of_earlier_version else f"{LOGGED_PLACE}/{MODEL_FILE}"
    mlflow.artifacts.download_artifacts(
        artifact_uri=f"{place}/{file}", dst_path=str(folder), tracking_uri=uri
    )


@contextmanager
def _errors_of(uri: str) -> Iterator[None]:
    """Ask only a store that is there, and raise TrackingError for whatever MLflow passes on."""
    check_readable(uri)
    try:
        yield
    except StudentPerfError:
        raise
    except Exception as error:
        raise TrackingError(
            f"--store {uri}: could not be read ({one_line(error)}); check the address, or let "
            f"`{own_line('ui')}` bring an older database up to date"
        ) from error


def _read_sqlite(uri: str, selection: Selection, metrics: Sequence[str] | None) -> list[RunRecord]:
    database = sqlite_file(uri)
    assert database is not None
    address = f"{database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS)) as db:
        where, values = _condition(selection)
        db.execute(f"CREATE TEMP TABLE chosen AS SELECT run_uuid FROM runs WHERE {where}", values)  # noqa: S608 (our own words)
        db.execute("CREATE UNIQUE INDEX temp.chosen_id ON chosen (run_uuid)")
        runs = db.execute(
            "SELECT run_uuid, name, status, start_time, end_time, artifact_uri FROM runs "
            "JOIN temp.chosen USING (run_uuid)"
        ).fetchall()
        tables = [_values_by_run(db, table) for table in ("params", "tags", "latest_metrics")]
        records = [_make_record(run, *(table.get(run[0], {}) for table in tables)) for run in runs]
        _set_folds(records, _fold_rows(db, _wanted(records, metrics)))
    return records


def _condition(selection: Selection) -> tuple[str, list[str]]:
    """What a run must fulfil, as SQL with its values."""
    tagged = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = ? AND value {})"
    parts: list[tuple[str, tuple[str, ...]]] = []
    if selection.experiment is not None:
        named = "experiment_id IN (SELECT experiment_id FROM experiments WHERE name = ?)"
        parts.append((named, (selection.experiment,)))
    parts += [(tagged.format("= ?"), (tags.STUDY, study)) for study in selection.studies]
    for beginning in selection.ids:
        parts.append(("run_uuid GLOB ?", (f"{beginning}*",)))
        parts.append((tagged.format("GLOB ?"), (tags.RECORD_ID, f"{beginning}*")))
    parts += [(tagged.format("= ?"), (tags.PARENT, parent)) for parent in selection.parents]
    parts += [("substr(name, -?) = ?", (str(len(name)), name)) for name in selection.names]
    chosen = " OR ".join(part for part, _ in parts) or "1"
    values = [value for _, some in parts for value in some]
    where = f"lifecycle_stage = 'active' AND ({chosen})"
    if selection.kinds:
        places = ", ".join("?" * len(selection.kinds))
        where += f" AND {tagged.format(f'IN ({places})')}"
        values += [tags.KIND, *selection.kinds]
    return where, values


def _values_by_run(db: sqlite3.Connection, table: str) -> dict[str, Values]:
    """Key and value of the chosen runs' params, tags or single metrics; folds are read by step."""
    single = f" AND key NOT GLOB '{_FOLDS}*' AND NOT is_nan" if table == "latest_metrics" else ""
    by_run: dict[str, Values] = {}
    for run_id, key, value in db.execute(
        f"SELECT run_uuid, key, value FROM {table} WHERE run_uuid IN temp.chosen{single}"  # noqa: S608
    ):
        by_run.setdefault(run_id, {})[key] = value
    return by_run


def _fold_rows(db: sqlite3.Connection, metrics: Sequence[str] | None) -> Iterator[FoldRow]:
    select = (
        "SELECT run_uuid, key, step, value FROM metrics JOIN temp.chosen USING (run_uuid) "
        "WHERE key {} ? AND NOT is_nan ORDER BY timestamp"
    )
    if metrics is None:
        yield from db.execute(select.format("GLOB"), (f"{_FOLDS}*",))
    for metric in metrics or ():
        yield from db.execute(select.format("="), (f"{_FOLDS}{metric}",))


def _wanted(records: Iterable[RunRecord], metrics: Sequence[str] | None) -> list[str] | None:
    """Metrics whose fold scores are to be read; None for all."""
    if metrics is None:
        return None
    return sorted({*metrics, *(record.objective for record in records if record.objective)})


def _set_folds(records: Iterable[RunRecord], rows: Iterable[FoldRow]) -> None:
    steps: dict[tuple[str, str], dict[int, float]] = {}
    for run_id, key, step, value in rows:
        steps.setdefault((run_id, key), {})[step] = value
    by_id = {record.mlflow_run_id: record for record in records}
    for (run_id, key), by_step in steps.items():
        scores = [by_step.get(step, math.nan) for step in range(max(by_step) + 1)]
        by_id[run_id].metrics[key] = scores


def _read_client(uri: str, selection: Selection, metrics: Sequence[str] | None) -> list[RunRecord]:
    prepare_environment()
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=uri)
    runs = {run.info.run_id: run for run in _iter_runs(client, selection)}
    records = [_record(run) for run in runs.values()]
    wanted = _wanted(records, metrics)
    if wanted is None:
        keys = {key for run in runs.values() for key in run.data.metrics}
        wanted = [key.removeprefix(_FOLDS) for key in keys if key.startswith(_FOLDS)]
    for metric in wanted:
        _set_folds(records, _iter_history(client, uri, f"{_FOLDS}{metric}", sorted(runs)))
    return records


def _record(run: Run) -> RunRecord:
    i, data = run.info, run.data
    row = (i.run_id, i.run_name, i.status, i.start_time, i.end_time, i.artifact_uri)
    return _make_record(row, dict(data.params), dict(data.tags), dict(data.metrics))


def _iter_runs(client: MlflowClient, selection: Selection) -> Iterator[Run]:
    active = client.search_experiments()
    everywhere = [experiment.experiment_id for experiment in active]
    named = [e.experiment_id for e in active if e.name == selection.experiment]
    wanted = [(everywhere, f"tags.`{tags.STUDY}` = {_quoted(s)}") for s in selection.studies]
    for beginning in selection.ids:
        wanted.append((everywhere, f"attributes.run_id LIKE '{beginning}%'"))
        wanted.append((everywhere, f"tags.`{tags.RECORD_ID}` LIKE '{beginning}%'"))
    wanted += [(everywhere, f"tags.`{tags.PARENT}` = '{parent}'") for parent in selection.parents]
    for name in selection.names:
        wanted.append((everywhere, f"attributes.run_name LIKE {_quoted(f'%{name}')}"))
    if selection.experiment is not None:
        wanted.append((named, ""))
    for experiments, condition in wanted or [(everywhere, "")]:
        for kind in selection.kinds or ("",):
            of_kind = f"tags.`{tags.KIND}` = '{kind}'" if kind else ""
            both = " and ".join(part for part in (condition, of_kind) if part)
            yield from iter_pages(client, experiments, both)


def _quoted(text: str) -> str:
    """A value of MLflow's search language, which has no escapes."""
    return f'"{text}"' if "'" in text else f"'{text}'"


def _iter_history(
    client: MlflowClient, uri: str, key: str, run_ids: Sequence[str]
) -> Iterator[FoldRow]:
    """The steps of a metric for many runs, a hundred with each request."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request_safe

    for i in range(0, len(run_ids), _RUNS_PER_HISTORY):
        some = run_ids[i : i + _RUNS_PER_HISTORY]
        if is_server(uri):
            asked = [*(("run_id", one) for one in some), ("metric_key", key)]
            creds = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
            answer = http_request_safe(creds, _HISTORY, "GET", params=asked).json()  # type: ignore[no-untyped-call]
            yield from ((m["run_id"], key, int(m["step"]), m["value"]) for m in answer["metrics"])
        else:
            for run_id in some:
                history = client.get_metric_history(run_id, key)
                yield from ((run_id, key, m.step, m.value) for m in history)
