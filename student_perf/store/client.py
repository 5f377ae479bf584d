"""The only writer to MLflow: a finished or failed record becomes one run, sent in batches or, to a
sqlite file of a known revision, as rows.

MLflow takes seconds to import, so this module imports it inside the functions that need it.
"""

from __future__ import annotations

import hashlib
import logging
import math
import os
import re
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
import uuid
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import FileLock

from student_perf.atomic import explain_disk_error
from student_perf.config.names import unique_name
from student_perf.config.schema import TrackingConfig
from student_perf.errors import (
    StoreUnreachableError,
    StudentPerfError,
    TrackingError,
    one_line,
    suggest,
)
from student_perf.locks import ForkSafeLock
from student_perf.masking import masked
from student_perf.paths import workspace
from student_perf.runs import tags
from student_perf.runs.layout import (
    ADDRESS_FILE,
    ERROR_FILE,
    MODEL_FILE,
    RECORD_FILE,
    RUN_ID_FILE,
    RUN_LOCK_FILE,
    SENDING_LOCK_FILE,
    iter_files,
)
from student_perf.runs.record import LONGEST_ERROR, RunRecord
from student_perf.shell import install_extra, train_line
from student_perf.store.address import (
    SCHEMES,
    is_absent,
    is_server,
    refuse_odd_path,
    scheme,
    sqlite_file,
)
from student_perf.store.attachments import (
    LENGTH_OF_DIGEST,
    describe_dataset,
    send_model,
    send_pictures,
    send_tables,
)
from student_perf.store.fresh import discard_half_made, make_whole
from student_perf.store.pools import keep_pools_apart
from student_perf.store.protocol import Marks, Store
from student_perf.store.rows import DatasetRow, EndedRun, MetricRow, open_runs
from student_perf.store.schema import check_schema
from student_perf.store.stage import Stage, experiment_stage
from student_perf.store.views import SweepShape, page_of, run_address, view_address
from student_perf.warned import warnings_kept

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric, Run

    from student_perf.store.excerpt import Excerpt

log = logging.getLogger(__name__)

REPLACED = "replaced"  # kind of a winner or kept model that a better one has taken the place of
_LOCKS = (RUN_LOCK_FILE, SENDING_LOCK_FILE)
_NO_ARTIFACTS = (MODEL_FILE, RECORD_FILE, RUN_ID_FILE, ERROR_FILE, ADDRESS_FILE, *_LOCKS)
_current_lock = ForkSafeLock()
_MLFLOW_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID")
_ANY_KIND = f"tags.`{tags.KIND}` != ''"
_ANSWER_SECONDS = 5
_REQUESTS_AT_ONCE = 8
_RUNS_PER_PAGE = 1000
_OF_HOST_CHECK = b"Invalid Host header"
_POSTGRES_LOCK = 7_133_482_190  # any number that nobody else uses
_METRICS_PER_BATCH = 1000  # limits of MLflow's log_batch
_PARAMS_PER_BATCH = 100
_LONGEST_PARAM = 6000
_LONGEST_KEY = 250
_REFUSED_IN_KEYS = re.compile(r"[^/\w.\- :]")  # a column's name may stand in a key


def check_store(tracking: TrackingConfig) -> None:
    """Find out before any work whether the store can take a run. Raises TrackingError."""
    _check_place(tracking)
    _check_schema(tracking.uri)
    if tracking.experiment and _is_deleted(tracking):
        raise _experiment_deleted(tracking)


def _check_schema(uri: str) -> None:
    try:
        check_schema(uri)
    except TrackingError:
        with _alone(uri):
            if (file := sqlite_file(uri)) is not None:
                discard_half_made(file)
            check_schema(uri)


def _is_deleted(tracking: TrackingConfig) -> bool:
    return experiment_stage(tracking.uri, tracking.experiment) is Stage.DELETED


def _experiment_deleted(tracking: TrackingConfig) -> TrackingError:
    return TrackingError(
        f"tracking.experiment={tracking.experiment}: was deleted in MLflow, which keeps its name; "
        "use another name, or bring it back: `mlflow experiments search --view all` shows its id, "
        f"MLFLOW_TRACKING_URI={masked(tracking.uri)} mlflow experiments restore -x ID"
    )


def _check_place(tracking: TrackingConfig) -> None:
    kind = scheme(tracking.uri)
    if kind not in SCHEMES:
        raise TrackingError(
            f"tracking.uri={tracking.uri}: must start with a scheme MLflow can store to "
            f"(sqlite:///, http://, ...); {suggest(kind, SCHEMES)}"
        )
    if (file := sqlite_file(tracking.uri)) is not None:
        refuse_odd_path("tracking.uri", tracking.uri)
        folder = file.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise TrackingError(
                f"tracking.uri={tracking.uri}: the folder {folder} is not there or not writable; "
                "create it or use tracking=off"
            )
    elif is_server(tracking.uri):
        _check_answer(tracking.uri)
    elif kind == "postgresql" and find_spec("psycopg") is None:
        raise TrackingError(
            f"tracking.uri={masked(tracking.uri)}: PostgreSQL needs psycopg, which is not "
            f"installed; run: {install_extra('postgres')}"
        )


def check_readable(uri: str) -> None:
    """Find out whether there is a store to read; MLflow would make the file of one that is absent.
    Raises TrackingError.
    """
    if sqlite_file(uri) is None:
        check_store(TrackingConfig(True, uri, ""))
        return
    _check_schema(uri)
    if is_absent(uri):
        raise TrackingError(
            f"{uri}: no such database; run `{train_line()}` first, or name a store with --store"
        )


def check_usable(tracking: TrackingConfig) -> None:
    """Raise TrackingError for a store that can never take a run; one that only does not answer now
    gets the run later.
    """
    try:
        check_store(tracking)
    except StoreUnreachableError as error:
        log.warning("%s", error)


def open_store(tracking: TrackingConfig) -> Store:
    """The store that a config names, and the experiment, made if they do not exist."""
    return RunStore(tracking)


class RunStore:
    """MLflow as a `protocol.Store`: through its client or, in a SQLite file, by rows."""

    def __init__(self, tracking: TrackingConfig) -> None:
        self._client, self._experiment_id = _open_client(tracking)
        self._file = sqlite_file(tracking.uri)
        self._uri = tracking.uri
        self._described: dict[str, DatasetInput] = {}  # by the SHA-256 of the rows

    def open(self, record: RunRecord, run_id: str | None = None) -> str:
        """Create the run of a record, or set the run it has to RUNNING again; returns its id."""
        if run_id is not None:
            self._client.update_run(run_id, "RUNNING")
            with suppress(Exception):  # of an earlier attempt; most runs have none
                self._client.delete_tag(run_id, tags.ERROR)
            return run_id
        run = self._client.create_run(
            self._experiment_id,
            start_time=int(record.started * 1000),
            tags=record.tags,
            run_name=record.name,
        )
        return str(run.info.run_id)

    def resume(self, run_id: str) -> Stage:
        """Whether a run is in the experiment; out of the bin it comes back with those below it."""
        from mlflow.entities import ViewType

        try:
            run = self._client.get_run(run_id)
        except Exception as error:
            if _is_unknown(error):
                return Stage.ABSENT
            raise
        if run.info.experiment_id != self._experiment_id:
            return Stage.ABSENT
        if run.info.lifecycle_stage == "active":
            return Stage.ACTIVE
        self._client.restore_run(run_id)
        for child in list(self._below(run_id, _ANY_KIND, ViewType.DELETED_ONLY)):
            self._client.restore_run(child.info.run_id)
        return Stage.DELETED

    def adopt(self, gone: str, parent_id: str) -> None:
        """Tie the runs below a sweep's run that is gone to another one."""
        from mlflow.entities import ViewType

        for child in list(self._below(gone, _ANY_KIND, ViewType.ALL)):
            if child.info.lifecycle_stage != "active":
                self._client.restore_run(child.info.run_id)
            self._client.set_tag(child.info.run_id, tags.PARENT, parent_id)

    def send(
        self,
        record: RunRecord,
        run_id: str | None = None,
        dataset: Excerpt | None = None,
        with_model: bool = False,
        files: Sequence[Path] | None = None,
    ) -> str:
        """Send a record that came to its end; returns the run's id."""
        import mlflow

        known = self._client.get_run(run_id) if run_id else None
        run_id = self.open(record, run_id)
        try:
            if dataset is not None:
                self._client.log_inputs(run_id, [self._describe(dataset, record)])
            # Before the values, which can be tied to a model only when they are sent.
            model_id = logged_model_id(self._client, known) if known else None
            if with_model and dataset is not None and model_id is None:
                with as_current(self._uri), mlflow.start_run(run_id=run_id):
                    model_id = send_model(dataset, record)
            _send_values(self._client, run_id, record, known, model_id)
            _send_files(self._client, run_id, record.folder, files)
            if record.kind != "trial":
                send_tables(self._client, run_id, record.folder)
                send_pictures(self._client, run_id, record)
        except Exception as error:
            if _gave_no_answer(error):
                raise  # each further question would wait as long
            with suppress(Exception):  # the store may be gone
                self._client.set_tag(run_id, tags.ERROR, one_line(error)[:LONGEST_ERROR])
                self._client.set_terminated(run_id, "FAILED")
            raise
        self._client.set_terminated(run_id, mlflow_status(record), end_time=_ended(record))
        return run_id

    def add_rows(
        self, records: Sequence[RunRecord], datasets: Mapping[str, Excerpt] | None = None
    ) -> list[str]:
        """Write new records as rows, all of them or none; returns their ids, if rows are taken."""
        rows = open_runs(self._file, self._experiment_id) if self._file else None
        if rows is None:
            return []
        taken = rows.taken(record.record_id for record in records)
        runs = [
            _ended_run(record, taken, self._dataset_row(record, datasets or {}))
            for record in records
        ]
        # Files first, since nobody looks for those of a run that is not there yet.
        for record, run in zip(records, runs, strict=True):
            for path, inner in _iter_files(record.folder, None):
                place = rows.artifact_folder(run.run_id) / (inner or "")
                place.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, place)
        rows.add(runs)
        return [run.run_id for run in runs]

    def _describe(self, dataset: Excerpt, record: RunRecord) -> DatasetInput:
        if dataset.sha256 not in self._described:
            self._described[dataset.sha256] = describe_dataset(dataset, record)
        return self._described[dataset.sha256]

    def _dataset_row(self, record: RunRecord, datasets: Mapping[str, Excerpt]) -> DatasetRow | None:
        if (dataset := datasets.get(record.data_sha256)) is None:
            return None
        described = self._describe(dataset, record)
        context = [(tag.key, tag.value) for tag in described.tags]
        return DatasetRow(**dict(described.dataset), context=context)

    def find(self, record: RunRecord) -> str | None:
        """Id of the run that was begun for a record, None if there is none."""
        if not record.record_id:
            return None
        runs = self._client.search_runs(
            [self._experiment_id], f"tags.`{tags.RECORD_ID}` = '{record.record_id}'", max_results=1
        )
        return str(runs[0].info.run_id) if runs else None

    def children(self, parent_id: str) -> dict[int, tuple[str, str]]:
        """Id and status of the trials below a sweep's run, by number."""
        rows = open_runs(self._file, self._experiment_id) if self._file else None
        if rows is not None:  # MLflow's client reads every parameter and metric of them
            return rows.children(parent_id)
        return {
            int(run.data.tags[tags.TRIAL]): (run.info.run_id, run.info.status)
            for run in self._below(parent_id, f"tags.`{tags.KIND}` = 'trial'")
        }

    def retire(self, parent_id: str, kept: Collection[str]) -> None:
        """Mark kept models below a sweep's run as replaced, except for the records in `kept`."""
        for run in self._below(parent_id, f"tags.`{tags.KIND}` != 'trial'"):
            known, run_id = run.data.tags, run.info.run_id
            if known.get(tags.RECORD_ID) in kept or known[tags.KIND] == REPLACED:
                continue
            self._client.set_tag(run_id, tags.KIND, REPLACED)
            if run.info.status == "RUNNING":
                self._client.set_terminated(run_id, "KILLED")

    def mark(self, marks: Mapping[str, Marks]) -> None:
        """Set metrics and tags of runs that have ended, by id, in place of earlier values."""
        now = int(time.time() * 1000)
        metrics = {
            run_id: [(k, v, now, 0) for k, v in some.items() if not isinstance(v, str)]
            for run_id, some in marks.items()
        }
        words = {
            run_id: [(k, v) for k, v in some.items() if isinstance(v, str)]
            for run_id, some in marks.items()
        }
        rows = open_runs(self._file, self._experiment_id) if self._file else None
        if rows is not None:
            there = rows.taken(marks)
            rows.replace(
                {run_id: metrics[run_id] for run_id in there},
                {run_id: words[run_id] for run_id in there},
            )
            return
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            list(pool.map(self._mark, marks, metrics.values(), words.values()))

    def _mark(
        self, run_id: str, metrics: Sequence[MetricRow], words: Sequence[tuple[str, str]]
    ) -> None:
        from mlflow.entities import Metric, RunTag

        try:
            self._client.log_batch(
                run_id,
                metrics=[Metric(*row) for row in metrics],
                tags=[RunTag(*pair) for pair in words],
            )
        except Exception as error:
            if not is_refusal(error) and not _is_unknown(error):
                raise

    def show_sweep(self, run_id: str, shape: SweepShape | None) -> str | None:
        """Write the saved views of MLflow's page for a sweep; returns its address on a server."""
        from student_perf.store.page import save_experiment_views

        views = save_experiment_views(self._client, self._experiment_id, self._uri, shape)
        if shape and views and is_server(self._uri) and (page := page_of(self._uri)):
            return view_address(page, self._experiment_id, views[-1])
        return self._address(run_id)

    def show_run(self, run_id: str) -> str | None:
        """Write the saved views of a fresh experiment; returns the run's address on a server."""
        from student_perf.store.page import ensure_views

        ensure_views(self._client, self._experiment_id, self._uri)
        return self._address(run_id)

    def _address(self, run_id: str) -> str | None:
        page = page_of(self._uri) if is_server(self._uri) else None
        return page and run_address(page, self._experiment_id, run_id)

    def _below(self, parent_id: str, condition: str, view: int | None = None) -> Iterator[Run]:
        below = f"tags.`{tags.PARENT}` = '{parent_id}' and {condition}"
        return iter_pages(self._client, [self._experiment_id], below, view)


def iter_pages(
    client: MlflowClient, experiments: Sequence[str], condition: str, view: int | None = None
) -> Iterator[Run]:
    """Every run that fulfils a condition in MLflow's search language; `view` is a value of MLflow's
    `ViewType`, by default runs that are not deleted.
    """
    words: dict[str, Any] = {} if view is None else {"run_view_type": view}
    token = None
    while experiments:
        page = client.search_runs(
            list(experiments), condition, max_results=_RUNS_PER_PAGE, page_token=token, **words
        )
        yield from page
        token = page.token
        if not token:
            return


def mlflow_status(record: RunRecord) -> str:
    """MLflow's word for the state of a record; stopping on purpose is not a failure."""
    return "KILLED" if record.status in ("PRUNED", "STOPPED") else record.status


def is_refusal(error: BaseException) -> bool:
    """Whether the store would take other records, but not the one it was given."""
    refused = getattr(error, "error_code", None) == "INVALID_PARAMETER_VALUE"
    return refused or isinstance(error, sqlite3.IntegrityError)


def _is_unknown(error: BaseException) -> bool:
    return getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST"


@contextmanager
def errors_of_store(tracking: TrackingConfig, folder: Path) -> Iterator[None]:
    """Raise TrackingError, with the record's folder, for any error that MLflow passes on."""
    try:
        with warnings_kept():
            yield
    except StudentPerfError:
        raise
    except Exception as error:
        file = sqlite_file(tracking.uri)
        full = explain_disk_error(error, file.parent) if file is not None else None
        reason = full or one_line(error)
        raise TrackingError(
            f"tracking.uri={tracking.uri}: MLflow did not take the run ({reason}); the whole "
            f"record is in {folder}"
        ) from error


def add_files(run_id: str, files: Sequence[Path], store: str) -> None:
    """Log files as artifacts of a run that is in the store. Raises TrackingError if they cannot
    be sent.
    """
    prepare_environment()
    import mlflow

    try:
        client = mlflow.MlflowClient(tracking_uri=store)
        for path in files:
            client.log_artifact(run_id, str(path))
    except Exception as error:  # MLflow passes on whatever its stores raise
        raise TrackingError(
            f"{run_id}: {store} did not take {', '.join(path.name for path in files)} "
            f"({one_line(error)[:200]}); the files are in {files[0].parent}"
        ) from error


def download(artifact_uri: str, store: str) -> Path:
    """Local folder or file with what `artifact_uri` names (`models:/..`, `runs:/..`) in the store.

    Raises TrackingError if it cannot be downloaded.
    """
    prepare_environment()
    import mlflow

    try:
        with as_current(store):
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=artifact_uri))
    except Exception as error:  # MLflow passes on whatever its stores raise
        raise TrackingError(
            f"{artifact_uri}: cannot be downloaded from {store} ({one_line(error)[:200]}); check "
            "the name, or name another store by MLFLOW_TRACKING_URI"
        ) from error


def model_address(record: RunRecord, store: str) -> str:
    """The `models:/` address of the model that a record's run has logged.

    Raises TrackingError if it has none, or the store does not answer.
    """
    prepare_environment()
    import mlflow

    try:
        client = mlflow.MlflowClient(tracking_uri=store)
        model_id = logged_model_id(client, client.get_run(str(record.mlflow_run_id)))
    except Exception as error:  # MLflow passes on whatever its stores raise
        problem = f"not read from {store} ({one_line(error)}); ask again"
        raise TrackingError(f"{record.name}: {problem}") from error
    if model_id is None:
        raise TrackingError(f"{record.name}: has logged no model to {store}; train it again")
    return f"models:/{model_id}"


def logged_model_id(client: MlflowClient, run: Run) -> str | None:
    """Id of the model that a run has logged, None if it has none; one whose sending was cut off
    does not count.
    """
    for output in run.outputs.model_outputs if run.outputs is not None else []:
        if client.get_logged_model(output.model_id).status == "READY":
            return str(output.model_id)
    return None


def _open_client(tracking: TrackingConfig) -> tuple[MlflowClient, str]:
    """Client of the store and the id of the experiment, both made if they do not exist.

    Artifacts of a database go to an absolute place: beside a sqlite file, else in the workspace.
    """
    prepare_environment()
    import mlflow

    keep_pools_apart()
    artifacts, file = None, sqlite_file(tracking.uri)
    if not is_server(tracking.uri):
        place = workspace() if file is None else file.parent
        artifacts = (place / "mlartifacts" / unique_name(tracking.experiment)).as_uri()
    with _alone(tracking.uri):
        if file is not None:
            make_whole(file)
        client = mlflow.MlflowClient(tracking_uri=tracking.uri)
        return client, _find_or_create(client, tracking, artifacts)


@contextmanager
def as_current(uri: str) -> Iterator[None]:
    """Make a store the one that MLflow's fluent functions use, for one thread at a time; afterwards
    all is as it was.
    """
    import mlflow

    with _current_lock:
        # Without these MLflow knows only what was set in this process. (A run id left in the
        # environment would make it write into that run.)
        theirs = {name: os.environ.pop(name, None) for name in _MLFLOW_VARIABLES}
        is_set = mlflow.is_tracking_uri_set()  # type: ignore[no-untyped-call]
        before = mlflow.get_tracking_uri() if is_set else None
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)  # type: ignore[arg-type]  # None: none is set
            for name, value in theirs.items():  # MLflow has written the first of them
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@contextmanager
def _alone(uri: str) -> Iterator[None]:
    """Keep other processes from opening a database meanwhile: several that find a fresh one crash
    in its migrations. PostgreSQL has a lock for that which holds between machines too, and
    which ends with its connection.
    """
    if (file := sqlite_file(uri)) is not None:
        with FileLock(f"{file}.lock"):
            yield
    elif scheme(uri) == "postgresql":
        import sqlalchemy

        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_lock({_POSTGRES_LOCK})"))
            yield
    else:
        yield


def get_ready(tracking: TrackingConfig) -> None:
    """Import what sending a run needs; MLflow itself imports much of it with the first client, so
    a SQLite file that has the experiment is opened. Writes nothing.
    """
    prepare_environment()
    import_for_models()
    is_made = experiment_stage(tracking.uri, tracking.experiment) is Stage.ACTIVE
    if sqlite_file(tracking.uri) is not None and is_made:
        open_store(tracking)


def import_for_models() -> None:
    """Import what sending a model needs, which MLflow itself imports late."""
    for name in ("mlflow.pyfunc", "mlflow.data.pandas_dataset"):
        import_module(name)
    from mlflow.utils.requirements_utils import warn_dependency_requirement_mismatches

    # It lists the modules of all packages once, which takes a third of the time of sending a model.
    warn_dependency_requirement_mismatches(["numpy"])


def prepare_environment() -> None:
    """Settings that MLflow reads when it is imported."""
    # What the user has set stays.
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # its notes go to our log file
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


def _find_or_create(client: MlflowClient, tracking: TrackingConfig, artifacts: str | None) -> str:
    experiment = client.get_experiment_by_name(tracking.experiment)
    if experiment is None:
        return str(client.create_experiment(tracking.experiment, artifact_location=artifacts))
    if experiment.lifecycle_stage != "active":
        raise _experiment_deleted(tracking)
    return str(experiment.experiment_id)


def _ended_run(record: RunRecord, taken: Collection[str], dataset: DatasetRow | None) -> EndedRun:
    """The record for `SqliteRuns`. Its own id becomes the run's, so that a sending begun anew
    after a kill goes to the same place; unless a run deleted in MLflow has it.
    """
    run_id = record.record_id
    return EndedRun(
        run_id=uuid.uuid4().hex if not run_id or run_id in taken else run_id,
        name=record.name,
        user=record.tags.get(tags.USER, "unknown"),
        status=mlflow_status(record),
        started=int(record.started * 1000),
        ended=_ended(record),
        params=list(_iter_params(record)),
        tags=list(({tags.RUN_NAME: record.name} | record.sent_tags).items()),
        metrics=list(_iter_metrics(record)),
        dataset=dataset,
    )


def _send_values(
    client: MlflowClient, run_id: str, record: RunRecord, known: Run | None, model_id: str | None
) -> None:
    """Metrics, those of the model tied to it, and the params that the run does not have yet."""
    from mlflow.entities import Param, RunTag

    # MLflow takes a model's metrics once.
    is_first = known is None or not known.data.metrics
    metrics = list(_iter_entities(record, model_id if is_first else None))
    there = known.data.params if known else {}
    params = [Param(*pair) for pair in _iter_params(record) if pair[0] not in there]
    # A run gets its tags when it is made; what there is to say is known at its end.
    sent = record.sent_tags
    kept = known.data.tags if known else record.tags
    changed = [RunTag(*pair) for pair in sent.items() if kept.get(pair[0]) != pair[1]]
    # Nearly always one batch: it takes 1000 metrics and 100 params.
    n_batches = max(-(-len(metrics) // _METRICS_PER_BATCH), -(-len(params) // _PARAMS_PER_BATCH))
    for i in range(n_batches):
        client.log_batch(
            run_id,
            metrics=metrics[i * _METRICS_PER_BATCH : (i + 1) * _METRICS_PER_BATCH],
            params=params[i * _PARAMS_PER_BATCH : (i + 1) * _PARAMS_PER_BATCH],
            tags=changed,
        )


def _iter_entities(record: RunRecord, model_id: str | None) -> Iterator[Metric]:
    """The metrics as MLflow's client takes them, single figures tied to model and dataset, for the
    page of models.
    """
    from mlflow.entities import Metric

    name, digest = record.dataset, record.data_sha256[:LENGTH_OF_DIGEST]
    for row in _iter_metrics(record):
        if model_id is None or isinstance(record.metrics.get(row[0]), list):
            yield Metric(*row)
        else:
            yield Metric(*row, model_id=model_id, dataset_name=name, dataset_digest=digest)


def _send_files(
    client: MlflowClient, run_id: str, folder: Path, files: Sequence[Path] | None
) -> None:
    for path, inner in _iter_files(folder, files):
        client.log_artifact(run_id, str(path), inner)


def _iter_files(folder: Path, files: Sequence[Path] | None) -> Iterator[tuple[Path, str | None]]:
    """The files to log, by default the folder's, each with the folder within the artifacts that it
    goes to; the model goes as an MLflow model instead.
    """
    for path in iter_files(folder) if files is None else files:
        if path.is_file() and path.name not in _NO_ARTIFACTS:
            inner = path.relative_to(folder).parent.as_posix()
            yield path, None if inner == "." else inner


def _iter_params(record: RunRecord) -> Iterator[tuple[str, str]]:
    keys = _keys(record.decisive_params)
    for name, value in record.decisive_params.items():
        yield keys[name], _param(value)


def _keys(names: Collection[str]) -> dict[str, str]:
    """The key that MLflow takes for each name, for each another one."""
    keys = {name: _REFUSED_IN_KEYS.sub("_", name)[:_LONGEST_KEY] for name in names}
    n_names = Counter(keys.values())
    for name, key in keys.items():
        if key != name and n_names[key] > 1:
            mark = hashlib.sha256(name.encode()).hexdigest()[:8]
            keys[name] = f"{key[: _LONGEST_KEY - len(mark) - 1]}-{mark}"
    return keys


def _param(value: str) -> str:
    """What MLflow takes of a value: of one that is cut, no other value gives the same."""
    if len(value) <= _LONGEST_PARAM:
        return value
    sha256 = hashlib.sha256(value.encode()).hexdigest()
    mark = f"... (cut: {len(value):,} characters in all, SHA-256 {sha256})"
    return value[: _LONGEST_PARAM - len(mark)] + mark


def _iter_metrics(record: RunRecord) -> Iterator[MetricRow]:
    keys = _keys(record.shown_metrics)
    for name, value in record.shown_metrics.items():
        for step, number in enumerate(value if isinstance(value, list) else [value]):
            # A metric that is not defined on a fold is null in the record; MLflow takes numbers.
            if number is not None and math.isfinite(number):
                yield keys[name], number, _ended(record), step


def _ended(record: RunRecord) -> int:
    """Milliseconds since the epoch."""
    return int((record.ended or record.started) * 1000)


def _gave_no_answer(error: BaseException) -> bool:
    """Whether the store kept silent; only the words of MLflow's errors show a time-out."""
    return "timeout" in str(error).lower() or "timed out" in str(error).lower()


def _check_answer(uri: str) -> None:
    try:
        # MLflow's page, since its `health` answers whatever name the server is called by.
        with urllib.request.urlopen(f"{uri.rstrip('/')}/", timeout=_ANSWER_SECONDS):  # noqa: S310 (http or https)
            return
    except urllib.error.HTTPError as error:
        # Something answers; whether it is MLflow shows when the run is sent.
        if error.code == 403 and _OF_HOST_CHECK in error.read(1000):
            host = urlsplit(uri).netloc.rpartition("@")[2]
            raise TrackingError(
                f"tracking.uri={masked(uri)}: the server refuses to be called {host} (403 of its "
                f"Host check); start it with this name, too: mlflow server --allowed-hosts {host}"
            ) from error
        return
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreUnreachableError(
            f"tracking.uri={uri}: no answer within {_ANSWER_SECONDS} s ({reason}); "
            "start the server, correct the address, or use tracking=sqlite"
        ) from error
