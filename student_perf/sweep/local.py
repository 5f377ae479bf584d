"""Workers on this machine: in this process, or forked from it once everything is loaded."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.process import BaseProcess

from student_perf.atomic import write_atomic
from student_perf.config.load import register_resolvers
from student_perf.errors import one_line
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.study import STOP_FILE
from student_perf.sweep.worker import StopSweep, Worker, deadline

_PAUSE = 0.1
_MOST_RESTARTS = 3
_NEEDED_LATER = ("skops.io", "student_perf.pages.report")
_INTERRUPTED = "stopped by the user"


def process_context() -> multiprocessing.context.BaseContext:
    """Fork if the system can: a forked process has all imports and data already."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else "spawn")


def run_in_process(
    plan: SweepPlan, evaluator: TrialEvaluator, on_progress: Callable[[], None]
) -> None:
    """One worker in this process. Ctrl-C returns the running trial to the queue."""
    worker = Worker(plan, evaluator=evaluator, deadline=deadline(plan), on_trial=on_progress)
    with suppress(StopSweep):
        worker.run()


def run_forked(plan: SweepPlan, evaluator: TrialEvaluator, on_progress: Callable[[], None]) -> None:
    """`n_jobs` workers in processes of their own; one that dies is replaced.

    The first Ctrl-C asks the workers to stop at their next fold, the second kills them.
    """
    context = process_context()
    until = deadline(plan)

    def start(number: int) -> BaseProcess:
        arguments = (plan, evaluator, number, os.getpid(), until)
        process = context.Process(target=_work, args=arguments)  # type: ignore[attr-defined]
        process.start()
        return process  # type: ignore[no-any-return]

    workers = [start(number) for number in range(plan.options.n_jobs)]
    restarts = 0
    try:
        _import_ahead()
        on_progress()
        while any(worker.is_alive() for worker in workers):
            time.sleep(_PAUSE)
            on_progress()
            for i, worker in enumerate(workers):
                if worker.exitcode not in (None, 0) and restarts < _MOST_RESTARTS:
                    restarts += 1
                    workers[i] = start(plan.options.n_jobs + restarts)
    except BaseException as error:  # whatever it is, no worker may outlive it
        reason = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else one_line(error)
        write_atomic(plan.folder / STOP_FILE, reason)
        try:
            for worker in workers:
                worker.join()
        except KeyboardInterrupt:
            for worker in workers:
                worker.kill()
        raise


def _import_ahead() -> None:
    """Import what the winner and the report need while the workers work."""
    for name in _NEEDED_LATER:
        import_module(name)


def _work(
    plan: SweepPlan, evaluator: TrialEvaluator, number: int, parent: int, until: float
) -> None:
    """Body of a worker process; it ends when its parent has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    register_resolvers()  # a process that is not a fork has none
    with suppress(StopSweep):
        Worker(plan, number, evaluator, until, lambda: os.getppid() != parent).run()
