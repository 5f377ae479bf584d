"""A classifier that misbehaves at one level of a sweep, in every way that a model can.

Imported as a module of the user's own; `KINDS` says what a sweep has to make of each way.
"""

from __future__ import annotations

import ctypes
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

# In the current folder:
MARK = "hostile.mark"  # there once an accident has happened
HANGING = "hostile.pid"  # the process that hangs


class Hostile(ClassifierMixin, BaseEstimator):
    """Nearest means, shrunk the more the higher the level; at level `at` it does as `kind` says."""

    def __init__(self, level: int = 0, kind: str = "none", at: int = 6) -> None:
        self.level = level
        self.kind = kind
        self.at = at

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        if self.level == self.at and self.kind in _IN_FIT:
            _IN_FIT[self.kind](X)
        means = np.array([X[y == code].mean(axis=0) for code in self.classes_])
        shrink = self.level / 8
        self.means_ = (1 - shrink) * means + shrink * X.mean(axis=0)
        if self.kind in ("draws", "random_state"):  # its scores follow from the global generators
            self.means_ += 0.1 * np.random.normal(size=self.means_.shape) + random.random()
        return self

    def predict_proba(self, X):
        closeness = np.exp(-((X[:, None] - self.means_) ** 2).sum(axis=2))
        answer = closeness / closeness.sum(axis=1, keepdims=True)
        if self.level == self.at and self.kind in _ANSWERS:
            return _ANSWERS[self.kind](answer)
        return answer

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def _raise(error: BaseException) -> Callable[[Any], None]:
    def fail(_rows: Any) -> None:
        raise error

    return fail


def _send(number: int) -> Callable[[Any], None]:
    return lambda _rows: os.kill(os.getpid(), number)


def _kill_once(_rows: Any) -> None:
    if not Path(MARK).exists():
        Path(MARK).touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _kill_parent_once(_rows: Any) -> None:
    """As if the job of a launcher was killed: its child is one of those who die with it."""
    if not Path(MARK).exists():
        Path(MARK).touch()
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(3600)


def _change_rows(rows: Any) -> None:
    rows[:] = 0


def _hang(_rows: Any) -> None:
    Path(HANGING).write_text(str(os.getpid()))
    while True:
        time.sleep(1)


def _eat_memory(_rows: Any) -> None:
    held = []
    for _ in range(400):
        held.append(np.ones(1_250_000))  # 10 MB
        time.sleep(0.02)
    raise AssertionError("was not stopped")


def _print_much(_rows: Any) -> None:
    print("noise " * 100_000, flush=True)


def _change_folder(_rows: Any) -> None:
    os.chdir("/")


def _change_random_state(_rows: Any) -> None:
    random.seed(99)
    np.random.seed(99)


def _change_environment(_rows: Any) -> None:
    os.environ.clear()
    os.environ["STUDENT_PERF_WORKSPACE"] = "/nowhere"


def _leave_thread(_rows: Any) -> None:
    threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


_IN_FIT: dict[str, Callable[[Any], None]] = {
    "in_place": _change_rows,
    "sys_exit": lambda _rows: sys.exit(0),
    "keyboard_interrupt": _raise(KeyboardInterrupt("from the model")),
    "generator_exit": _raise(GeneratorExit()),
    "lone_surrogate": _raise(ValueError("half a pair: \ud800")),
    "unreadable": _raise(UnreadableError()),
    "os_exit": lambda _rows: os._exit(0),
    "segmentation_fault": lambda _rows: ctypes.string_at(0),
    "sigkill": _send(signal.SIGKILL),
    "sigabrt": _send(signal.SIGABRT),
    "sigkill_once": _kill_once,
    "parent": _kill_parent_once,  # of a launcher's job; here it would be the command
    "hang": _hang,
    "memory": _eat_memory,
    "prints": _print_much,
    "folder": _change_folder,
    "random_state": _change_random_state,
    "environment": _change_environment,
    "threads": _leave_thread,
}
_ANSWERS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "wrong_length": lambda answer: answer[:-1],
    "no_number": lambda answer: np.full_like(answer, np.nan),
    "sum_3": lambda answer: 3 * answer,
}

# What the record of the trial says, as a regular expression; None: the trial is fine.
KINDS: dict[str, str | None] = {
    "in_place": None,
    "wrong_length": "ValueError|the model answered",
    "no_number": "the model answered",
    "sum_3": "the model answered",
    "sys_exit": "SystemExit: 0",
    "keyboard_interrupt": "KeyboardInterrupt: from the model",
    "generator_exit": "GeneratorExit",
    "lone_surrogate": r"^ValueError: half a pair: \\ud800",
    "unreadable": "^UnreadableError",
    "os_exit": "^worker ended with exit code 0 in trial 6$",
    "segmentation_fault": r"^worker ended by signal 11 \(SIGSEGV\) in trial 6$",
    "sigkill": r"^worker ended by signal 9 \(SIGKILL\) in trial 6$",
    "sigabrt": r"^worker ended by signal 6 \(SIGABRT\) in trial 6$",
    "sigkill_once": None,
    "hang": r"^took longer than hydra.sweeper.trial_timeout=3 s$",
    "memory": r"^held [\d.]+ GB, more than hydra.sweeper.trial_memory=1GB$",
    "prints": None,
    "folder": None,
    "random_state": None,
    "environment": None,
    "threads": None,
}
