"""A worker: asks for a trial, composes and evaluates it, records it, tells the study; until done.

The same loop runs in the sweep's own process, in forked ones, and in the jobs of any Hydra
launcher. A trial is on disk before the study hears of it, so the study knows no trial that is lost.
"""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from threadpoolctl import threadpool_limits

from student_perf.config.load import register_resolvers
from student_perf.errors import ConfigError, one_line
from student_perf.experiment.prepare import useful_threads
from student_perf.experiment.records import cv_metrics, make_record
from student_perf.runs import tags
from student_perf.runs.artifacts import finish_trial, start_trial
from student_perf.runs.layout import holds_record
from student_perf.runs.record import RunRecord
from student_perf.scoring.metrics import logged_as
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.options import load_function
from student_perf.sweep.patience import StorageLostError
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.rebuild import trial_facts
from student_perf.sweep.record import describe_trial
from student_perf.sweep.storage import is_file
from student_perf.sweep.study import (
    OUTSIDE,
    STOP_FILE,
    counts,
    n_done,
    next_trial,
    open_study,
    requeue,
    tell_complete,
    trial_values,
)

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_SECONDS_OF_REMOVAL = 1.0
_SAME_ERRORS = 3  # at the start; the other trials would fail the same way


class StopSweep(Exception):  # noqa: N818 (a signal, not an error)
    """Leaves a fold loop because the sweep is to end; the trial goes back into the queue."""


class _Pruned(Exception):  # noqa: N818
    """Leaves a fold loop because the pruner has given the trial up."""


@dataclass
class Worker:
    """One loop over trials.

    Between folds and between trials it stops if the sweep's stop file exists, `deadline` (seconds
    since the epoch) is over, or `should_stop` says so. `number` tells workers apart; `on_trial` is
    called after each trial.
    """

    plan: SweepPlan
    number: int = 0
    evaluator: TrialEvaluator = field(default_factory=TrialEvaluator)
    deadline: float = math.inf
    should_stop: Callable[[], bool] = lambda: False
    on_trial: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Work until every trial has been handed out or the sweep is to stop."""
        self._had_record = holds_record(self.plan.folder)
        try:
            self._loop()
        except StorageLostError as error:
            self._stop_all(str(error))
            raise StopSweep from error
        except Exception as error:
            if self._had_record and what_is_removed(self.plan, error):
                raise StopSweep from error  # the command says why, once
            raise

    def _loop(self) -> None:
        study = open_study(self.plan, self.number, waits=True)
        self._errors: list[str] = []
        n_rows = self.evaluator.data(self.plan.base).dataset.n_rows
        with threadpool_limits(max(1, useful_threads(n_rows) // self.plan.options.n_jobs)):
            while not self._must_stop():
                trial = next_trial(study, self.plan)
                if trial is None:
                    return
                self._run_trial(study, trial)
                self.on_trial()

    def _is_gone(self) -> bool:
        """Whether somebody has removed the sweep's folder; a lock may have made it anew."""
        return self._had_record and not holds_record(self.plan.folder)

    def _must_stop(self) -> bool:
        stop_file = self.plan.folder / STOP_FILE
        if stop_file.exists() or self._is_gone():
            return True
        return time.time() > self.deadline or self.should_stop()

    def _run_trial(self, study: optuna.Study, trial: optuna.Trial) -> None:
        from optuna.trial import TrialState

        folder = self.plan.folder / str(trial.number)
        record: RunRecord | None = None
        scored: list[dict[str, float]] = []
        try:
            values = trial_values(trial, self.plan)
            if self.plan.options.custom_search_space:
                values |= self._custom_values(trial, values)
            config = self.plan.composer.compose(values)
            data = self.evaluator.data(config)
            record = make_record(config, folder, data, kind="trial")
            describe_trial(record, self.plan, trial, values)
            record.optuna = trial_facts(study, trial._trial_id)
            start_trial(record, config)
            result = self.evaluator.evaluate(config, self._fold_watcher(trial, scored))
            metrics = cv_metrics(result, self.plan.objectives.names)
            self.plan.objectives.values(metrics)  # raises if the trial cannot be ranked
        except (StopSweep, KeyboardInterrupt):
            if not self._is_gone():
                requeue(study, trial._trial_id)
            raise
        except _Pruned:
            assert record is not None
            record.optuna = trial_facts(study, trial._trial_id)  # with the folds' values
            record.metrics = {
                logged_as(name, "folds"): [scores[name] for scores in scored] for name in scored[0]
            }
            record.prune()
            study.tell(trial, state=TrialState.PRUNED)
        except StorageLostError:
            raise
        except Exception as error:
            if self._is_gone():
                raise
            self._fail(study, trial, record, error)
        else:
            record.metrics = metrics
            if self.plan.options.pruner != "none":
                record.optuna = trial_facts(study, trial._trial_id)  # with the folds' values
            finish_trial(record, data.dataset, result)
            tell_complete(study, self.plan, trial, metrics)

    def _fold_watcher(
        self, trial: optuna.Trial, scored: list[dict[str, float]]
    ) -> Callable[[int, dict[str, float]], None]:
        """Reports folds, and ends the trial if the pruner or the sweep says so."""
        metric = self.plan.base.objective.metric
        # A reference is there to be compared, so nothing gives it up.
        pruner = "none" if trial.user_attrs.get(OUTSIDE) else self.plan.options.pruner

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
        extend(OmegaConf.create(self.plan.composer.compose(values).composed), trial)
        return {key: value for key, value in trial.params.items() if key not in known}

    def _fail(
        self, study: optuna.Study, trial: optuna.Trial, record: RunRecord | None, error: Exception
    ) -> None:
        from optuna.trial import TrialState

        line = one_line(error)
        log.error("trial %d failed", trial.number, exc_info=error)
        if record is None:
            record = self._bare_record(trial)
        record.fail(line)
        study.tell(trial, state=TrialState.FAIL)
        self._errors.append(line)
        by_state = counts(study)
        share = self.plan.options.max_failure_rate
        if by_state["fail"] > share * self.plan.n_trials:
            self._stop_all(
                f"hydra.sweeper.max_failure_rate={share}: {by_state['fail']} of "
                f"{self.plan.n_trials} trials have failed (last: {line}); fix the cause, or allow "
                "more failures, and run the command again"
            )
        elif by_state["fail"] == n_done(by_state) and self._errors == [line] * _SAME_ERRORS:
            self._stop_all(
                f"the first {_SAME_ERRORS} trials all failed with: {line}; fix the cause and run "
                "the command again"
            )

    def _bare_record(self, trial: optuna.Trial) -> RunRecord:
        """Record of a trial without a valid config."""
        folder = self.plan.folder / str(trial.number)
        folder.mkdir(parents=True, exist_ok=True)
        values = {str(key): str(value) for key, value in trial.params.items()}
        known = {tags.KIND: "trial", tags.RECORD_ID: uuid.uuid4().hex}
        record = RunRecord(folder, f"trial-{trial.number}", "trial", {"model.name": "?"}, known)
        describe_trial(record, self.plan, trial, values)
        record.optuna = trial_facts(trial.study, trial._trial_id)
        return record

    def _stop_all(self, reason: str) -> None:
        """Tell every worker, and the command, why the sweep ends here; the first reason counts."""
        with (
            suppress(FileExistsError),
            (self.plan.folder / STOP_FILE).open("x", encoding="utf-8") as file,
        ):
            file.write(reason)


@dataclass
class RemoteWorker:
    """Task function of a worker job that a Hydra launcher starts, maybe on another machine."""

    plan: SweepPlan

    def __call__(self, cfg: DictConfig) -> None:
        """Run the loop; `cfg` is the sweep's base config, which the plan holds too."""
        register_resolvers()
        number = int(HydraConfig.get().job.num)
        with suppress(StopSweep):
            Worker(self.plan, number, deadline=deadline(self.plan)).run()


def what_is_removed(plan: SweepPlan, error: Exception | None = None) -> Path | None:
    """The sweep's folder or its journal, if somebody has removed it, maybe with this error."""
    if isinstance(error, FileNotFoundError):
        time.sleep(_SECONDS_OF_REMOVAL)  # its record may be the last file to go
    if not holds_record(plan.folder):
        return plan.folder
    journal = Path(plan.storage)
    return journal if is_file(plan.storage) and not journal.is_file() else None


def deadline(plan: SweepPlan) -> float:
    """When workers that start now have to stop, in seconds since the epoch."""
    return time.time() + (plan.options.timeout or math.inf)


def raise_if_stopped(folder: Path) -> None:
    """Raise ConfigError with the reason if the sweep stopped by itself."""
    file = folder / STOP_FILE
    if file.is_file():
        raise ConfigError(f"sweep stopped: {file.read_text(encoding='utf-8')}")
