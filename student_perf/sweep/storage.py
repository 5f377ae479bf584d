"""Where a study is stored: a journal file that survives a kill, or a database of the user's."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from filelock import FileLock

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError, StudentPerfError, one_line
from student_perf.masking import masked
from student_perf.store.address import refuse_odd_path, scheme, sqlite_file
from student_perf.store.schema import holds_runs

if TYPE_CHECKING:
    from student_perf.sweep.patience import Patience


class DamagedJournalError(ConfigError):
    """A journal that cannot be read; the records of the trials hold what it held."""


def open_storage(
    storage: str, patience: Patience | None = None, *, waits_to_open: bool = False
) -> Any:
    """Optuna's storage at a path or URL.

    Args:
        storage: The path of a journal or the URL of a database.
        patience: How long to wait for a database that goes while it is used; by default not at all.
        waits_to_open: Whether to wait for one that is not there yet.

    Raises:
        StorageLostError: A database that was waited for has not come.
        DamagedJournalError: The journal at the path cannot be read.
        ConfigError: The database at the URL cannot be opened.
    """
    if not is_file(storage):
        try:
            return _database(storage, patience, waits_to_open)
        except StudentPerfError:
            raise
        except Exception as error:  # whatever the database driver raises
            raise ConfigError(
                f"hydra.sweeper.storage={masked(storage)}: cannot be opened "
                f"({one_line(error)[:200]}); check the address and that its driver is installed, "
                "or leave it out"
            ) from error
    try:
        return _journal(Path(storage))
    except OSError:
        raise
    except Exception as error:  # whatever a line that is wrong makes Optuna raise
        raise DamagedJournalError(
            f"{storage}: cannot be read ({one_line(error)[:200]}); run the sweep's command again, "
            "which rebuilds it from the records of the trials"
        ) from error


def check_apart(storage: str, tracking: str) -> None:
    """Raise ConfigError if a study and MLflow would share a database: both keep the version of
    their tables in a table of one name, so that whoever comes second cannot make its own.
    """
    if not is_file(storage) and _place(storage) == _place(tracking):
        raise ConfigError(
            f"hydra.sweeper.storage={masked(storage)}: is the database of tracking.uri, and "
            "each of the two needs one of its own; name another database, or leave the storage out"
        )


def _place(url: str) -> tuple[str | int | None, ...]:
    """What tells one database from another, whoever reads it."""
    from sqlalchemy.engine import make_url

    parts = make_url(url)
    return parts.get_backend_name(), parts.host, parts.port, parts.database


def _database(url: str, patience: Patience | None, waits_to_open: bool) -> Any:
    from optuna.storages import RDBStorage, get_storage

    def connect() -> Any:
        # A server that was restarted has closed the connections that the pool holds.
        return get_storage(RDBStorage(url, engine_kwargs={"pool_pre_ping": True}))

    if patience is None:
        return connect()
    from student_perf.sweep.patience import PatientStorage

    found = patience.keep_trying(connect) if waits_to_open else connect()
    return PatientStorage(found, patience)


def reading_once(storage: Any) -> AbstractContextManager[None]:
    """Read the trials of a database at most once meanwhile; a journal tells what is new anyway."""
    from student_perf.sweep.patience import PatientStorage

    return storage.reading_once() if isinstance(storage, PatientStorage) else nullcontext()


def check_no_tracking_store(storage: str | None, tracking: TrackingConfig) -> None:
    """Raise ConfigError if a study was to be stored where MLflow keeps its tables, since both have
    a table of versions by one name. Nothing is opened for writing.
    """
    if storage is None or is_file(storage):
        return
    refuse_odd_path("hydra.sweeper.storage", storage)
    file = sqlite_file(storage)
    same = _address(storage) == _address(tracking.uri)
    if same or (file is not None and holds_runs(file)):
        raise ConfigError(
            f"hydra.sweeper.storage={masked(storage)}: holds the runs of MLflow; leave it out, or "
            "name another database"
        )


def _address(url: str) -> tuple[Any, ...]:
    """Where a database is, whatever the driver and however its path is written."""
    if (file := sqlite_file(url)) is not None:
        return (file.resolve(),)
    parts = urlsplit(url)
    return scheme(url), parts.hostname, parts.port, parts.path


def is_file(storage: str) -> bool:
    """Whether a storage is a journal file and no database."""
    return "://" not in storage


def _journal(path: Path) -> Any:
    from optuna.storages.journal import JournalFileBackend

    from student_perf.sweep.journal import IndexedJournal

    path.parent.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(path), lock_obj=_JournalLock(path))  # type: ignore[arg-type]
    return IndexedJournal(backend)


class _JournalLock:
    """A lock that the system releases when its holder is killed, unlike Optuna's own two."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def mend_journal(path: Path) -> None:
    """Drop a last line that was cut off while it was written, as by a full disk; nothing could be
    read after it.

    Raises:
        DamagedJournalError: The last whole line is not JSON, which Optuna would notice only after
            the next line.
    """
    if not path.is_file():
        return
    with FileLock(f"{path}.lock"), path.open("r+b") as file:  # a worker may write meanwhile
        content = file.read()
        end = content.rfind(b"\n") + 1
        file.truncate(end)
    try:
        json.loads(content[:end].splitlines()[-1] if end else b"{}")
    except ValueError as error:
        raise DamagedJournalError(f"{path}: its last line is not JSON") from error


def set_aside(path: Path, why: str = "damaged") -> Path | None:
    """Rename a journal that another one replaces, so that it is kept; returns its new place, None
    if it is gone.
    """
    if not path.is_file():
        return None
    place = path.with_name(f"{path.name}.{why}-{time.strftime('%Y%m%dT%H%M%S')}")
    path.rename(place)
    return place
