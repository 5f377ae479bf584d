"""The one way from records on disk to a store: runs, sweeps, drift reports, now or later.

Reads only what is on disk, so it may be killed and started again at any time: a run that the store
has already is found by its record's id or trial number and completed instead of doubled.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from student_perf.atomic import write_atomic
from student_perf.config.recorded import load_recorded
from student_perf.config.schema import TrackingConfig
from student_perf.errors import ChangedError, StudentPerfError, TrackingError, one_line
from student_perf.masking import MASK, masked
from student_perf.runs import layout, tags
from student_perf.runs.layout import (
    ADDRESS_FILE,
    CONFIG_FILE,
    ERROR_FILE,
    MODEL_FILE,
    RUN_ID_FILE,
    SENDING_LOCK_FILE,
)
from student_perf.runs.record import RunRecord, begun_run_id, load_record
from student_perf.store.client import (
    check_store,
    errors_of_store,
    import_for_models,
    is_refusal,
    mlflow_status,
    open_store,
)
from student_perf.store.protocol import Store
from student_perf.store.stage import Stage
from student_perf.store.standings import load_standings
from student_perf.text import plural

if TYPE_CHECKING:
    from student_perf.store.excerpt import Excerpt

log = logging.getLogger(__name__)

SETTLED_FILE = "settled"  # there once the winner and the other kept models stay as they are
OVER_FILE = "over"  # there once nothing more comes
_EVIDENCE = (".yaml", ".json", ".html", ".log", ".csv", ".png", ".diff")
_KEPT = ("final", "kept")  # kinds of the records that have a model
_BATCH = 100  # trials that go in one transaction
_PAUSE = 0.2  # seconds between two looks at the folder
_LONGEST_PAUSE = 30.0  # seconds between two attempts at a store that fails
_LOCK_SECONDS = 60  # a publisher whose sweep was killed sends what there is and ends


def publish(
    record: RunRecord,
    tracking: TrackingConfig,
    dataset: Excerpt | None = None,
) -> int:
    """Send what the store lacks of a record from its folder; of a sweep, all that belongs to it.

    Args:
        record: One that came to its end; gets the run's id.
        tracking: The store.
        dataset: What the run shows of its rows; loaded again if it is not at hand.

    Returns:
        The number of runs that the store lacked of a sweep, 0 for anything else.

    Raises:
        ChangedError: A file is not as the run left it; of a sweep the other parts are sent.
        TrackingError: The store fails; what is on disk stays complete and can be sent later.
    """
    record.check_files()
    check_store(tracking)
    if record.kind == "sweep":
        return publish_sweep(record.folder, tracking)
    with errors_of_store(tracking, record.folder), _alone(record.folder):
        if is_unsent(record) and (known := load_record(record.folder).mlflow_run_id) is not None:
            record.mlflow_run_id = known  # by another process, meanwhile
            return 0
        if dataset is None and record.kind != "drift":
            dataset = _dataset_of(record)
        is_part = record.kind in ("trial", *_KEPT)
        sweep_id = begun_run_id(record.folder.parent) if is_part else None
        _send_complete(record, open_store(tracking), sweep_id, dataset)
    return 0


def try_publish(
    record: RunRecord,
    tracking: TrackingConfig,
    dataset: Excerpt | None = None,
) -> str | None:
    """`publish` if tracking is on; returns why it failed, None if it did not."""
    if not tracking.enabled:
        return None
    log.info("publishing to %s", masked(tracking.uri))
    try:
        publish(record, tracking, dataset)
    except TrackingError as error:
        log.error("not published: %s", one_line(error))
        return one_line(error)
    return None


def publish_later(record: RunRecord, is_named: bool = False) -> str | None:
    """Send what the store that a record was made for lacks of it.

    Args:
        record: Of a run or a sweep.
        is_named: Whether somebody wants this one; then a run that was deleted comes back too.

    Returns:
        One line about what was sent, None if nothing was.

    Raises:
        TrackingError: The store does not answer or fails; then it can be tried again.
    """
    if record.kind != "sweep" and not is_unsent(record):
        stage = _resume(record) if is_named else Stage.ACTIVE
        if stage is Stage.DELETED:
            return f"{record.name}: run {record.mlflow_run_id} is back from MLflow's bin"
        if stage is not Stage.ABSENT:
            return None
    n_lacking = publish(record, tracking_of(record))
    if record.kind == "sweep":
        return f"{record.folder.name}: {plural(n_lacking, 'run')}" if n_lacking else None
    return f"{record.name}: run {record.mlflow_run_id}"


def _resume(record: RunRecord) -> Stage:
    if record.mlflow_run_id is None:
        return Stage.UNKNOWN  # it has not come to its end
    tracking = tracking_of(record)
    check_store(tracking)
    with errors_of_store(tracking, record.folder):
        return open_store(tracking).resume(record.mlflow_run_id)


def iter_tracked(on_change: Callable[[ChangedError], None]) -> Iterator[RunRecord]:
    """Every record of the workspace that is to be in a store; a sweep stands for all its parts.
    `on_change` hears of each that is not as it was sealed, and the others come.
    """
    for folder in layout.iter_folders(layout.SWEEPS, layout.RUNS, layout.DRIFTS):
        try:
            record = load_record(folder)
        except ChangedError as error:
            on_change(error)
            continue
        if record.is_tracked:
            yield record


def is_unsent(record: RunRecord) -> bool:
    """Whether a record came to its end and is not in the store."""
    return record.mlflow_run_id is None and record.status in ("FINISHED", "FAILED")


def tracking_of(record: RunRecord) -> TrackingConfig:
    """The store that a record was made for. Raises TrackingError if its password is not known."""
    uri = record.tracking_uri
    if MASK in uri:
        known = os.environ.get("MLFLOW_TRACKING_URI")
        if known is None:
            raise TrackingError(
                f"tracking.uri={uri}: its password is not on record; set MLFLOW_TRACKING_URI to "
                "the whole address"
            )
        uri = known
    return TrackingConfig(True, uri, record.experiment)


def publish_sweep(
    folder: Path, tracking: TrackingConfig, is_over: Callable[[], bool] = lambda: True
) -> int:
    """Send the sweep in `folder`, its trials and the models it keeps until `is_over`; returns the
    number of runs that the store lacked or held in part.

    Raises TrackingError if the store fails; what is on disk stays complete.
    """
    with errors_of_store(tracking, folder), _alone(folder):
        n_lacking = _Sending(folder, open_store(tracking)).run(is_over)
    (folder / ERROR_FILE).unlink(missing_ok=True)
    return n_lacking


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Send nothing of a folder while another process sends it. Raises TrackingError if that takes
    too long.
    """
    lock = FileLock(folder / SENDING_LOCK_FILE, timeout=_LOCK_SECONDS)
    try:
        lock.acquire()
    except Timeout as error:
        raise TrackingError(
            f"{folder}: another process is sending it to MLflow; wait for its end"
        ) from error
    try:
        yield
    finally:
        lock.release()


def follow_sweep(folder: Path, tracking: TrackingConfig) -> None:
    """Body of the publishing process: `publish_sweep` until the over-file is there or the sweep's
    process has died. An error goes into a file beside the records, where the sweep looks for it,
    and what failed is tried again after growing pauses, and once more when the sweep is over.
    """
    if hasattr(os, "nice"):  # not on Windows
        os.nice(10)  # the trials come first
    sweep, over_file = os.getppid(), folder / OVER_FILE

    def is_over() -> bool:
        return over_file.exists() or os.getppid() != sweep

    (folder / ERROR_FILE).unlink(missing_ok=True)
    pauses = growing_pauses()
    while layout.holds_record(folder):  # somebody may remove it
        was_over, started = is_over(), time.monotonic()
        try:
            publish_sweep(folder, tracking, is_over)
            return
        except (ChangedError, TrackingError) as error:
            if layout.holds_record(folder):
                with suppress(OSError):  # of a full disk, which the sweep itself notices
                    write_atomic(folder / ERROR_FILE, masked(str(error)))
        if was_over:  # this was the last attempt
            return
        if time.monotonic() - started > _LONGEST_PAUSE:  # it went well for a while
            pauses = growing_pauses()
        again = time.monotonic() + next(pauses)
        while time.monotonic() < again and not is_over() and layout.holds_record(folder):
            time.sleep(_PAUSE)


def growing_pauses() -> Iterator[float]:
    """Seconds to wait before each next attempt at something that may come back: 1, 2, 4 .. 30."""
    return chain((1.0, 2.0, 4.0, 8.0, 16.0), repeat(_LONGEST_PAUSE))


class _Sending:
    """One pass over a sweep's folder, as long as the sweep runs."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self._store = folder, store
        self._n_lacking = 0
        self._run_id = self._open()
        write_atomic(folder / RUN_ID_FILE, self._run_id)
        for kept in self._kept():
            self._forget_lost(kept)
        self._known = store.children(self._run_id)
        self._handled: set[int] = set()
        self._ids: dict[int, str] = {}
        self._refused: dict[Path, Exception] = {}
        self._datasets: dict[str, Excerpt | None] = {}

    def _open(self) -> str:
        """The sweep's run: a new one, the one it has, or a new one in place of one that is gone."""
        record = load_record(self._folder)
        known = begun_run_id(self._folder) or self._store.find(record)
        stage = Stage.ABSENT if known is None else self._store.resume(known)
        self._n_lacking += stage is not Stage.ACTIVE
        if known is None or stage is not Stage.ABSENT:
            return self._store.open(record, known)
        run_id = self._store.open(record)
        self._store.adopt(known, run_id)
        return run_id

    def _forget_lost(self, kept: RunRecord) -> None:
        """Have a kept record sent again if its run is gone."""
        run_id = kept.run_id
        if run_id and self._store.resume(run_id) is Stage.ABSENT:
            (kept.folder / RUN_ID_FILE).unlink(missing_ok=True)
            kept.mlflow_run_id = None
            kept.save()

    def run(self, is_over: Callable[[], bool]) -> int:
        """Send what comes until `is_over`, then the sweep's own record; returns how many runs the
        store lacked.
        """
        settled = False
        while not is_over():
            if not settled:  # afterwards nothing new comes
                settled = (self._folder / SETTLED_FILE).exists()
                self._send(with_kept=settled)
                (self._folder / ERROR_FILE).unlink(missing_ok=True)  # of an attempt that failed
                if settled:  # while the report is made
                    self._show()
                import_for_models()  # while there is nothing else to do
            time.sleep(_PAUSE / 10 if settled else _PAUSE)
        self._send(with_kept=True)
        kept = {record.record_id for record in self._kept()}
        self._store.retire(self._run_id, kept)
        record = load_record(self._folder)
        if record.status != "RUNNING":
            files = [*sorted(self._folder.iterdir()), *sorted(self._folder.glob(".hydra/*"))]
            files = [path for path in files if path.is_file() and path.suffix in _EVIDENCE]
            dataset = self._dataset_of(record)
            self._store.send(record, self._run_id, dataset, files=files)
        if not settled:
            self._show()
        if self._refused:
            raise next(iter(self._refused.values()))
        return self._n_lacking

    def _show(self) -> None:
        """Trials and kept models get their places, and MLflow's page the views of the sweep."""
        standings = load_standings(self._folder)
        marks = standings.marks if standings else {}
        ids = [(run_id, number) for number, run_id in self._ids.items()]
        ids += [(r.mlflow_run_id or "", r.trial_number or 0) for r in self._kept()]
        self._store.mark({run_id: marks[n] for run_id, n in ids if run_id and n in marks})
        shape = standings.shape if standings else None
        address = self._store.show_sweep(self._run_id, shape)
        _keep_address(self._folder, address)

    def _send(self, with_kept: bool) -> None:
        if with_kept:  # first, since the sweep waits for its winner's id
            self._for_kept(_begin)
        self._send_trials()
        if with_kept:
            self._for_kept(self._send_kept)

    def _send_trials(self) -> None:
        # A folder that is gone may come back, with the record of the same trial run again.
        self._handled &= set(layout.trial_numbers(self._folder))
        ended = self._iter_finished()
        while records := list(islice(ended, _BATCH)):
            for record in records:
                record.tags[tags.PARENT] = self._run_id
            if new := [record for record in records if _number(record) not in self._known]:
                self._add(new)
            for record in records:
                if _number(record) not in self._handled:
                    self._send_one(record)

    def _iter_finished(self) -> Iterator[RunRecord]:
        for number in layout.trial_numbers(self._folder):
            folder = self._folder / str(number)
            if number in self._handled or not layout.holds_record(folder):
                continue
            try:
                record = load_record(folder)
                record.check_files()
            except ChangedError as error:
                self._refuse(folder, error)
                self._handled.add(number)
                continue
            if record.status not in ("RUNNING", "STOPPED"):  # those are run again
                yield record

    def _add(self, new: list[RunRecord]) -> None:
        """Send new trials together, if the store can do that and refuses none of them."""
        try:
            ids = self._store.add_rows(new, self._datasets_of(new))
        except Exception as error:
            if not is_refusal(error):
                raise
            return
        for record, run_id in zip(new, ids, strict=False):
            self._n_lacking += 1
            self._note(record, run_id)

    def _send_one(self, record: RunRecord) -> None:
        run_id, status = self._known.get(_number(record), (None, None))
        try:
            if run_id is None or status != mlflow_status(record):  # not there, or half of it
                dataset = self._dataset_of(record)
                run_id = self._store.send(record, run_id, dataset)
                self._n_lacking += 1
        except Exception as error:
            if not is_refusal(error):
                raise
            self._refuse(record.folder, error)
            self._handled.add(_number(record))
        else:
            (record.folder / ERROR_FILE).unlink(missing_ok=True)
            self._note(record, run_id)

    def _dataset_of(self, record: RunRecord) -> Excerpt | None:
        """The rows of a record, which most runs of a sweep share."""
        key = record.data_sha256
        if key not in self._datasets:
            self._datasets[key] = _dataset_of(record)
        return self._datasets[key]

    def _datasets_of(self, records: Sequence[RunRecord]) -> dict[str, Excerpt]:
        found = ((record.data_sha256, self._dataset_of(record)) for record in records)
        return {key: dataset for key, dataset in found if dataset is not None}

    def _note(self, trial: RunRecord, run_id: str) -> None:
        if trial.mlflow_run_id != run_id:
            trial.mlflow_run_id = run_id
            trial.save()
        self._handled.add(_number(trial))
        self._known[_number(trial)] = run_id, mlflow_status(trial)
        self._ids[_number(trial)] = run_id

    def _for_kept(self, step: Callable[[RunRecord, Store, str], None]) -> None:
        """Take a step with the winner and the other kept models that are not sent."""
        for record in self._kept():
            if is_unsent(record) and record.folder not in self._refused:
                try:
                    step(record, self._store, self._run_id)
                except Exception as error:  # the rest of the sweep goes anyway
                    self._refuse(record.folder, error)

    def _send_kept(self, record: RunRecord, store: Store, sweep_id: str) -> None:
        record.check_files()
        _send_complete(record, store, sweep_id, self._dataset_of(record))
        self._n_lacking += 1

    def _refuse(self, folder: Path, error: Exception) -> None:
        self._refused[folder] = error
        write_atomic(folder / ERROR_FILE, masked(one_line(error)))

    def _kept(self) -> list[RunRecord]:
        """The winner and the other kept models, which nobody replaces any more."""
        records = map(load_record, layout.iter_below(self._folder, "[!0-9]*"))
        return [record for record in records if record.kind in _KEPT]


def _number(trial: RunRecord) -> int:
    return int(trial.folder.name)


def _begin(record: RunRecord, store: Store, sweep_id: str) -> None:
    """Create the run of a kept record, if it has none yet, and leave its id in the folder."""
    record.tags[tags.PARENT] = sweep_id
    run_id = store.find(record) or store.open(record)
    write_atomic(record.folder / RUN_ID_FILE, run_id)


def _send_complete(
    record: RunRecord,
    store: Store,
    sweep_id: str | None,
    dataset: Excerpt | None = None,
) -> None:
    """Send a record with its dataset and its model, below the sweep's run if there is one; a run
    that was begun for it is completed.
    """
    (record.folder / ERROR_FILE).unlink(missing_ok=True)
    if sweep_id is not None:
        record.tags[tags.PARENT] = sweep_id
    has_model = record.status == "FINISHED" and (record.folder / MODEL_FILE).is_file()
    run_id = store.find(record)
    record.mlflow_run_id = store.send(record, run_id, dataset, with_model=has_model)
    record.save()
    if sweep_id is None:  # a sweep shows its own
        _keep_address(record.folder, store.show_run(record.mlflow_run_id))


def _keep_address(folder: Path, address: str | None) -> None:
    if address is not None:
        write_atomic(folder / ADDRESS_FILE, address)


def _dataset_of(record: RunRecord) -> Excerpt | None:
    """The rows of a run, None if they are gone or have changed."""
    from student_perf.data import load_dataset
    from student_perf.store.excerpt import excerpt_of

    try:
        dataset = load_dataset(load_recorded(record.folder / CONFIG_FILE).dataset)
    except (StudentPerfError, OSError) as error:
        log.warning("%s: sent without its dataset (%s)", record.folder, error)
        return None
    return excerpt_of(dataset) if dataset.sha256 == record.data_sha256 else None
