"""A worker: asks for a trial, composes and evaluates it, records it, tells the study; until done.

The same loop runs in every worker process, whoever started it. A trial is on disk before the study
hears of it, so the study knows no trial that is lost.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import OmegaConf

from student_perf.atomic import full_disk, is_full
from student_perf.compare.halved import rungs_of
from student_perf.config.schema import ExperimentConfig
from student_perf.errors import ConfigError, one_line
from student_perf.experiment.records import cv_metrics, make_record
from student_perf.experiment.threads import limited_threads
from student_perf.runs import tags
from student_perf.runs.artifacts import finish_trial, start_trial
from student_perf.runs.layout import holds_record
from student_perf.runs.looks import note_try
from student_perf.runs.record import RunRecord
from student_perf.scoring.metrics import logged_as
from student_perf.sweep.distinct import OUTSIDE, Taken, settle_values
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.halving import climb
from student_perf.sweep.options import load_function
from student_perf.sweep.patience import StorageLostError
from student_perf.sweep.places import drop_note
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.plateau import Plateau
from student_perf.sweep.rebuild import trial_facts
from student_perf.sweep.record import describe_trial
from student_perf.sweep.repeats import describe_repeats
from student_perf.sweep.samplers import HALVING
from student_perf.sweep.settle import fail_trial, give_back, stop_all
from student_perf.sweep.storage import is_file
from student_perf.sweep.study import (
    STOP_FILE,
    n_done,
    next_trial,
    open_study,
    requeue,
    tell,
    tell_complete,
    trial_values,
)

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_SECONDS_OF_REMOVAL = 1.0
_SAME_ERRORS = 3  # at the start, or in a row in a guest; the others would fail the same way


class StopSweep(Exception):  # noqa: N818 (a signal, not an error)
    """Leaves a fold loop because the sweep is to end; the trial goes back into the queue."""


class _Pruned(Exception):  # noqa: N818
    """Leaves a fold loop because the pruner has given the trial up."""


class Slot:
    """What a worker does, in memory that its parent can read while the worker hangs.

    >>> slot = Slot()
    >>> slot.begin(3)
    >>> slot.trial, slot.n_ended
    (3, 0)
    >>> slot.end()
    >>> slot.trial, slot.n_ended
    (None, 1)
    """

    def __init__(self, context: BaseContext | None = None) -> None:
        # The trial, when it began by the monotonic clock, trials ended, whether it is to stop,
        # trials given back.
        empty = [-1.0, 0.0, 0.0, 0.0, 0.0]
        self._cells: Any = empty if context is None else context.RawArray("d", empty)

    def begin(self, number: int) -> None:
        """A trial begins."""
        self._cells[1] = time.monotonic()
        self._cells[0] = number

    def end(self, has_ended: bool = True) -> None:
        """The trial has ended, and the study knows how; or else it was given back."""
        self._cells[2 if has_ended else 4] += 1
        self._cells[0] = -1

    def forget(self) -> None:
        """The trial is about to go back into the queue, from where any worker may take it."""
        self._cells[0] = -1

    def ask_to_stop(self) -> None:
        """Have the worker stop at the end of its fold; called by its parent."""
        self._cells[3] = 1

    @property
    def is_asked_to_stop(self) -> bool:
        """Whether the parent wants the worker to stop."""
        return bool(self._cells[3])

    @property
    def trial(self) -> int | None:
        """Number of the trial that runs."""
        return None if self._cells[0] < 0 else int(self._cells[0])

    @property
    def seconds(self) -> float:
        """How long the trial has run."""
        return time.monotonic() - float(self._cells[1])

    @property
    def n_ended(self) -> int:
        """How many trials have ended."""
        return int(self._cells[2])

    @property
    def n_given_back(self) -> int:
        """How many trials have failed and were given back."""
        return int(self._cells[4])


@dataclass
class Worker:
    """One loop over trials.

    Between folds and between trials it stops if the sweep's stop file exists, `deadline` (seconds
    of the monotonic clock) is over, or `should_stop` or the parent says so; it begins no more than
    `most` trials. `place` and `number` tell workers apart; `slot` shows the parent what it does.
    `guest` is the id of the guest that it works for, if it does. What ends a guest does not end the
    sweep, and what fails in a guest is left to the command's own workers.
    """

    plan: SweepPlan
    number: int = 0
    evaluator: TrialEvaluator = field(default_factory=TrialEvaluator)
    deadline: float = math.inf
    should_stop: Callable[[], bool] = lambda: False
    slot: Slot = field(default_factory=Slot)
    place: int = 0
    most: float = math.inf
    guest: str | None = None

    def run(self) -> None:
        """Work until every trial has been handed out or the sweep is to stop."""
        self._had_record = holds_record(self.plan.folder)
        try:
            self._loop()
        except StorageLostError as error:
            if self.guest is not None:
                raise
            stop_all(self.plan, str(error))
            raise StopSweep from error
        except Exception as error:
            if self._had_record and what_is_removed(self.plan, error):
                raise StopSweep from error  # the command says why, once
            raise

    def _loop(self) -> None:
        study = open_study(self.plan, self.number, waits=True)
        self._errors: list[str] = []
        self._taken = Taken(self.plan.space)
        plateau = Plateau(study, self.plan)
        n_rows = self.evaluator.data(self.plan.base).dataset.n_rows
        with limited_threads(n_rows, self.plan.options.n_jobs):
            while self._n_begun < self.most and not self._must_stop():
                trial = next_trial(study, self.plan, plateau, self.place, self.guest)
                if trial is None:
                    return
                self.slot.begin(trial.number)
                has_ended = self._run_trial(study, trial)
                self.slot.end(has_ended)
                drop_note(self.plan, self.place)
                if self.guest is not None:
                    self._leave_if_all_fail(has_ended)

    @property
    def _n_begun(self) -> int:
        return self.slot.n_ended + self.slot.n_given_back

    def _is_gone(self) -> bool:
        """Whether somebody has removed the sweep's folder; a lock may have made it anew."""
        return self._had_record and not holds_record(self.plan.folder)

    def _is_of_disk(self, error: BaseException) -> bool:
        """Whether every trial would end so, since the disk is full or the folder protected."""
        place = str(getattr(error, "filename", None) or "")
        is_refused = isinstance(error, OSError) and place.startswith(f"{self.plan.folder}{os.sep}")
        return is_full(error) or (is_refused and not isinstance(error, FileNotFoundError))

    def _must_stop(self) -> bool:
        stop_file = self.plan.folder / STOP_FILE
        if stop_file.exists() or self.slot.is_asked_to_stop or self._is_gone():
            return True
        return time.monotonic() > self.deadline or self.should_stop()

    def _run_trial(self, study: optuna.Study, trial: optuna.Trial) -> bool:
        """Whether the trial has ended; a guest gives back one that has failed."""
        from optuna.trial import TrialState

        folder = self.plan.folder / str(trial.number)
        record: RunRecord | None = None
        scored: list[dict[str, float]] = []
        try:
            settle_values(study, self.plan, trial, self._taken)
            values = trial_values(trial, self.plan)
            if self.plan.options.custom_search_space:
                values |= self._custom_values(trial, values)
            configs = self.plan.configs(values, trial.number)
            config, data = configs[0], self.evaluator.data(*configs)
            record = make_record(config, folder, data, kind="trial")
            describe_repeats(record, configs)
            describe_trial(record, self.plan, trial, values)
            record.optuna = trial_facts(study, trial._trial_id)
            start_trial(record, config)
            self._climb(study, trial, values, configs)
            result = self.evaluator.evaluate(*configs, on_fold=self._fold_watcher(trial, scored))
            metrics = cv_metrics(result, self.plan.objectives.names)
            self.plan.objectives.values(metrics)  # raises if the trial cannot be ranked
        except StopSweep:
            self._put_back(study, trial)
            raise
        except _Pruned:
            assert record is not None
            record.optuna = trial_facts(study, trial._trial_id)  # with the folds' values
            _prune(record, scored, self.plan.rungs)
            tell(study, trial.number, state=TrialState.PRUNED)
        except StorageLostError:
            raise
        except BaseException as error:  # Ctrl-C does not reach a worker, so this is the model's own
            if self._is_gone() or self._is_of_disk(error):
                raise
            return self._fail(study, trial, record, error)
        else:
            record.metrics = metrics
            if self.plan.options.pruner != "none":
                record.optuna = trial_facts(study, trial._trial_id)  # with the folds' values
            finish_trial(record, data.dataset, result)
            tell_complete(study, self.plan, trial, metrics)
        return True

    def _put_back(self, study: optuna.Study, trial: optuna.Trial) -> None:
        """Queue the trial again, as the sweep stops or the guest leaves."""
        if not self._is_gone():
            self.slot.forget()  # first, or the parent could settle what another worker runs
            requeue(study, trial._trial_id)
            drop_note(self.plan, self.place)

    def _climb(
        self,
        study: optuna.Study,
        trial: optuna.Trial,
        values: Mapping[str, Any],
        configs: Sequence[ExperimentConfig],
    ) -> None:
        """The samples of halving before the folds. Raises _Pruned or StopSweep."""
        for goes_on in climb(study, self.plan, trial, values, configs, self.evaluator):
            if not goes_on:
                raise _Pruned
            if self._must_stop():
                raise StopSweep

    def _fold_watcher(
        self, trial: optuna.Trial, scored: list[dict[str, float]]
    ) -> Callable[[int, dict[str, float]], None]:
        """Reports folds, and ends the trial if the pruner or the sweep says so."""
        metric = self.plan.base.objective.metric
        # A reference is there to be compared, so nothing gives it up; halving judges before.
        pruner = self.plan.options.pruner
        if pruner == HALVING or trial.user_attrs.get(OUTSIDE):
            pruner = "none"

        def watch(done: int, scores: dict[str, float]) -> None:
            scored.append(scores)
            if pruner != "none":
                # The Wilcoxon test pairs single folds; the others compare running means.
                so_far = [s[metric] for s in scored]
                value = so_far[-1] if pruner == "wilcoxon" else float(np.mean(so_far))
                trial.report(value, done - 1)
                if trial.should_prune():
                    raise _Pruned
            if self._must_stop():
                raise StopSweep

        return watch

    def _custom_values(self, trial: optuna.Trial, values: dict[str, Any]) -> dict[str, Any]:
        """What the user's own function draws, given the config so far: config values by key."""
        extend = load_function(self.plan.options.custom_search_space or "")
        known = set(trial.params)
        extend(OmegaConf.create(self.plan.composer.compose(values, trial.number).composed), trial)
        return {key: value for key, value in trial.params.items() if key not in known}

    def _fail(
        self,
        study: optuna.Study,
        trial: optuna.Trial,
        record: RunRecord | None,
        error: BaseException,
    ) -> bool:
        """Whether the trial has ended with its error."""
        line = one_line(error)
        log.error("trial %d failed", trial.number, exc_info=error)
        self._errors.append(line)
        if self.guest is not None:
            self.slot.forget()
            give_back(study, trial, self.guest)
            return False
        by_state = fail_trial(study, self.plan, trial, record, line)
        if by_state["fail"] == n_done(by_state) and self._errors == [line] * _SAME_ERRORS:
            stop_all(
                self.plan,
                f"the first {_SAME_ERRORS} trials all failed with: {line}; fix the cause and run "
                "the command again",
            )
        return True

    def _leave_if_all_fail(self, has_ended: bool) -> None:
        """Raise ConfigError in a guest in which trial after trial fails the same way.

        Args:
            has_ended: Whether the last one came to its end.
        """
        if has_ended:
            self._errors.clear()
        last = self._errors[-_SAME_ERRORS:]
        if len(last) == _SAME_ERRORS and len(set(last)) == 1:
            raise ConfigError(
                f"its last {_SAME_ERRORS} trials all failed with: {last[0]}; correct what differs "
                "on this machine, and start the worker again"
            )


def _prune(record: RunRecord, scored: list[dict[str, float]], rungs: Sequence[int]) -> None:
    """End the record of a trial that was given up; it was tried all the same. One that halving
    stopped has no metrics, since what it scored on a sample is none.

    Args:
        record: Of the trial, with what the study knows of it.
        scored: The scores of its folds.
        rungs: Of the plan.
    """
    record.metrics = {
        logged_as(name, "folds"): [scores[name] for scores in scored]
        for name in (scored[0] if scored else ())
    }
    if (known := rungs_of(record)) and not scored:
        n_rows = known["rows"][-1]
        record.tags[tags.ENDED] = (
            f"stopped on a sample, {n_rows:,} of {rungs[-1]:,} training rows; it has no score"
        )
    record.prune()
    note_try(record)


def what_is_removed(plan: SweepPlan, error: Exception | None = None) -> Path | None:
    """The sweep's folder or its journal, if somebody has removed it, maybe with this error."""
    if isinstance(error, FileNotFoundError):
        time.sleep(_SECONDS_OF_REMOVAL)  # its record may be the last file to go
    if not holds_record(plan.folder):
        return plan.folder
    journal = Path(plan.storage)
    return journal if is_file(plan.storage) and not journal.is_file() else None


def deadline(plan: SweepPlan) -> float:
    """When workers that start now have to stop, by the monotonic clock."""
    return time.monotonic() + (plan.options.timeout or math.inf)


def raise_if_stopped(folder: Path) -> None:
    """Raise ConfigError, or DiskError, with the reason if the sweep stopped by itself."""
    file = folder / STOP_FILE
    if not file.is_file():
        return
    if reason := file.read_text(encoding="utf-8"):
        raise ConfigError(f"sweep stopped: {reason}")
    raise full_disk(folder)
