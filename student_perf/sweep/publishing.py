"""The process that sends a sweep's records to MLflow while trials run."""

from __future__ import annotations

import time
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from student_perf.config.schema import TrackingConfig
from student_perf.runs.layout import ERROR_FILE
from student_perf.runs.record import begun_run_id, load_record
from student_perf.signals import leave_to_parent
from student_perf.store.publisher import OVER_FILE, SETTLED_FILE, follow_sweep, is_unsent
from student_perf.sweep.local import process_context
from student_perf.sweep.plan import SweepPlan
from student_perf.terminal import Terminal

_SENDING = "sending to MLflow"
_PAUSE = 0.05  # seconds between two looks whether the winner has been sent


def start_publisher(plan: SweepPlan, *, again: bool = False) -> BaseProcess | None:
    """Start the process; None if nothing is tracked.

    `again` starts one after the first was killed. By then training has started thread pools in this
    process, and a fork of it would wait for them forever; so that one is a new interpreter.
    """
    if not plan.base.tracking.enabled:
        return None
    context = get_context("spawn") if again else process_context()
    arguments = (plan.folder, plan.base.tracking)
    process = context.Process(target=_publish, args=arguments)  # type: ignore[attr-defined]
    process.start()
    return process  # type: ignore[no-any-return]


def await_winner(plan: SweepPlan, winner: Path | None, publisher: BaseProcess | None) -> None:
    """Have the kept models sent, and wait until MLflow has an id for the winner, which the report
    names; the model may follow while the report is made.
    """
    (plan.folder / SETTLED_FILE).touch()
    if winner is None or publisher is None:
        return
    failed = [winner / ERROR_FILE, plan.folder / ERROR_FILE]
    with Terminal().waiting(_SENDING):
        while publisher.is_alive() and is_unsent(load_record(winner)):
            if begun_run_id(winner) is not None or any(file.is_file() for file in failed):
                return
            time.sleep(_PAUSE)


def finish_publishing(plan: SweepPlan, publisher: BaseProcess | None) -> None:
    """Let the publisher send what is left and wait for its end; say if it could not send all."""
    try:
        (plan.folder / OVER_FILE).touch()
    except FileNotFoundError:  # somebody has removed the folder, which ends the publisher
        pass
    except OSError:  # of a full disk; `sync` sends the rest
        if publisher is not None:
            publisher.kill()
            publisher.join()
        return
    if publisher is None:
        return
    with Terminal().waiting(_SENDING):
        publisher.join()
    if publisher.exitcode != 0 and (again := start_publisher(plan, again=True)) is not None:
        again.join()  # the first was killed; nothing is sent twice
    error = plan.folder / ERROR_FILE
    if error.is_file():
        Terminal().pending(error.read_text(encoding="utf-8"), plan.folder)


def _publish(folder: Path, tracking: TrackingConfig) -> None:
    leave_to_parent()
    follow_sweep(folder, tracking)
