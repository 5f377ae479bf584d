"""How many threads a fit may use."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager

import joblib
from threadpoolctl import threadpool_limits

_MANY_ROWS = 20_000
_several_threads = False


@contextmanager
def limited_threads(n_rows: int, n_workers: int = 1) -> Iterator[None]:
    """Train within, in as many threads as are useful; the process remembers if they are several."""
    global _several_threads
    n_threads = useful_threads(n_rows, n_workers)
    _several_threads = _several_threads or n_threads > 1
    with threadpool_limits(n_threads):
        yield


def can_fork() -> bool:
    """Whether this process may be forked: not after it has trained in several threads, for which a
    fork would wait for ever.
    """
    return "fork" in multiprocessing.get_all_start_methods() and not _several_threads


def useful_threads(n_rows: int, n_workers: int = 1) -> int:
    """Threads that each of `n_workers` processes may use for its fits on `n_rows` rows.

    On few rows threads only wait for each other (one fit of `stacking` on 600 rows takes 0.3 s with
    one, seconds with two on busy cores). The cores are those that this process may use: fewer than
    the machine has in a container or a batch job.
    """
    return 1 if n_rows < _MANY_ROWS else max(1, joblib.cpu_count() // n_workers)
