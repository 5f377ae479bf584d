"""Whole runs, written straight into the sqlite file of an MLflow store.

MLflow's client takes 25 to 50 ms of processor time a run, nearly all of it in its object-relational
mapper: more than many a trial. All it writes for a new run are rows of five tables, written here in
one transaction. Which rows follows from the revision of the schema, so a file of a revision that is
not known here is left to the client, like every other kind of store.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from student_perf.runs import tags
from student_perf.store.address import sqlite_file

# MLflow 3.16, 3.17 and 3.18: they differ in tables that nothing here writes.
KNOWN_REVISIONS = ("b7e2c1a4d9f3", "dc11669786a5", "f4a9b2c7d1e6")
# What the source was, the tags `mlflow.source.*` say; the client leaves these columns as here.
_INSERT_RUN = (
    "INSERT INTO runs (run_uuid, name, user_id, status, start_time, end_time, artifact_uri,"
    " experiment_id, source_type, source_name, entry_point_name, source_version, lifecycle_stage)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'UNKNOWN', '', '', '', 'active')"
)
_FIND_DATASET = (
    "SELECT dataset_uuid FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
)
_INSERT_DATASET = (
    "INSERT INTO datasets (dataset_uuid, experiment_id, name, digest, dataset_source_type,"
    " dataset_source, dataset_schema, dataset_profile) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_INPUT = (
    "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type, destination_id,"
    " step) VALUES (?, 'DATASET', ?, 'RUN', ?, 0)"
)
_INSERT_CONTEXT = "INSERT INTO input_tags (input_uuid, name, value) VALUES (?, ?, ?)"
_PAIRS = "(run_uuid, key, value) VALUES (?, ?, ?)"
_SCORES = "(run_uuid, key, value, timestamp, step, is_nan) VALUES (?, ?, ?, ?, ?, 0)"
_BUSY_SECONDS = 60  # others that write to the file meanwhile, as MLflow's page may

MetricRow = tuple[str, float, int, int]  # key, value, milliseconds since the epoch, step


@dataclass(frozen=True)
class DatasetRow:
    """A dataset as MLflow lists it, and the tags of its use by a run."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None
    profile: str | None
    context: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class EndedRun:
    """All that MLflow keeps of a run that came to its end; times are milliseconds since the epoch,
    and MLflow accepts all values.
    """

    run_id: str
    name: str
    user: str
    status: str
    started: int
    ended: int
    params: Sequence[tuple[str, str]]
    tags: Sequence[tuple[str, str]]
    metrics: Sequence[MetricRow]
    dataset: DatasetRow | None = None


class SqliteRuns:
    """The runs of one experiment in a store's file; see `open_runs`."""

    def __init__(self, file: Path, experiment_id: str, artifacts: str) -> None:
        self._file, self._experiment_id, self._artifacts = file, experiment_id, artifacts

    def taken(self, run_ids: Iterable[str]) -> set[str]:
        """The ids that runs, deleted or not, already have."""
        with closing(_connect(self._file)) as connection:
            statement = "SELECT run_uuid FROM runs WHERE run_uuid = ?"
            rows = (connection.execute(statement, (run_id,)).fetchone() for run_id in run_ids)
            return {row[0] for row in rows if row is not None}

    def children(self, parent_id: str) -> dict[int, tuple[str, str]]:
        """Id and status of the trials below a sweep's run, by number, without the deleted ones."""
        statement = (
            "SELECT number.value, runs.run_uuid, runs.status FROM tags AS parent"
            " JOIN runs ON runs.run_uuid = parent.run_uuid"
            " JOIN tags AS kind ON kind.run_uuid = runs.run_uuid AND kind.key = ?"
            " JOIN tags AS number ON number.run_uuid = runs.run_uuid AND number.key = ?"
            " WHERE parent.key = ? AND parent.value = ? AND kind.value = 'trial'"
            " AND runs.lifecycle_stage = 'active' AND runs.experiment_id = ?"
            " ORDER BY runs.start_time DESC, runs.run_uuid"
        )
        words = (tags.KIND, tags.TRIAL, tags.PARENT, parent_id, int(self._experiment_id))
        with closing(_connect(self._file)) as connection:
            rows = connection.execute(statement, words).fetchall()
        return {int(number): (run_id, status) for number, run_id, status in rows}

    def artifact_folder(self, run_id: str) -> Path:
        """Where the files of a run belong; does not make it."""
        return Path(url2pathname(urlsplit(self._artifacts).path)) / run_id / "artifacts"

    def add(self, runs: Iterable[EndedRun]) -> None:
        """Write new runs, all of them or none. Raises sqlite3.Error."""
        with closing(_connect(self._file)) as connection, connection:
            for run in runs:
                self._add(connection, run)

    def replace(
        self,
        metrics: Mapping[str, Sequence[MetricRow]],
        run_tags: Mapping[str, Sequence[tuple[str, str]]],
    ) -> None:
        """Set metrics and tags of runs, by id, in place of those of the same keys; all or none.

        Raises sqlite3.Error if a run does not exist.
        """
        rows = [(run_id, *row) for run_id, some in metrics.items() for row in some]
        pairs = [(run_id, *pair) for run_id, some in run_tags.items() for pair in some]
        with closing(_connect(self._file)) as connection, connection:
            for table in ("metrics", "latest_metrics"):
                keys = [row[:2] for row in rows]
                connection.executemany(
                    f"DELETE FROM {table} WHERE run_uuid = ? AND key = ?",  # noqa: S608
                    keys,
                )
                connection.executemany(f"INSERT INTO {table} {_SCORES}", rows)
            connection.executemany(f"INSERT OR REPLACE INTO tags {_PAIRS}", pairs)

    def _add(self, connection: sqlite3.Connection, run: EndedRun) -> None:
        uri = f"{self._artifacts.rstrip('/')}/{run.run_id}/artifacts"
        row = (run.run_id, run.name, run.user, run.status, run.started, run.ended, uri)
        connection.execute(_INSERT_RUN, (*row, int(self._experiment_id)))
        for table, columns, values in (
            ("params", _PAIRS, run.params),
            ("tags", _PAIRS, run.tags),
            ("metrics", _SCORES, run.metrics),
            ("latest_metrics", _SCORES, _latest(run.metrics)),
        ):
            connection.executemany(
                f"INSERT INTO {table} {columns}", [(run.run_id, *each) for each in values]
            )
        if run.dataset is not None:
            self._add_input(connection, run.run_id, run.dataset)

    def _add_input(self, connection: sqlite3.Connection, run_id: str, dataset: DatasetRow) -> None:
        key = (int(self._experiment_id), dataset.name, dataset.digest)
        known = connection.execute(_FIND_DATASET, key).fetchone()
        dataset_id, input_id = known[0] if known else uuid.uuid4().hex, uuid.uuid4().hex
        if known is None:
            facts = (dataset.source_type, dataset.source, dataset.schema, dataset.profile)
            connection.execute(_INSERT_DATASET, (dataset_id, *key, *facts))
        connection.execute(_INSERT_INPUT, (input_id, dataset_id, run_id))
        pairs = [(input_id, *pair) for pair in dataset.context]
        connection.executemany(_INSERT_CONTEXT, pairs)


def open_runs(file: Path, experiment_id: str) -> SqliteRuns | None:
    """Access to an experiment's runs; None if the file is not a store of a known revision, or the
    experiment was deleted or keeps its artifacts anywhere but in a local folder.
    """
    try:
        with closing(_connect(file)) as connection:
            revision = _revision(connection)
            experiment = connection.execute(
                "SELECT artifact_location FROM experiments"
                " WHERE experiment_id = ? AND lifecycle_stage = 'active'",
                (int(experiment_id),),
            ).fetchone()
    except sqlite3.Error:
        return None
    if revision not in KNOWN_REVISIONS or experiment is None:
        return None
    is_local = str(experiment[0]).startswith("file:")
    return SqliteRuns(file, experiment_id, experiment[0]) if is_local else None


def unknown_schema(uri: str) -> str | None:
    """One line for whoever waits, if the store at `uri` is a sqlite file whose schema is not known
    here; None for every other store, and for a file that is not there or cannot be read.
    """
    file = sqlite_file(uri)
    if file is None:
        return None
    try:
        with closing(_connect(file)) as connection:
            revision = _revision(connection)
    except sqlite3.Error:
        return None
    if revision is None or revision in KNOWN_REVISIONS:
        return None
    return (
        f"{file.name} has a schema that this version does not know ({revision}): runs are sent the "
        "slow way, through MLflow's client"
    )


def _revision(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None


def _connect(file: Path) -> sqlite3.Connection:
    # `rw`: a file that is not there is not made.
    connection = sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS)
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _latest(metrics: Sequence[MetricRow]) -> list[MetricRow]:
    """Of each key the row that MLflow shows as its value: the last step, time and value."""
    latest: dict[str, MetricRow] = {}
    for row in metrics:
        key, value, at, step = row
        known = latest.setdefault(key, row)
        if (step, at, value) > (known[3], known[2], known[1]):
            latest[key] = row
    return list(latest.values())
