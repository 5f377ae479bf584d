"""The Optuna study of a sweep: storage that survives a killed process, sampler, pruner, queue."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.compare.outcome import SweepOutcome, load_sweep
from student_perf.errors import ConfigError
from student_perf.masking import masked
from student_perf.runs.layout import holds_record
from student_perf.runs.record import load_record
from student_perf.sweep.distinct import CONFIGURATION, GIVEN, OUTSIDE, Taken, configuration
from student_perf.sweep.growth import has_grown
from student_perf.sweep.places import asking, held_trials, note_trial
from student_perf.sweep.plan import JOURNAL_FILE, SweepPlan, default_values, with_conditions
from student_perf.sweep.plateau import Plateau
from student_perf.sweep.samplers import SAMPLERS, build_pruner
from student_perf.sweep.space import same_value
from student_perf.sweep.storage import DamagedJournalError, open_storage, reading_once

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

STOP_FILE = "stop"  # in the sweep's folder: why all workers are to stop
DEFAULTS = "defaults"
REFERENCE = "reference"  # user attribute: what a finished reference is worth
_QUEUED = "queued"  # user attribute: its values, so that they are not queued twice
CONTRACT = "fingerprints"
MIXED = "mixed"  # user attribute: what changed when `resume=force` went on
FAILED_IN = "failed_in"  # user attribute: the guests that could not run the trial
GROWN = "grown"  # user attribute: what was added to the space, each time
_FEW_TRIALS = 10  # fewer do not tell which parameter mattered


def open_study(plan: SweepPlan, stream: int = 0, *, waits: bool = False) -> optuna.Study:
    """The sweep's study, made if it does not exist.

    Args:
        plan: The sweep's plan.
        stream: Numbers the worker: samplers with equal seeds would all draw the same trials.
        waits: Whether to wait for a database that does not answer yet. One that goes later is
            waited for in any case.
    """
    import optuna

    from student_perf.sweep.patience import Patience

    stop_file = plan.folder / STOP_FILE
    name, seconds = masked(plan.storage), plan.options.storage_wait
    patience = Patience(seconds, plan.folder, name, stop_file.exists)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=plan.study_name,
        storage=open_storage(plan.storage, patience, waits_to_open=waits),
        directions=plan.objectives.directions,
        load_if_exists=True,
        pruner=build_pruner(plan.options.pruner, plan.options.pruner_options),
    )
    # A continued study must not repeat the draws of its first part.
    n_before = len(study.get_trials(deepcopy=False))
    study.sampler = _sampler(plan, (plan.seed * 1_000_003 + 7919 * stream + n_before) % 2**32)
    return study


def load_journal(file: Path, study_name: str) -> optuna.Study | None:
    """The study in a journal, to read only; None if the journal is damaged or holds no such one."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=study_name, storage=open_storage(str(file)))
    except (KeyError, DamagedJournalError):
        return None


def check_contract(study: optuna.Study, plan: SweepPlan) -> list[str]:
    """How the plan differs from the one that the study was made for, if it may go on.

    A new study takes over the plan's fingerprints; one that goes on since its space has grown does
    when its trials are placed in that (`accept_growth`).

    Raises:
        ConfigError: The study was made for another plan.
    """
    known = study.user_attrs.get(CONTRACT)
    if known is None:
        study.set_user_attr(CONTRACT, plan.fingerprints)
        return []
    if plan.options.resume == "never":
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: exists already and resume=never; "
            "give it another name"
        )
    changed = list(differences(known, plan.fingerprints))
    if not changed or (not study.user_attrs.get(MIXED) and has_grown(known, plan)):
        return changed
    if plan.options.resume != "force":
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: cannot be continued, its trials would "
            f"not be comparable ({'; '.join(changed)}); use another hydra.sweeper.study_name, or "
            "hydra.sweeper.resume=force to mix them anyway"
        )
    study.set_user_attr(MIXED, changed)
    return changed


def accept_growth(study: optuna.Study, plan: SweepPlan, changed: list[str]) -> None:
    """Record that the study's trials are in the plan's space now, unless they are mixed."""
    if changed and not study.user_attrs.get(MIXED):
        study.set_user_attr(GROWN, [*study.user_attrs.get(GROWN, []), changed])
        study.set_user_attr(CONTRACT, plan.fingerprints)


def differences(known: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """`split.n_splits was 3, is 4` for each fingerprint that differs; for each of its keys if it
    maps keys to values.
    """
    for name, value in now.items():
        before = known.get(name)
        if not (isinstance(value, Mapping) and isinstance(before, Mapping)):
            before, value = {name: before}, {name: value}
        for key in sorted(before.keys() | value.keys()):
            old, new = (side.get(key, "not there") for side in (before, value))
            if old != new:
                yield f"{key} was {old}, is {new}"


def fill_queue(study: optuna.Study, plan: SweepPlan) -> None:
    """Enqueue what the study is to start with and does not have yet, as after a kill or when more
    trials are asked for: the grid, or the defaults and known good values.
    """
    trials = study.get_trials(deepcopy=False)
    has, taken = {t.user_attrs.get(_QUEUED) for t in trials}, Taken(plan.space)
    taken.update(trials)
    for params, attributes in queue_of(plan):
        text = attributes[_QUEUED]
        if text not in has and not taken.holds(params, attributes.get(OUTSIDE, {})):
            study.enqueue_trial(params, user_attrs=attributes)
            has.add(text)


def queue_of(plan: SweepPlan) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What a study starts with, in order and each once: params by their names in the study, and
    user attributes. One of these, `queued`, is text that tells the configurations apart.
    """
    seen = set()
    for params, attributes in _listed(plan):
        text = configuration(params, attributes.get(OUTSIDE, {}))
        if text not in seen:
            seen.add(text)
            yield params, attributes


def _listed(plan: SweepPlan) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    if plan.is_grid:
        for values in islice(plan.space.grid(), plan.n_trials):
            text = json.dumps(values, sort_keys=True)
            yield plan.space.names(values), {CONFIGURATION: "grid", _QUEUED: text}
        return
    params, attributes = _queued(plan, default_values(plan), DEFAULTS, DEFAULTS)
    if plan.options.custom_search_space or plan.space.lacks(params, attributes[OUTSIDE]):
        del attributes[CONFIGURATION]  # what is left open is drawn
    yield params, attributes
    for number, values in enumerate(plan.options.enqueue):
        text = json.dumps(values, sort_keys=True)
        yield _queued(plan, with_conditions(plan, values), f"enqueue[{number}]", text)


def _queued(
    plan: SweepPlan, values: Mapping[str, Any], origin: str, text: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration from elsewhere. Values outside the space stay as the config has them, which
    makes the trial a reference: it is run and shown, but no sampler learns from it and it cannot
    win.
    """
    space = plan.space
    outside = space.outside(values)
    inside = {key: value for key, value in values.items() if key not in outside}
    attributes = {CONFIGURATION: origin, _QUEUED: text, OUTSIDE: outside}
    return space.names(inside), attributes


def runs_defaults(trial: optuna.Trial, plan: SweepPlan, values: Mapping[str, Any]) -> bool:
    """Whether a trial runs the model's defaults, as far as the space has them: the first of a
    search, or the one of a grid that draws them.
    """
    if trial.user_attrs.get(_QUEUED) == DEFAULTS:
        return True
    own = default_values(plan)
    is_same = own.keys() == values.keys() and all(same_value(own[k], values[k]) for k in own)
    return bool(own) and is_same


def trial_values(trial: optuna.Trial, plan: SweepPlan) -> dict[str, Any]:
    """Config values by key of a trial, drawn or queued; a reference leaves out those that the space
    lacks, which the config has.
    """
    return plan.space.suggest(trial, without=frozenset(trial.user_attrs.get(OUTSIDE, ())))


def swept_values(plan: SweepPlan, study: optuna.Study, number: int) -> dict[str, Any]:
    """Config values by key that a trial ran; those of a custom search space go by their keys."""
    keys = {p.name: p.key for p in plan.space.parameters}
    trial = study.get_trials(deepcopy=False)[number]
    # Of a given 1.0 the study keeps the choice 1, which is equal; the trial ran what was given.
    as_given = trial.system_attrs.get(GIVEN, {})
    ran = {
        k: as_given[k] if k in as_given and as_given[k] == v else v for k, v in trial.params.items()
    }
    return {keys.get(name, name): value for name, value in ran.items()}


def next_trial(
    study: optuna.Study,
    plan: SweepPlan,
    plateau: Plateau | None = None,
    place: int = 0,
    guest: str | None = None,
) -> optuna.Trial | None:
    """Ask for a trial; None if all `n_trials` have been handed out, or patience is over.

    Args:
        study: The sweep's study.
        plan: The sweep's plan.
        plateau: What this worker knows of the study's best, by default nothing yet.
        place: The worker's.
        guest: Its id if it is a guest's, who gets no trial that has failed there.
    """
    plateau = plateau or Plateau(study, plan)
    failed: list[optuna.Trial] = []

    with asking(plan), reading_once(study._storage):
        try:
            while plateau.best_if_over() is None and n_left(study, plan) > 0:
                trial = study.ask()
                if guest is None or guest not in trial.user_attrs.get(FAILED_IN, ()):
                    note_trial(plan, place, trial.number)
                    return trial
                failed.append(trial)
            return None
        finally:
            for trial in failed:
                requeue(study, trial._trial_id)


def n_left(study: optuna.Study, plan: SweepPlan) -> int:
    """How many trials may still be handed out, queued ones among them."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    left = plan.n_trials - len(trials)
    if left <= 0:  # only then count the queue, which takes time
        left += sum(trial.state == TrialState.WAITING for trial in trials)
    return left


def recover(study: optuna.Study, plan: SweepPlan) -> int:
    """Settle trials whose worker is gone; returns how many go back into the queue.

    A trial whose record is complete counts as ended; any other trial is queued again under its
    number with its values, unless a living worker has it.
    """
    n_queued = 0
    if not plan.folder.is_dir():  # somebody has removed it, and the lock would make it anew
        return 0
    with asking(plan):
        for trial in running_trials(study, without=held_trials(plan)):
            if not settle_by_record(study, plan, trial):
                requeue(study, trial._trial_id)
                n_queued += 1
    return n_queued


def running_trials(
    study: optuna.Study, without: Container[int] = ()
) -> list[optuna.trial.FrozenTrial]:
    """The trials that are RUNNING, without those of some numbers."""
    import optuna

    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    return [trial for trial in running if trial.number not in without]


def settle_by_record(study: optuna.Study, plan: SweepPlan, trial: optuna.trial.FrozenTrial) -> bool:
    """Tell the study what the record of a running trial says, if it says that the trial has ended;
    returns whether it does.
    """
    from optuna.trial import TrialState

    folder = plan.folder / str(trial.number)
    record = load_record(folder) if holds_record(folder) else None
    status = record.status if record is not None else "RUNNING"
    if record is not None and status == "FINISHED":
        tell_complete(study, plan, trial, record.metrics)
    elif status == "PRUNED":
        tell(study, trial.number, state=TrialState.PRUNED)
    elif status == "FAILED":
        tell(study, trial.number, state=TrialState.FAIL)
    else:
        return False
    return True


def tell_complete(
    study: optuna.Study,
    plan: SweepPlan,
    trial: optuna.Trial | optuna.trial.FrozenTrial,
    logged: Mapping[str, Any],
) -> None:
    """Tell the study what a finished trial logged, and by how much it breaks the constraints.

    A reference is told as failed, with its values in an attribute: that is the one state of
    Optuna's which neither its samplers nor its best trials take up.
    """
    import optuna

    values = plan.objectives.values(logged)
    if trial.user_attrs.get(OUTSIDE):
        with _told_once(study, trial.number):
            study._storage.set_trial_user_attr(trial._trial_id, REFERENCE, list(values))
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        return
    with _told_once(study, trial.number):
        if excesses := plan.objectives.violations(logged):
            running = optuna.trial.Trial(study, trial._trial_id)  # reads the trial anew
            for name, excess in excesses.items():
                running.set_constraint(name, excess)
        study.tell(trial.number, values)


def tell(study: optuna.Study, number: int, *, state: optuna.trial.TrialState) -> None:
    """Tell the study how a trial without values ended."""
    with _told_once(study, number):
        study.tell(number, state=state)


@contextmanager
def _told_once(study: optuna.Study, number: int) -> Iterator[None]:
    """What the study knows of a trial by now stays: its record says the same, or it runs again."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        yield
    except (ValueError, UpdateFinishedTrialError):
        state = study.get_trials(deepcopy=False)[number].state
        if state == TrialState.RUNNING:
            raise
        log.warning("trial %d is %s already", number, state.name)


def requeue(study: optuna.Study, trial_id: int) -> None:
    """Put a running trial back into the queue, with its number and values."""
    import optuna

    study._storage.set_trial_state_values(trial_id, state=optuna.trial.TrialState.WAITING)


def counts(study: optuna.Study) -> dict[str, int]:
    """Number of trials by state, in lower case; a reference that came to its end is complete."""
    result = dict.fromkeys(("complete", "pruned", "fail", "running", "waiting"), 0)
    for trial in study.get_trials(deepcopy=False):
        result[state_of(trial)] += 1
    return result


def state_of(trial: optuna.trial.FrozenTrial) -> str:
    """State of a trial in lower case; that of a reference which came to its end is `complete`."""
    return "complete" if REFERENCE in trial.user_attrs else trial.state.name.lower()


def n_done(by_state: Mapping[str, int]) -> int:
    """How many of the counted trials have ended, in whatever way."""
    return by_state["complete"] + by_state["pruned"] + by_state["fail"]


def n_outside(study: optuna.Study) -> int:
    """How many trials lie outside the space and take none of its configurations."""
    return sum(bool(t.user_attrs.get(OUTSIDE)) for t in study.get_trials(deepcopy=False))


def complete_trials(study: optuna.Study) -> dict[int, optuna.trial.FrozenTrial]:
    """The trials that are complete, by number."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return {trial.number: trial for trial in complete}


def read_outcome(folder: Path, study: optuna.Study | None = None) -> SweepOutcome:
    """What came of the sweep in a folder, with the importances of its parameters.

    Args:
        folder: The sweep's folder.
        study: Its study; by default the one in the folder's journal. Without either the importances
            are missing.

    Raises:
        ConfigError: The folder is not a sweep's.
    """
    outcome = load_sweep(folder)
    if study is None and (folder / JOURNAL_FILE).is_file():
        study = load_journal(folder / JOURNAL_FILE, outcome.record.name)
    return outcome if study is None else replace(outcome, importances=importances(study))


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each parameter in the differences that the study saw (PED-ANOVA), the largest first;
    empty if fewer than ten trials or equal values say nothing.
    """
    from optuna.importance import get_param_importances
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    def value(trial: optuna.trial.FrozenTrial) -> float:
        return float(trial.values[0])

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < _FEW_TRIALS or len(set(map(value, complete))) < 2:
        return {}
    # Optuna takes the direction from a single objective; of a target less is better.
    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    target = (lambda trial: sign * value(trial)) if len(study.directions) > 1 else None
    with warnings.catch_warnings():  # a warning that few trials say little: shares are a hint
        warnings.simplefilter("ignore", UserWarning)
        try:
            return get_param_importances(study, target=target)
        except (RuntimeError, ValueError):  # no parameter is shared by enough trials
            return {}


def _sampler(plan: SweepPlan, seed: int) -> Any:
    options = dict(plan.options.sampler_options)
    if plan.sampler == "tpe" and plan.space.is_conditional:
        options = {"multivariate": True, "group": True, **options}
    return SAMPLERS[plan.sampler].build({**options, "seed": seed})
