"""A model's own code runs in here: what it does to the process does not outlive it.

A model may seed the global random numbers, change the working directory, the environment or a
library's options, or try to end the process. Other folds, other trials and the rest of the run must
give the figures that they give without it.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import numpy as np
import sklearn
from numpy.random.mtrand import get_bit_generator, set_bit_generator

from student_perf.errors import ModelError, one_line
from student_perf.locks import ForkSafeLock
from student_perf.signals import Terminated
from student_perf.text import plural

log = logging.getLogger(__name__)


class _GlobalNumbers:
    """numpy's and Python's global random numbers: put aside when the first of nested or overlapping
    calls begins, brought back when the last one ends.
    """

    def __init__(self) -> None:
        self._lock, self._n_calls = ForkSafeLock(), 0
        # Lent to the models: to put it in takes a hundredth of the time of copying a state.
        self._lent = np.random.MT19937(0)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Have both afterwards as they were before."""
        with self._lock:
            if self._n_calls == 0:
                self._aside = get_bit_generator(), random.getstate()
                set_bit_generator(self._lent)
            self._n_calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_calls -= 1
                if self._n_calls == 0:
                    generator, state = self._aside
                    set_bit_generator(generator)
                    random.setstate(state)


_numbers = _GlobalNumbers()


class _Interrupts(threading.local):
    """Whether this thread listens for SIGINT, and how many it got; only the main one gets any."""

    is_listening = False
    n_got = 0


_interrupts = _Interrupts()


@contextmanager
def process_kept() -> Iterator[None]:
    """Have the process afterwards as it was before.

    That is numpy's and Python's global random numbers, environment variables, filters of warnings,
    numpy's handling of floating-point errors, scikit-learn's options, and the standard streams.
    Threads that were left behind cannot be ended; the log names them.
    """
    environment, filters, threads = _environment(), warnings.filters[:], threading.enumerate()
    on_float_errors, options = np.geterr(), sklearn.get_config()
    streams = sys.stdout, sys.stderr
    try:
        with _numbers.kept(), _listening():
            yield
    finally:
        np.seterr(**on_float_errors)
        sklearn.set_config(**options)
        sys.stdout, sys.stderr = streams
        _restore_environment(environment)
        if warnings.filters != filters:
            warnings.resetwarnings()
            warnings.filters.extend(filters)  # type: ignore[attr-defined]
        if not _interrupts.is_listening:  # else the outer call names them
            _name_threads(threads)


def seed_globals(seed: int) -> None:
    """Seed the random numbers of a model that has no `random_state`: its fits then depend on the
    run's seed, and not on what was fitted before.
    """
    np.random.seed(seed)
    random.seed(seed)


@contextmanager
def contained(where: str) -> Iterator[None]:
    """Run a model's code: it cannot end the process, and the working directory stays.

    Args:
        where: The place, for the message: `in fold 2 of 5`.

    Raises:
        ModelError: The model has raised SystemExit, KeyboardInterrupt or another exception that is
            to end a process. Only a KeyboardInterrupt that follows a SIGINT is the user's,
            and what SIGTERM and SIGHUP raise.
    """
    folder, before = _folder(), _interrupts.n_got
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        is_users = _interrupts.n_got > before or not _interrupts.is_listening
        if isinstance(error, Terminated) or (isinstance(error, KeyboardInterrupt) and is_users):
            raise
        raise ModelError(
            f"the model raised {one_line(error)}{where and ' '}{where}; a model must not end the "
            "process, raise an ordinary exception there"
        ) from error
    finally:
        if folder is not None and _folder() != folder:
            with suppress(OSError):  # it may have removed the folder
                os.chdir(folder)


@contextmanager
def _listening() -> Iterator[None]:
    """Count the SIGINTs that arrive; what they do stays the same."""
    handler, before = signal.getsignal(signal.SIGINT), _interrupts.is_listening
    is_wrapped = callable(handler) and threading.current_thread() is threading.main_thread()

    def counted(number: int, frame: FrameType | None) -> None:
        _interrupts.n_got += 1
        assert callable(handler)
        handler(number, frame)

    if is_wrapped:
        signal.signal(signal.SIGINT, counted)
    _interrupts.is_listening = True
    try:
        yield
    finally:
        _interrupts.is_listening = before
        if is_wrapped:
            signal.signal(signal.SIGINT, handler)


def _folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 (Path.cwd takes five times as long)
    except OSError:  # it was removed
        return None


def _environment() -> dict[Any, Any]:
    """The variables as Python keeps them; `dict(os.environ)` would decode each of them, which takes
    longer than all else here.
    """
    return dict(os.environ._data)  # type: ignore[attr-defined]


def _restore_environment(before: dict[Any, Any]) -> None:
    now = _environment()
    for name in now.keys() - before.keys():
        del os.environ[os.fsdecode(name)]
    for name, value in before.items():
        if now.get(name) != value:
            os.environ[os.fsdecode(name)] = os.fsdecode(value)


def _name_threads(before: list[threading.Thread]) -> None:
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    if left:
        log.warning(
            "the model has left %s running (%s), which cannot be ended and may slow later fits",
            plural(len(left), "thread"),
            ", ".join(left[:5]),
        )
