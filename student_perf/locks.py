"""Locks: one between threads that a forked process finds open, and files by which other processes
see that somebody is at work. The system releases those of a process that is killed.

>>> lock = ForkSafeLock()
>>> with lock, lock:
...     print("held twice by one thread")
held twice by one thread
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout


class ForkSafeLock:
    """A reentrant lock. After a fork only the forking thread lives on, so the child's is new: one
    that another thread held would stay closed for ever.
    """

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


@contextmanager
def holding(file: Path) -> Iterator[None]:
    """Hold the lock in a file, which is there only as long."""
    lock = FileLock(file)
    with lock:
        try:
            yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open
                file.unlink()


def is_held(file: Path) -> bool:
    """Whether a process holds the lock in a file; also said of a file that may not be opened."""
    if not file.is_file():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False
