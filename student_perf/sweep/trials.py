"""The trials of a sweep: workers are started and watched until every trial is accounted for.

They run on this machine, as jobs of a launcher, or as guests; whoever has a trial keeps it while he
lives, and what a lost worker had goes back into the queue.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from student_perf.errors import ConfigError, StudentPerfError, one_line
from student_perf.runs.layout import LOG_FILE
from student_perf.sweep import local
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.join import inviting
from student_perf.sweep.places import asking, await_workers, held_trials, living_places
from student_perf.sweep.plan import SweepPlan, exhausted
from student_perf.sweep.plateau import out_of_patience
from student_perf.sweep.settle import settle_lost, stop_all
from student_perf.sweep.show import Progress
from student_perf.sweep.study import STOP_FILE, counts, n_done, n_left, recover, running_trials
from student_perf.sweep.worker import deadline, raise_if_stopped
from student_perf.text import plural

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

SECONDS_OF_DYING = 2  # workers end with the process that looks after them, which is killed first
_SECONDS_OF_STOPPING = 30
_LOOK = 1  # seconds between two looks at workers elsewhere
_MOST_IDLE = 2  # rounds of workers in a row
_MOST_NAMED = 10  # trials in one line

Launch = Callable[[SweepPlan], None]
Say = Callable[[str], None]


def run_trials(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    study: optuna.Study,
    console: Console,
    launch: Launch | None,
) -> str | None:
    """Run workers until every trial is accounted for, the time is up or the sweep stops itself;
    returns why it ended before all that were asked for. Raises ConfigError if it may not end so.
    """
    progress, until = Progress(plan, study, console), deadline(plan)

    def say(line: str) -> None:
        log.warning("%s", line)
        console.print(f"  {line}", style="yellow", soft_wrap=True)

    with progress.shown(), inviting(plan), _ended_with(plan, study, launch, say):
        n_idle = 0  # rounds in which no trial has ended
        while (n_before := n_done(counts(study))) < plan.n_trials and n_idle < _MOST_IDLE:
            if launch is None:
                places = sorted(set(range(plan.options.n_jobs)) - living_places(plan))
                local.run_workers(plan, evaluator, progress.update, say, until=until, places=places)
            else:
                _launch(plan, study, launch, progress, say, is_last=n_idle + 1 == _MOST_IDLE)
            _await_others(plan, study, progress, say, until)
            recover(study, plan)  # of a worker that was killed between asking and starting
            if (plan.folder / STOP_FILE).exists() or time.monotonic() > until:
                break
            if out_of_patience(study, plan) is not None:
                break
            n_idle = 0 if n_done(counts(study)) > n_before else n_idle + 1
    _await_guests(plan, study, progress)
    raise_if_stopped(plan.folder)
    return _account(plan, study, time.monotonic() > until)


def _await_others(
    plan: SweepPlan, study: optuna.Study, progress: Progress, say: Say, until: float
) -> None:
    """Wait while workers that this command does not look after do the rest, unless the sweep stops
    or there is work for its own.
    """
    has_said = False
    while time.monotonic() < until and n_done(counts(study)) < plan.n_trials:
        if not plan.folder.is_dir() or (plan.folder / STOP_FILE).exists():
            return
        settle_lost(study, plan)
        living = living_places(plan)
        has_room = not set(range(plan.options.n_jobs)) <= living
        if not living or (has_room and n_left(study, plan) > 0):
            return
        if (held := _held(study, plan)) and not has_said:
            has_said = True
            say(f"waiting for {held}, which other workers have")
        progress.update()
        time.sleep(_LOOK)


def _await_guests(plan: SweepPlan, study: optuna.Study, progress: Progress) -> None:
    """Wait until guests, who have heard that this is over, have given back their trials."""
    while plan.folder.is_dir() and not (plan.folder / STOP_FILE).exists() and _held(study, plan):
        progress.update()
        time.sleep(_LOOK)
    recover(study, plan)


def _held(study: optuna.Study, plan: SweepPlan) -> str:
    """`trial 3, 5`: those that living workers have; empty if there are none."""
    with asking(plan):
        held = held_trials(plan)
        numbers = [str(t.number) for t in running_trials(study) if t.number in held]
    return f"trial {', '.join(numbers[:_MOST_NAMED])}" if numbers else ""


def _launch(
    plan: SweepPlan,
    study: optuna.Study,
    launch: Launch,
    progress: Progress,
    say: Say,
    is_last: bool,
) -> None:
    """Run the workers as jobs of a Hydra launcher.

    A job that is lost, with those that the launcher ends with it, costs only time: jobs that live
    work on, and what a lost one ran goes back into the queue. `is_last`: this round has to end a
    trial.

    Raises:
        ConfigError: A job was lost and no trial has ended.
    """
    n_before = n_done(counts(study))
    try:
        with _Watch(plan, study, progress, say):
            launch(plan)
    except StudentPerfError:
        raise
    except Exception as error:
        raise_if_stopped(plan.folder)
        with suppress(ConfigError):  # others may live on
            await_workers(plan, SECONDS_OF_DYING)
        n_again = recover(study, plan)
        if is_last and n_done(counts(study)) == n_before and not living_places(plan):
            raise ConfigError(
                f"hydra/launcher: a job has ended and no trial has: {one_line(error)}; correct the "
                "launcher, and the same command goes on"
            ) from error
        again = f"; {plural(n_again, 'trial')} to be run again" if n_again else ""
        say(f"a job of the launcher was lost ({one_line(error)}){again}")


@contextmanager
def _ended_with(
    plan: SweepPlan, study: optuna.Study, launch: Launch | None, say: Say
) -> Iterator[None]:
    """End all workers with what ends the command, but jobs that are to go on; no trial stays
    RUNNING that nobody has.
    """
    try:
        yield
    except BaseException as error:
        if plan.options.detach and isinstance(error, KeyboardInterrupt):
            n = plural(len(living_places(plan)), "worker")
            say(f"hydra.sweeper.detach=true: {n} at work go on; the same command joins them")
            raise
        stop_all(plan, one_line(error))
        if launch is not None:
            with suppress(ConfigError):  # one that still lives holds its trial
                await_workers(plan, _SECONDS_OF_STOPPING)
            recover(study, plan)
        raise


class _Watch:
    """A thread that looks at workers elsewhere while a launcher keeps this one waiting: it shows
    progress, and queues a trial again whose worker is gone.
    """

    def __init__(self, plan: SweepPlan, study: optuna.Study, progress: Progress, say: Say) -> None:
        self._plan, self._study, self._progress, self._say = plan, study, progress, say
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            self._progress.update()
            for number in settle_lost(self._study, self._plan):
                self._say(f"the worker of trial {number} is gone; the trial is to be run again")


def _account(plan: SweepPlan, study: optuna.Study, time_is_up: bool) -> str | None:
    """Why trials that were asked for have not run, None if all have. Raises ConfigError if that was
    not to be, or if all failed.
    """
    by_state = counts(study)
    done = n_done(by_state)
    why: str | None = None
    missing = f"{plan.n_trials - done} of {plan.n_trials} trials have not run"
    best = out_of_patience(study, plan)
    if done < plan.n_trials and best is not None:
        why = (
            f"hydra.sweeper.patience={plan.options.patience}: the best, trial {best}, has not "
            f"improved for so many trials; {missing}. This saves time and tests nothing; raise it, "
            "or hydra.sweeper.n_trials, to go on."
        )
    elif done < plan.n_trials and time_is_up:
        why = (
            f"hydra.sweeper.timeout={plan.options.timeout:g} s is over: {missing}; the same "
            "command runs them, for as long again."
        )
    elif done < plan.n_trials:
        ended = {t.number for t in study.get_trials(deepcopy=False) if t.state.is_finished()}
        numbers = [str(n) for n in range(plan.n_trials) if n not in ended][:_MOST_NAMED]
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: {missing}, though nothing stopped them "
            f"(trial {', '.join(numbers)}); see {plan.folder / LOG_FILE} and run the command again"
        )
    if by_state["fail"] and by_state["fail"] == done:
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: all {by_state['fail']} trials have "
            f"failed; see {plan.folder / LOG_FILE} for the reason and correct it"
        )
    return why or exhausted(plan)
