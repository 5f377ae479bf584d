"""How a trial ends that came to no result: its own error, or the end of the process it ran in."""

from __future__ import annotations

import logging
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

from student_perf.masking import masked
from student_perf.runs import tags
from student_perf.runs.layout import holds_record
from student_perf.runs.record import RunRecord, load_record
from student_perf.sweep.places import asking, drop_note, held_trials, noted_trial
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.rebuild import trial_facts
from student_perf.sweep.record import describe_trial
from student_perf.sweep.study import (
    FAILED_IN,
    STOP_FILE,
    counts,
    requeue,
    running_trials,
    settle_by_record,
    tell,
)

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_MOST_DEATHS = 2  # of workers in one trial: the first may have been an accident
_DEATHS = "ended_workers"  # user attribute: how many workers have ended in the trial


def fail_trial(
    study: optuna.Study,
    plan: SweepPlan,
    trial: optuna.Trial | optuna.trial.FrozenTrial,
    record: RunRecord | None,
    line: str,
) -> dict[str, int]:
    """Record a trial as FAILED for a reason, and stop the sweep if too many have failed.

    Args:
        study: The study.
        plan: The sweep's plan.
        trial: The trial, which is RUNNING.
        record: Its record; None if it has none yet.
        line: The reason.

    Returns:
        The number of trials by state.
    """
    from optuna.trial import TrialState

    record = record or _bare_record(plan, trial)
    record.optuna = trial_facts(study, trial._trial_id)
    record.fail(line)
    tell(study, trial.number, state=TrialState.FAIL)
    by_state = counts(study)
    share = plan.options.max_failure_rate
    if by_state["fail"] > share * plan.n_trials:
        stop_all(
            plan,
            f"hydra.sweeper.max_failure_rate={share}: {by_state['fail']} of {plan.n_trials} "
            f"trials have failed (last: {line}); fix the cause, or allow more failures, and run "
            "the command again",
        )
    return by_state


def give_back(
    study: optuna.Study, trial: optuna.Trial | optuna.trial.FrozenTrial, guest: str
) -> None:
    """Queue a trial again that failed in a guest, for the others: the cause may be its machine."""
    failed_in = [*trial.user_attrs.get(FAILED_IN, ()), guest]
    study._storage.set_trial_user_attr(trial._trial_id, FAILED_IN, failed_in)
    requeue(study, trial._trial_id)


def settle_death(
    study: optuna.Study, plan: SweepPlan, number: int, cause: str, guest: str | None = None
) -> bool:
    """Settle a trial whose worker's process has ended in it: it is tried once more, then FAILED;
    given back if that was in a guest. Returns whether it is in the queue again.

    The study keeps the count, so that the next start of the command knows of it.
    """
    trial = _running(study, number)
    if trial is None or settle_by_record(study, plan, trial):
        return False
    log.error("trial %d: %s", number, cause)
    if guest is not None:
        give_back(study, trial, guest)
        return True
    deaths = trial.user_attrs.get(_DEATHS, 0) + 1
    study._storage.set_trial_user_attr(trial._trial_id, _DEATHS, deaths)
    if deaths < _MOST_DEATHS:
        requeue(study, trial._trial_id)
        return True
    fail_trial(study, plan, trial, _known_record(plan, number), f"{cause} in trial {number}")
    return False


def settle_lost(study: optuna.Study, plan: SweepPlan) -> list[int]:
    """Settle, as after a death, the trials whose worker is gone with the process that looked after
    it; returns the numbers of those that are tried again.
    """
    if not plan.folder.is_dir():
        return []
    with asking(plan):
        lost = running_trials(study, without=held_trials(plan))
        for trial in lost:
            settle_death(study, plan, trial.number, "worker is gone, with what looked after it,")
    now = study.get_trials(deepcopy=False)
    return [one.number for one in lost if now[one.number].state.name == "WAITING"]


def settle_excess(
    study: optuna.Study, plan: SweepPlan, number: int, reason: str, guest: str | None = None
) -> bool:
    """Fail a trial whose worker was ended because the trial broke a limit; a guest gives it back,
    since its machine may be slower. Returns whether it is in the queue again.
    """
    trial = _running(study, number)
    if trial is None or settle_by_record(study, plan, trial):
        return False
    log.error("trial %d: %s", number, reason)
    if guest is not None:
        give_back(study, trial, guest)
        return True
    fail_trial(study, plan, trial, _known_record(plan, number), reason)
    return False


def settle_stopped(study: optuna.Study, plan: SweepPlan, number: int) -> None:
    """Put a trial back into the queue whose worker was ended with the sweep."""
    trial = _running(study, number)
    if trial is not None and not settle_by_record(study, plan, trial):
        requeue(study, trial._trial_id)


def settle_noted(study: optuna.Study, plan: SweepPlan, place: int) -> None:
    """Put the trial back into the queue that a worker, which has ended, was giving back itself: its
    note names it, and no living worker has it.
    """
    if not plan.folder.is_dir():
        return
    with asking(plan):
        number = noted_trial(plan, place)
        drop_note(plan, place)
        if number is not None and number not in held_trials(plan):
            settle_stopped(study, plan, number)


def stop_all(plan: SweepPlan, reason: str) -> None:
    """Tell every worker, and the command, why the sweep ends here; the first reason counts."""
    file = plan.folder / STOP_FILE
    with suppress(FileExistsError):
        file.touch(exist_ok=False)
        with suppress(OSError):  # of a full disk, which an empty file stands for
            file.write_text(masked(reason), encoding="utf-8")


def _running(study: optuna.Study, number: int) -> optuna.trial.FrozenTrial | None:
    """The trial, unless its worker has told the study what became of it."""
    from optuna.trial import TrialState

    trial = study.get_trials(deepcopy=False)[number]
    return trial if trial.state == TrialState.RUNNING else None


def _known_record(plan: SweepPlan, number: int) -> RunRecord | None:
    folder = plan.folder / str(number)
    return load_record(folder) if holds_record(folder) else None


def _bare_record(plan: SweepPlan, trial: optuna.Trial | optuna.trial.FrozenTrial) -> RunRecord:
    """Record of a trial without a valid config."""
    folder = plan.folder / str(trial.number)
    folder.mkdir(parents=True, exist_ok=True)
    values = {str(key): str(value) for key, value in trial.params.items()}
    known = {tags.KIND: "trial", tags.RECORD_ID: uuid.uuid4().hex}
    record = RunRecord(folder, f"trial-{trial.number}", "trial", {"model.name": "?"}, known)
    describe_trial(record, plan, trial, values)
    return record
