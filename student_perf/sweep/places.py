"""Who works on a study: each worker has a place with a number, which its locks show to all others.

A worker holds the lock of its place while it lives, and so does the process that looks after it, if
that is not the sweep's own command: a job of a launcher, or a guest. The system releases the locks
of a process that is killed. A note beside them says which trial a worker has. It is written under
the lock of asking, so whoever holds that lock knows who has each running trial.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from student_perf.errors import ConfigError
from student_perf.locks import is_held

if TYPE_CHECKING:
    from student_perf.sweep.plan import SweepPlan

_SECONDS = 30
_PAUSE = 0.1  # seconds between two looks


def asking(plan: SweepPlan) -> FileLock:
    """The lock under which trials are handed out and taken back."""
    return FileLock(plan.folder / "ask.lock")


def worker_lock(plan: SweepPlan, place: int) -> FileLock:
    """The lock that the worker in a place holds while it lives."""
    return FileLock(plan.folder / f"worker_{place}.lock")


def _parent_lock(plan: SweepPlan, place: int) -> FileLock:
    return FileLock(plan.folder / f"parent_{place}.lock")


@contextmanager
def reserved_place(plan: SweepPlan, first: int = 0) -> Iterator[int]:
    """The first free place from a number on, which is this process's meanwhile."""
    for place in count(first):
        lock = _parent_lock(plan, place)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        if is_held(Path(worker_lock(plan, place).lock_file)):
            lock.release()
            continue
        try:
            yield place
        finally:
            lock.release()
        return


def living_places(plan: SweepPlan) -> set[int]:
    """Places in which a worker, or who looks after it, lives."""
    files = (*plan.folder.glob("worker_*.lock"), *plan.folder.glob("parent_*.lock"))
    return {int(file.stem.partition("_")[2]) for file in files if is_held(file)}


def note_trial(plan: SweepPlan, place: int, number: int) -> None:
    """Note that the worker in a place has a trial. Call it under the lock of asking."""
    _note(plan, place).write_text(str(number), encoding="ascii")


def drop_note(plan: SweepPlan, place: int) -> None:
    """Note that the worker in a place has no trial."""
    with suppress(OSError):  # of a folder that somebody has removed
        _note(plan, place).unlink(missing_ok=True)


def noted_trial(plan: SweepPlan, place: int) -> int | None:
    """Number of the trial that the worker in a place has noted; None without a note."""
    with suppress(OSError, ValueError):
        return int(_note(plan, place).read_text(encoding="ascii"))
    return None


def held_trials(plan: SweepPlan) -> dict[int, int]:
    """The place of each trial that a living worker has. Call it under the lock of asking."""
    noted = ((noted_trial(plan, place), place) for place in living_places(plan))
    return {number: place for number, place in noted if number is not None}


def _note(plan: SweepPlan, place: int) -> Path:
    return plan.folder / f"worker_{place}.trial"


def await_workers(plan: SweepPlan, seconds: float = _SECONDS) -> None:
    """Wait until no worker of an earlier command, or of another machine, lives.

    Raises ConfigError after some seconds: what a living worker runs must not be run twice.
    """
    until = time.monotonic() + seconds
    while living := living_places(plan):
        if time.monotonic() > until:
            raise ConfigError(
                f"hydra.sweeper.study_name={plan.study_name}: a worker of an earlier command is "
                f"still in a trial (place {min(living)}); wait for it, or end its process, and run "
                "the command again"
            )
        time.sleep(_PAUSE)
