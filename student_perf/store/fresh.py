"""A SQLite store that is whole or not there.

MLflow makes its tables in dozens of steps. A process that is killed meanwhile would leave a file
whose schema is an old one, which MLflow refuses for ever. So the tables are made in a file beside,
which gets its name once it is whole; and a file that MLflow itself left so is made anew.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from student_perf.store.schema import newest_schema

_REST = 5  # seconds without a change after which nobody is making the tables
_LOOK = 0.5  # seconds between two looks
_BESIDE = ("-journal", "-wal", "-shm")  # files of SQLite's own that belong to another one
_VERSION = "alembic_version"
_FILLED = {_VERSION, "workspaces"}  # tables into which making them writes a row


def make_whole(file: Path) -> None:
    """Make a store with all its tables, unless there is one. Call it under the store's lock."""
    import mlflow

    file = file.resolve()  # a link stays one
    discard_half_made(file)
    if file.is_file():
        return
    new = file.with_name(f"{file.name}.new")
    _remove(new)  # of a process that was killed
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{new}").search_experiments(max_results=1)
    with suppress(FileExistsError):  # another program has made one meanwhile, which stays
        _name(new, file)
    _remove(new)


def _name(new: Path, file: Path) -> None:
    """Give a file its name. Raises FileExistsError if there is one of that name, where the file
    system has hard links; without them nothing tells in one step.
    """
    try:
        os.link(new, file)
    except FileExistsError:
        raise
    except OSError:
        if file.exists():
            raise FileExistsError(file) from None
        new.replace(file)


def discard_half_made(file: Path) -> None:
    """Remove a store whose tables were never finished, once nobody works on it. Call it under the
    store's lock, which MLflow itself does not know.
    """
    seen, until = -1, 0.0
    while is_half_made(file):
        changed = file.stat().st_mtime_ns
        if changed != seen:
            seen, until = changed, time.monotonic() + _REST
        elif time.monotonic() > until:
            _remove(file)
            return
        time.sleep(min(_LOOK, _REST))


def is_half_made(file: Path) -> bool:
    """Whether a file has nothing but MLflow's tables, or some of them, of another schema than the
    installed one makes, and no run or model.
    """
    if not file.is_file():
        return False
    try:  # to write, since a killed process may have left what has to be rolled back
        with closing(
            sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=0)
        ) as connection:
            connection.execute("BEGIN IMMEDIATE")  # fails while somebody writes
            return _lacks_tables(connection)
    except sqlite3.Error:  # not a database, or one that somebody works on
        return False


def _lacks_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    names = {name for (name,) in found}
    if names and ("experiments" not in names or not names & {_VERSION, "runs"}):
        return False  # of another program
    if _VERSION in names:
        row = connection.execute(f"SELECT version_num FROM {_VERSION}").fetchone()  # noqa: S608
        if row is not None and row[0] == newest_schema():
            return False
    return not any(
        connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608
        for name in names - _FILLED
    )


def _remove(file: Path) -> None:
    for path in (file, *(file.with_name(f"{file.name}{end}") for end in _BESIDE)):
        path.unlink(missing_ok=True)
