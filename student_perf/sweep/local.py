"""Workers on this machine: child processes that this one starts, watches and replaces.

A worker that hangs, eats memory or crashes cannot say so; its parent sees it, settles the trial it
was in and starts another worker in its place.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import math
import multiprocessing
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from student_perf.atomic import explain_disk_error
from student_perf.config.load import register_resolvers
from student_perf.errors import ConfigError, one_line
from student_perf.experiment.threads import can_fork
from student_perf.runs.layout import LOG_FILE
from student_perf.signals import collected, interruption, leave_to_parent
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.options import memory_bytes
from student_perf.sweep.places import drop_note, worker_lock
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.settle import (
    settle_death,
    settle_excess,
    settle_noted,
    settle_stopped,
    stop_all,
)
from student_perf.sweep.study import STOP_FILE, open_study
from student_perf.sweep.worker import Slot, StopSweep, Worker, deadline
from student_perf.text import duration, plural

log = logging.getLogger(__name__)

_PAUSE = 0.1  # seconds between two looks at the workers
_GRACE = 10  # seconds in which a fold may end when the time is up
_SHORT_GRACE = 5  # the same after SIGTERM: batch systems kill soon after it
_QUIET = 1  # seconds after the time is up before a line says what is waited for
_LINGER = 2  # seconds that a worker has to exit in; threads left behind may keep it
_MOST_DEATHS_IDLE = 3  # in a row, of workers that took no trial, or of a guest's in whatever trial
_MOST_DEATHS = 20  # in a row, of workers in whatever trial
_NEEDED_LATER = ("skops.io", "student_perf.pages.report")  # by the winner and the report
_INTERRUPTED = "stopped by the user"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux

Say = Callable[[str], None]


@dataclass
class Guest:
    """What ends the workers of a guest, and nobody else's, and what they have done.

    Attributes:
        most: Trials that they may begin.
        limit: What set `until`, in words.
        is_over: Whether the sweep's command has no more trials for guests.
        n_ended: Trials that they have ended.
        n_given_back: Trials that have failed in them and are in the queue again.
        id: Tells guests apart.
    """

    most: float
    limit: str
    is_over: Callable[[], bool]
    n_ended: int = 0
    n_given_back: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def n_left(self) -> float:
        """How many more trials they may begin."""
        return self.most - self.n_ended - self.n_given_back


def process_context() -> multiprocessing.context.BaseContext:
    """Fork if that is possible: a forked process has all imports and data already."""
    return multiprocessing.get_context("fork" if can_fork() else "spawn")


def run_workers(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    on_progress: Callable[[], None],
    say: Say = log.warning,
    *,
    until: float | None = None,
    places: Sequence[int] | None = None,
    command: int | None = None,
    guest: Guest | None = None,
) -> None:
    """Keep workers at work until no trial is left or the sweep is to stop.

    The first Ctrl-C, SIGTERM or SIGHUP asks the workers to stop at the end of their fold, the
    second kills them; their trials go back into the queue, and KeyboardInterrupt is raised.

    Args:
        plan: The sweep's plan.
        evaluator: Has the data loaded, for workers to inherit.
        on_progress: Called at every look at the workers.
        say: Shows a line to the user.
        until: When to stop, by the monotonic clock; by default after the sweep's `timeout`.
        places: Of the sweep's workers those to run here; by default all.
        command: Process that started this one, without which there is nothing to do; by default
            this process is the command, which goes on when its shell ends.
        guest: Set for workers that are guests of another command's sweep: what ends them does not
            end the sweep.

    Raises:
        ConfigError: The workers of a guest could not go on.
    """
    until = deadline(plan) if until is None else until
    places = range(plan.options.n_jobs) if places is None else places
    _Supervisor(plan, evaluator, on_progress, say, until, command, guest).run(places)


class _Child:
    """A worker process with what its parent knows of it.

    Attributes:
        slot: What it does.
        process: The process.
        ending: What it said at its end: the error that ended it, or nothing; None before.
        excess: The limit that its trial broke, for which it was killed.
    """

    def __init__(
        self,
        plan: SweepPlan,
        evaluator: TrialEvaluator,
        place: int,
        number: int,
        until: float,
        guest: Guest | None = None,
    ) -> None:
        context = process_context()
        self.place = place
        self.slot = Slot(context)
        self._messages: Connection
        self._messages, sender = context.Pipe(duplex=False)
        of_worker = {"number": number, "place": place, "deadline": until, "slot": self.slot}
        if guest is not None:
            of_worker |= {"most": guest.n_left, "guest": guest.id}
        arguments = (plan, evaluator, of_worker, os.getpid(), sender)
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=_work, args=arguments
        )
        self.process.start()
        sender.close()
        self.ending: str | None = None
        self.excess: str | None = None
        self._kill_at = math.inf

    def has_ended(self) -> bool:
        """Whether the process is over; one that has said its last word is not waited for long."""
        if self.ending is None and self._messages.poll():
            with suppress(EOFError, OSError):  # killed before it could say anything
                self.ending = self._messages.recv()
                self._kill_at = time.monotonic() + _LINGER
        if time.monotonic() > self._kill_at:
            self.process.kill()
        return not self.process.is_alive()

    def find_excess(self, plan: SweepPlan) -> str | None:
        """The limit of one trial that is broken, if any."""
        limit = plan.options.trial_timeout
        if self.slot.trial is None:
            return None
        if limit is not None and self.slot.seconds > limit:
            return f"took longer than hydra.sweeper.trial_timeout={limit:g} s"
        most = memory_bytes(plan.options)
        if math.isfinite(most) and (held := _held_bytes(self.process)) > most:
            given = plan.options.trial_memory
            return f"held {held / 1e9:.2g} GB, more than hydra.sweeper.trial_memory={given}"
        return None

    def cause(self) -> str:
        """How the process ended."""
        code = self.process.exitcode or 0
        if code >= 0:
            return f"worker ended with exit code {code}"
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        return f"worker ended by signal {-code} ({name})"


class _Supervisor:
    """The parent of workers: replaces those that die, keeps the limits, answers Ctrl-C."""

    def __init__(
        self,
        plan: SweepPlan,
        evaluator: TrialEvaluator,
        on_progress: Callable[[], None],
        say: Say,
        until: float,
        command: int | None,
        guest: Guest | None,
    ) -> None:
        self._plan, self._evaluator, self._say = plan, evaluator, say
        self._on_progress, self._until, self._command = on_progress, until, command
        self._guest, self._is_ending, self._reason = guest, False, ""
        self._study = open_study(plan)
        self._children: list[_Child] = []
        self._n_started: dict[int, int] = {}
        self._n_ended = 0  # trials, by workers that are over
        self._deaths = self._deaths_idle = self._n_ended_at_death = 0
        self._kill_at = math.inf

    def run(self, places: Sequence[int]) -> None:
        """Start a worker in each place and look after them until none is left."""
        # Beside a single worker these imports would only compete with it and the publisher.
        later = list(_NEEDED_LATER) if len(places) > 1 else []
        with collected() as signals:
            n_answered = 0
            try:
                for place in places:
                    self._start(place)
                while self._children:
                    if later:
                        import_module(later.pop(0))  # while the workers work
                    wait([child.process.sentinel for child in self._children], timeout=_PAUSE)
                    if len(signals) > n_answered:
                        n_answered = len(signals)
                        self._answer(signals)
                    elif not signals:
                        self._on_progress()
                    self._look()
            except BaseException as error:  # whatever it is, no worker may outlive it
                self._abandon(error)
                raise
        if signals:
            raise interruption(signals[0])
        if self._reason and self._guest is not None:
            raise ConfigError(f"this worker has left {self._plan.study_name}: {self._reason}")

    def _start(self, place: int) -> None:
        if self._guest is not None and self._guest.n_left <= 0:
            return
        drop_note(self._plan, place)  # of a worker that was here before, whose trial is settled
        started = self._n_started.get(place, 0)
        self._n_started[place] = started + 1
        number = place + started * self._plan.options.n_jobs
        self._children.append(
            _Child(self._plan, self._evaluator, place, number, self._until, self._guest)
        )

    def _end(self, reason: str) -> None:
        """Ask all workers of the sweep to stop and keep the reason; a guest asks only its own."""
        if self._guest is None:
            stop_all(self._plan, reason)
            return
        self._is_ending = True
        for child in self._children:
            child.slot.ask_to_stop()

    def _look(self) -> None:
        """See who has ended, whose trial breaks a limit, and whether the time is up."""
        now = time.monotonic()
        if self._kill_at == math.inf and now > self._until + _QUIET:
            self._kill_at = self._until + _GRACE
            self._say(
                f"{self._limit()} is over: waiting for the fold of {self._running()}; after "
                f"{_GRACE} s it goes back into the queue."
            )
        if self._guest is not None and not self._is_ending and self._guest.is_over():
            self._kill_at = min(self._kill_at, now + _GRACE)
            self._end("")
        if self._is_orphan():
            self._kill_at = -math.inf
        for child in list(self._children):
            if child.has_ended():
                self._children.remove(child)
                self._settle(child)
                child.process.close()
            elif now > self._kill_at:
                child.process.kill()
            elif child.excess is None and (excess := child.find_excess(self._plan)):
                child.excess = excess
                child.process.kill()

    def _is_orphan(self) -> bool:
        """Whether the process is gone without which there is nothing to do."""
        return self._command is not None and os.getppid() != self._command

    def _limit(self) -> str:
        """What set the time after which workers stop."""
        if self._guest is not None:
            return self._guest.limit
        return f"hydra.sweeper.timeout={self._plan.options.timeout:g} s"

    def _settle(self, child: _Child) -> None:
        """Account for the trial of a worker that has ended, and replace it if that is needed."""
        self._n_ended += child.slot.n_ended
        if self._guest is not None:
            self._guest.n_ended = self._n_ended
            self._guest.n_given_back += child.slot.n_given_back
        number = child.slot.trial
        if child.ending:
            self._give_up(child.ending)
        if child.ending is not None or time.monotonic() > self._kill_at:
            # That of an orphan is lost, as if it had been killed too; the command says so.
            if not self._is_orphan():
                self._settle_stopped(child)
            drop_note(self._plan, child.place)
            return
        if number is not None:
            self._settle_trial(child, number)
        if child.excess is None:
            self._count_death(child)
        drop_note(self._plan, child.place)
        is_stopped = self._is_ending or (self._plan.folder / STOP_FILE).exists()
        if time.monotonic() < self._until and not is_stopped:
            self._start(child.place)

    def _settle_stopped(self, child: _Child) -> None:
        """Settle the trial of a worker that was ended with the sweep, or while it gave it back."""
        if child.slot.trial is not None:
            settle_stopped(self._study, self._plan, child.slot.trial)
        settle_noted(self._study, self._plan, child.place)

    def _settle_trial(self, child: _Child, number: int) -> None:
        """Settle the trial in which a worker has died or was killed."""
        guest = None if self._guest is None else self._guest.id
        if child.excess is not None:
            is_queued = settle_excess(self._study, self._plan, number, child.excess, guest)
        else:
            is_queued = settle_death(self._study, self._plan, number, child.cause(), guest)
        if self._guest is not None:
            self._guest.n_given_back += is_queued

    def _give_up(self, reason: str) -> None:
        """End all workers for a reason that is an error."""
        self._reason = self._reason or reason
        self._end(reason)

    def _count_death(self, child: _Child) -> None:
        """Stop the sweep if workers die whatever they run."""
        n_ended = self._n_ended + sum(other.slot.n_ended for other in self._children)
        if n_ended > self._n_ended_at_death:
            self._n_ended_at_death, self._deaths, self._deaths_idle = n_ended, 0, 0
        self._deaths += 1
        number = child.slot.trial
        self._deaths_idle += number is None
        where = "before it took a trial" if number is None else f"in trial {number}"
        log.error("%s %s", child.cause(), where)
        most = _MOST_DEATHS if self._guest is None else _MOST_DEATHS_IDLE
        if self._deaths_idle >= _MOST_DEATHS_IDLE or self._deaths >= most:
            self._give_up(
                f"{plural(self._deaths, 'worker')} died in a row, the last so: {child.cause()} "
                f"{where}; see {self._plan.folder / LOG_FILE}, and whether memory has run out "
                "(hydra.sweeper.n_jobs=1 takes less)",
            )

    def _answer(self, signals: Sequence[int]) -> None:
        """The first signal asks the workers to stop, a second kills them."""
        name = signal.Signals(signals[-1]).name
        name = "Ctrl-C" if name == "SIGINT" else name
        if len(signals) > 1:
            self._kill_at = -math.inf
            self._tell_user(f"{name} again: {self._running()} back into the queue.")
            return
        self._end(_INTERRUPTED)
        patience = "" if name == "Ctrl-C" else f", for {_SHORT_GRACE} s"
        if patience:
            self._kill_at = time.monotonic() + _SHORT_GRACE
        self._tell_user(
            f"{name}: waiting for the fold of {self._running()}{patience}; "
            "a second one kills the workers. What has not ended goes back into the queue."
        )

    def _tell_user(self, line: str) -> None:
        with suppress(OSError):  # the terminal may be gone, which is what SIGHUP says
            self._say(line)

    def _running(self) -> str:
        """`trial 3 (12 s), trial 5 (1 min 3 s)`."""
        slots = [child.slot for child in self._children if child.slot.trial is not None]
        return ", ".join(f"trial {s.trial} ({duration(s.seconds)})" for s in slots) or "no trial"

    def _abandon(self, error: BaseException) -> None:
        """End all workers, soon and whatever is broken."""
        reason = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else one_line(error)
        with suppress(Exception):
            self._end(reason)
        give_up = time.monotonic() + _SHORT_GRACE
        for child in self._children:
            child.process.join(max(0, give_up - time.monotonic()))
            child.process.kill()
            child.process.join()
        with suppress(Exception):
            for child in self._children:
                self._settle_stopped(child)


def _held_bytes(process: BaseProcess) -> int:
    """Resident memory of a process; 0 if it has just ended."""
    try:
        pages = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _work(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    of_worker: Mapping[str, Any],
    parent: int,
    messages: Connection,
) -> None:
    """Body of a worker process; it ends with its parent. `of_worker` are fields of `Worker`."""
    leave_to_parent()
    try:
        _end_with(parent)
        lock = worker_lock(plan, of_worker["place"])
        with lock, (plan.folder / LOG_FILE).open("a", encoding="utf-8") as file:
            faulthandler.enable(file)  # says where a segmentation fault happened
            register_resolvers()  # a process that is not a fork has none
            worker = Worker(
                plan,
                evaluator=evaluator,
                should_stop=lambda: os.getppid() != parent,
                **of_worker,
            )
            with suppress(StopSweep):
                worker.run()
            faulthandler.disable()
    except Exception as error:
        log.exception("worker %d", of_worker["number"])
        messages.send(one_line(explain_disk_error(error, plan.folder) or error))
    else:
        messages.send("")


def _end_with(parent: int) -> None:
    """Have the system kill this process when its parent dies; elsewhere a fold's end is awaited."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it died meanwhile
        raise SystemExit
