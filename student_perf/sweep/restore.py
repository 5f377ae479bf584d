"""Finished trials whose folders are gone: run again, or recorded again from the study."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from student_perf.config.schema import ExperimentConfig
from student_perf.errors import one_line
from student_perf.experiment.records import cv_metrics, make_record
from student_perf.experiment.threads import limited_threads
from student_perf.runs.artifacts import finish_trial, start_trial
from student_perf.runs.layout import holds_record
from student_perf.runs.record import RunRecord
from student_perf.sweep.distinct import OUTSIDE
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.rebuild import trial_facts
from student_perf.sweep.record import describe_trial
from student_perf.sweep.repeats import describe_repeats
from student_perf.sweep.study import state_of, swept_values

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)

_ENDED = ("complete", "pruned", "fail")
_GONE = "its folder was removed; recorded again from the study"


def restore_trials(
    plan: SweepPlan, study: optuna.Study, evaluator: TrialEvaluator, say: Callable[[str], None]
) -> None:
    """Give every trial that ended in the study a folder again; `say` gets one line for each that
    had none. A complete one is run again, so that its predictions are there.
    """
    for trial in study.get_trials(deepcopy=False):
        if state_of(trial) in _ENDED and not holds_record(plan.folder / str(trial.number)):
            say(_restore(plan, study, evaluator, trial))


def _restore(
    plan: SweepPlan, study: optuna.Study, evaluator: TrialEvaluator, trial: FrozenTrial
) -> str:
    values = swept_values(plan, study, trial.number)
    configs = plan.configs(values, trial.number)
    config, data = configs[0], evaluator.data(*configs)
    record = make_record(config, plan.folder / str(trial.number), data, kind="trial")
    described = {k: v for k, v in values.items() if k not in trial.user_attrs.get(OUTSIDE, ())}
    describe_trial(record, plan, trial, described)
    describe_repeats(record, configs)
    record.optuna = trial_facts(study, trial._trial_id)
    start_trial(record, config)
    state = state_of(trial)
    if state == "pruned":
        record.error = _GONE
        record.prune()
    elif state == "fail":
        record.fail(f"unknown: {_GONE}")
    else:
        return _run_again(plan, evaluator, record, configs)
    return f"Trial {trial.number}, {record.status}: {_GONE}."


def _run_again(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    record: RunRecord,
    configs: Sequence[ExperimentConfig],
) -> str:
    data = evaluator.data(*configs)
    what = f"Trial {record.trial_number}: its folder was removed"
    try:
        with limited_threads(data.dataset.n_rows):
            result = evaluator.evaluate(*configs)
        record.metrics = cv_metrics(result, plan.objectives.names)
        finish_trial(record, data.dataset, result)
    except Exception as error:
        log.error("trial %s failed", record.trial_number, exc_info=error)
        record.fail(one_line(error))
        return f"{what}; run again, it failed: {one_line(error)}"
    return f"{what}; it was run again."
