"""Signals that end a command: SIGTERM and SIGHUP act as Ctrl-C does, with their own exit codes.

>>> import signal
>>> error = interruption(signal.SIGTERM)
>>> isinstance(error, KeyboardInterrupt), str(error), exit_code(error)
(True, 'stopped by SIGTERM', 143)
>>> int(exit_code(KeyboardInterrupt()))
130
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from student_perf.exit_codes import ExitCode

Handler = Callable[[int, FrameType | None], None]
# Windows has no SIGHUP.
_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Terminated(KeyboardInterrupt):
    """A batch system, a closed terminal or `kill` asks the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def interruption(number: int) -> KeyboardInterrupt:
    """What a signal raises in the command."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def exit_code(error: KeyboardInterrupt) -> int:
    """The code that a shell expects of a command that this ended."""
    return 128 + error.number if isinstance(error, Terminated) else ExitCode.INTERRUPTED


@contextmanager
def raising() -> Iterator[None]:
    """Within, SIGTERM and SIGHUP raise `Terminated`."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Terminated(number)

    with _handled(_ENDING, stop):
        yield


@contextmanager
def collected() -> Iterator[list[int]]:
    """Within, SIGINT, SIGTERM and SIGHUP raise nothing; gives the list that they are added to."""
    received: list[int] = []
    with _handled([signal.SIGINT, *_ENDING], lambda number, _frame: received.append(number)):
        yield received


def leave_to_parent() -> None:
    """Let these signals pass in a child process: the command, which gets them too, decides."""
    if not _in_main_thread():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in _ENDING:  # not ignored: programs that a model starts would inherit that
        signal.signal(number, _pass)


def _pass(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""


@contextmanager
def _handled(numbers: Sequence[int], handler: Handler) -> Iterator[None]:
    """Install a handler, but for signals that are ignored, as in the background or under nohup."""
    before = {}
    if _in_main_thread():  # only there Python lets one be installed, and only there one is called
        for number in numbers:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
