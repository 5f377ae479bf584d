"""A study that is damaged or lost, rebuilt from the records of its trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.errors import ConfigError
from student_perf.masking import masked
from student_perf.runs.layout import holds_record, trial_numbers
from student_perf.runs.record import RunRecord, load_record
from student_perf.sweep.distinct import OUTSIDE, configuration, given
from student_perf.sweep.growth import placed, without_hashes
from student_perf.sweep.places import await_workers, living_places
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.storage import DamagedJournalError, is_file, mend_journal, set_aside
from student_perf.sweep.study import (
    CONTRACT,
    MIXED,
    REFERENCE,
    accept_growth,
    check_contract,
    open_study,
    queue_of,
)
from student_perf.text import plural

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, TrialState

_OF_STUDY = "study_attrs"  # what a sampler counts for the whole study


def trial_facts(study: optuna.Study, trial_id: int) -> dict[str, Any]:
    """What the study knows of a trial and its record does not say elsewhere, as data by which
    `open_whole_study` makes the trial anew.
    """
    from optuna.distributions import distribution_to_json

    frozen = study._storage.get_trial(trial_id)
    counted = study._storage.get_study_system_attrs(study._study_id).items()
    return {
        # As Optuna stores them: a choice as its place, which JSON can hold whatever it is.
        "params": {
            k: d.to_internal_repr(frozen.params[k]) for k, d in frozen.distributions.items()
        },
        "distributions": {k: distribution_to_json(d) for k, d in frozen.distributions.items()},
        "user_attrs": frozen.user_attrs,
        "system_attrs": dict(frozen.system_attrs),
        "intermediate_values": {str(k): v for k, v in frozen.intermediate_values.items()},
        _OF_STUDY: {name: value for name, value in counted if isinstance(value, int)},
    }


def open_whole_study(plan: SweepPlan, say: Callable[[str], None]) -> optuna.Study:
    """The sweep's study with all the trials that its folder holds, checked against the plan.

    A journal that is damaged or lost is rebuilt from their records, a database if
    `hydra.sweeper.resume=records` asks for that; not while a worker is at work.

    Args:
        plan: The sweep's plan.
        say: Gets one line if the study was rebuilt.

    Raises:
        ConfigError: The study was made for another plan, its database lacks trials, or the records
            cannot replace it.
    """
    was_there = not is_file(plan.storage) or Path(plan.storage).is_file()
    if not was_there:
        await_workers(plan)  # of the lost one
    try:
        if is_file(plan.storage):
            mend_journal(Path(plan.storage))
        study = open_study(plan)
    except DamagedJournalError:
        return _rebuilt_study(plan, "could not be read", say)
    if not living_places(plan) and _lacks_trials(study, plan.folder):
        if not is_file(plan.storage):
            _prepare_database(study, plan)
        elif not was_there:
            Path(plan.storage).unlink()  # the new one, which is empty
        return _rebuilt_study(plan, "lacked trials" if was_there else "was lost", say)
    changed = check_contract(study, plan)
    if changed and study.user_attrs[CONTRACT]["space"] != plan.fingerprints["space"]:
        return _placed_study(study, plan, changed, say)
    return study


def _placed_study(
    study: optuna.Study, plan: SweepPlan, changed: list[str], say: Callable[[str], None]
) -> optuna.Study:
    """The study made anew in the plan's space, from the records of its trials."""
    import optuna

    await_workers(plan)
    attributes = study.user_attrs
    known = _known_records(plan)
    if is_file(plan.storage):
        set_aside(Path(plan.storage), "replaced")
    else:
        optuna.delete_study(study_name=plan.study_name, storage=study._storage)
    study = open_study(plan)
    for name, value in attributes.items():
        study.set_user_attr(name, value)
    _add_trials(study, plan, known)
    accept_growth(study, plan, changed)
    what = "is another one" if study.user_attrs.get(MIXED) else "has grown"
    say(f"The space {what} ({without_hashes(changed)}); what is known is not run again.")
    return open_study(plan)


def _lacks_trials(study: optuna.Study, folder: Path) -> bool:
    """Whether a trial of the folder is not in the study, or ended there while it waits here."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    if any(n >= len(trials) and holds_record(folder / str(n)) for n in trial_numbers(folder)):
        return True
    waiting = (t.number for t in trials if t.state == TrialState.WAITING)
    there = (folder / str(number) for number in waiting)
    return any(load_record(path).status != "RUNNING" for path in there if holds_record(path))


def _prepare_database(study: optuna.Study, plan: SweepPlan) -> None:
    """Make room for the rebuilt study. Raises ConfigError if nobody asked for it."""
    import optuna

    if plan.options.resume != "records":
        raise ConfigError(
            f"hydra.sweeper.storage={masked(plan.storage)}: lacks trials of {plan.study_name} that "
            f"are in {plan.folder}; bring that database back, or have the study rebuilt from their "
            "records: hydra.sweeper.resume=records"
        )
    optuna.delete_study(study_name=plan.study_name, storage=study._storage)


def _rebuilt_study(plan: SweepPlan, why: str, say: Callable[[str], None]) -> optuna.Study:
    await_workers(plan)
    known = _known_records(plan)
    _check_resume(plan, known)
    kept = set_aside(Path(plan.storage)) if is_file(plan.storage) else None
    study = open_study(plan)
    if holds_record(plan.folder):
        for name, value in load_record(plan.folder).optuna.items():
            study.set_user_attr(name, value)
    changed = check_contract(study, plan)
    _add_trials(study, plan, known)
    accept_growth(study, plan, changed)
    name = Path(plan.storage).name if is_file(plan.storage) else f"The study {plan.study_name}"
    aside = f" (kept as {kept.name})" if kept is not None else ""
    say(f"{name} {why}{aside}: rebuilt from the records of {plural(len(known), 'trial')}.")
    return open_study(plan)  # whose sampler counts the trials that are there now


def _known_records(plan: SweepPlan) -> dict[int, RunRecord]:
    """The records of the sweep's trials, by number."""
    folders = {number: plan.folder / str(number) for number in trial_numbers(plan.folder)}
    return {number: load_record(path) for number, path in folders.items() if holds_record(path)}


def _check_resume(plan: SweepPlan, known: Mapping[int, RunRecord]) -> None:
    if known and plan.options.resume == "never":
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: exists already and resume=never; "
            "give it another name"
        )
    old = next((record for record in known.values() if not record.optuna), None)
    if old is not None:
        raise ConfigError(
            f"{old.folder}: an earlier version wrote this record, by which no study can be "
            f"rebuilt; bring {plan.storage} back, or move {plan.folder} away to start over"
        )


def _add_trials(study: optuna.Study, plan: SweepPlan, known: Mapping[int, RunRecord]) -> None:
    """Trials in the order of their numbers; a number without a record is queued again, as is one
    that has not ended and lies outside the space.
    """
    trials = {number: _rebuilt_trial(plan, record) for number, record in known.items()}
    kept = {n: t for n, t in trials.items() if not _is_lost(t, known[n])}
    held = {trial.user_attrs.get("queued") for trial in kept.values()}
    taken = {configuration(*given(trial)) for trial in kept.values()}
    queue = [
        (params, attributes)
        for params, attributes in queue_of(plan)
        if attributes["queued"] not in held
        and configuration(params, attributes.get(OUTSIDE, {})) not in taken
    ]
    for number in range(max(known, default=-1) + 1):
        if number in kept:
            study.add_trial(kept[number])
        else:
            params, attributes = queue.pop(0) if queue else ({}, {})
            study.enqueue_trial(params, user_attrs=attributes)
    for name, value in _counted(known.values()).items():
        study._storage.set_study_system_attr(study._study_id, name, value)


def _is_lost(trial: FrozenTrial, record: RunRecord) -> bool:
    """Whether a trial still waits that has become a reference since its values were drawn."""
    became = bool(trial.user_attrs.get(OUTSIDE)) and not record.outside
    return became and not trial.state.is_finished()


def _counted(records: Iterable[RunRecord]) -> dict[str, int]:
    """What a sampler counts for the whole study: the highest that a trial has seen."""
    counted: dict[str, int] = {}
    for record in records:
        for name, value in record.optuna[_OF_STUDY].items():
            counted[name] = max(value, counted.get(name, value))
    return counted


def _rebuilt_trial(plan: SweepPlan, record: RunRecord) -> FrozenTrial:
    """The trial as the study had it: drawn values, fold values, state, limits, times."""
    import optuna

    facts, known = record.optuna, placed(plan, record)
    folds = {
        int(step): math.nan if value is None else value
        for step, value in facts["intermediate_values"].items()
    }
    state, told = _told(plan, record, folds, known["user_attrs"])
    trial = optuna.trial.create_trial(state=state, intermediate_values=folds, **{**known, **told})
    if state.is_finished():
        trial.datetime_start = datetime.fromtimestamp(record.started)
        trial.datetime_complete = datetime.fromtimestamp(record.ended or record.started)
    return trial


def _told(
    plan: SweepPlan,
    record: RunRecord,
    folds: Mapping[int, float],
    attributes: Mapping[str, Any],
) -> tuple[TrialState, dict[str, Any]]:
    """State of a trial by its record, and what the study heard at its end."""
    from optuna.trial import TrialState

    if record.status == "FAILED":
        return TrialState.FAIL, {}
    if record.status == "PRUNED":
        return TrialState.PRUNED, {"value": folds[max(folds)]} if folds else {}
    if record.status != "FINISHED":
        return TrialState.WAITING, {}
    values = plan.objectives.values(record.metrics)
    if attributes.get(OUTSIDE):
        return TrialState.FAIL, {"user_attrs": {**attributes, REFERENCE: list(values)}}
    limits = plan.objectives.violations(record.metrics)
    return TrialState.COMPLETE, {"values": list(values), "constraints": limits or None}
