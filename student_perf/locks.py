"""A lock between threads that a forked process finds open, whoever held it at the fork.

>>> lock = ForkSafeLock()
>>> with lock, lock:
...     print("held twice by one thread")
held twice by one thread
"""

from __future__ import annotations

import os
import threading


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
