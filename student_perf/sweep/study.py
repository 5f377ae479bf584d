"""The Optuna study of a sweep: storage that survives a killed process, sampler, pruner, queue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from student_perf.errors import ConfigError, one_line
from student_perf.sweep.plan import HISTORY, SweepPlan, default_values
from student_perf.tracking.record import RECORD_FILE, load_record

if TYPE_CHECKING:
    import optuna

DEFAULTS = "defaults"
_CONFIGURATION = "configuration"  # user attribute: where an enqueued trial comes from
_CONTRACT = "fingerprints"


def open_study(plan: SweepPlan, stream: int = 0) -> optuna.Study:
    """The sweep's study, made where it does not exist.

    `stream` numbers the worker: samplers with equal seeds would all draw the same trials.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=plan.study_name,
        storage=_storage(plan.storage),
        directions=plan.objectives.directions,
        load_if_exists=True,
        pruner=_pruner(plan),
    )
    # A continued study must not repeat the draws of its first part.
    n_before = len(study.get_trials(deepcopy=False))
    study.sampler = _sampler(plan, (plan.seed * 1_000_003 + 7919 * stream + n_before) % 2**32)
    return study


def load_journal(file: Path, study_name: str) -> optuna.Study | None:
    """The study in a journal, to look at only; None where the journal holds no such study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=study_name, storage=_storage(str(file)))
    except KeyError:
        return None


def check_contract(study: optuna.Study, plan: SweepPlan) -> None:
    """Compare what the study was made for with the plan; raises ConfigError with the difference.

    A new study takes over the plan's fingerprints.
    """
    known = study.user_attrs.get(_CONTRACT)
    if known is None:
        study.set_user_attr(_CONTRACT, plan.fingerprints)
        return
    if plan.options.resume == "never":
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: exists already and resume=never; "
            "give it another name"
        )
    changed = [k for k, v in plan.fingerprints.items() if known.get(k) != v]
    if changed and plan.options.resume != "force":
        pairs = ((name, known.get(name), plan.fingerprints[name]) for name in changed)
        differences = "; ".join(f"{name} was {old}, is {new}" for name, old, new in pairs)
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: cannot be continued, its trials would "
            f"not be comparable ({differences}); use another hydra.sweeper.study_name, or "
            "hydra.sweeper.resume=force to mix them all the same"
        )


def fill_queue(study: optuna.Study, plan: SweepPlan) -> None:
    """Enqueue what a new study starts with: the grid, or the defaults and known good values."""
    if study.get_trials(deepcopy=False):
        return
    if plan.is_grid:
        for _, values in zip(range(plan.n_trials), plan.space.grid(), strict=False):
            study.enqueue_trial(plan.space.names(values), user_attrs={_CONFIGURATION: "grid"})
        return
    enqueue(study, plan, default_values(plan), DEFAULTS)
    for number, values in enumerate(plan.options.enqueue):
        _check_enqueued(plan, values)
        enqueue(study, plan, values, f"enqueue[{number}]")


def enqueue(study: optuna.Study, plan: SweepPlan, values: Mapping[str, Any], origin: str) -> None:
    """Queue a configuration. Values outside the space stay as the config has them."""
    space = plan.space
    drawable = {p.key: values[p.key] for p in space.parameters if p.key in values}
    inside = {
        key: value
        for key, value in drawable.items()
        if any(p.key == key and p.contains(value) for p in space.parameters)
    }
    attributes = {_CONFIGURATION: origin, "outside": sorted(drawable.keys() - inside.keys())}
    study.enqueue_trial(space.names(inside), user_attrs=attributes)


def trial_values(trial: optuna.Trial, plan: SweepPlan) -> dict[str, Any]:
    """Config values by key of a trial, drawn or queued."""
    outside = trial.user_attrs.get("outside")
    if trial.user_attrs.get(_CONFIGURATION) != DEFAULTS or not outside:
        return plan.space.suggest(trial)
    return plan.space.suggest(trial, without=frozenset(outside))


def swept_values(plan: SweepPlan, trial: optuna.trial.FrozenTrial) -> dict[str, Any]:
    """Config values by key that a trial drew; those of a custom search space go by their keys."""
    keys = {p.name: p.key for p in plan.space.parameters}
    return {keys.get(name, name): value for name, value in trial.params.items()}


def is_default(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a trial ran the model's defaults."""
    return trial.user_attrs.get(_CONFIGURATION) == DEFAULTS


def next_trial(study: optuna.Study, plan: SweepPlan) -> optuna.Trial | None:
    """Ask for a trial, or None where all `n_trials` have been handed out."""
    import optuna

    with FileLock(plan.folder / "ask.lock"):
        trials = study.get_trials(deepcopy=False)
        left = plan.n_trials - len(trials)
        if left <= 0:  # then, and only then, the queue has to be gone through
            left += sum(t.state == optuna.trial.TrialState.WAITING for t in trials)
        return study.ask() if left > 0 else None


def recover(study: optuna.Study, plan: SweepPlan) -> int:
    """Settle trials whose worker is gone; returns how many go back into the queue.

    Called while no worker runs. A trial whose record is complete is told from it; any other is
    queued again under its number with its values.
    """
    import optuna

    n_queued = 0
    running = (optuna.trial.TrialState.RUNNING,)
    for trial in study.get_trials(deepcopy=False, states=running):
        folder = plan.folder / str(trial.number)
        record = load_record(folder) if (folder / RECORD_FILE).is_file() else None
        status = record.status if record is not None else "RUNNING"
        if record is not None and status == "FINISHED":
            tell_complete(study, plan, trial, record.metrics)
        elif status == "PRUNED":
            study.tell(trial.number, state=optuna.trial.TrialState.PRUNED)
        elif status == "FAILED":
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        else:
            requeue(study, trial._trial_id)
            n_queued += 1
    return n_queued


def tell_complete(
    study: optuna.Study,
    plan: SweepPlan,
    trial: optuna.Trial | optuna.trial.FrozenTrial,
    logged: Mapping[str, Any],
) -> None:
    """Tell the study what a finished trial logged, and by how much it breaks the constraints."""
    import optuna

    values = plan.objectives.values(logged)
    running = optuna.trial.Trial(study, trial._trial_id)
    for name, excess in plan.objectives.violations(logged).items():
        running.set_constraint(name, excess)
    study.tell(trial.number, values)


def main_value(trial: optuna.trial.FrozenTrial) -> float:
    """The value that decides, of a complete trial."""
    assert trial.values is not None
    return float(trial.values[0])


def keeps_constraints(trial: optuna.trial.FrozenTrial) -> bool:
    """Whether a complete trial breaks no constraint."""
    return max(trial.constraints.values(), default=0.0) <= 0


def requeue(study: optuna.Study, trial_id: int) -> None:
    """Put a running trial back into the queue, with its number and values."""
    import optuna

    study._storage.set_trial_state_values(trial_id, state=optuna.trial.TrialState.WAITING)


def counts(study: optuna.Study) -> dict[str, int]:
    """Number of trials by state, in lower case."""
    result = dict.fromkeys(("complete", "pruned", "fail", "running", "waiting"), 0)
    for trial in study.get_trials(deepcopy=False):
        result[trial.state.name.lower()] += 1
    return result


def n_done(found: Mapping[str, int]) -> int:
    """How many of the counted trials have ended, in whatever way."""
    return found["complete"] + found["pruned"] + found["fail"]


def _check_enqueued(plan: SweepPlan, values: Mapping[str, Any]) -> None:
    keys = {p.key: p for p in plan.space.parameters}
    for key, value in values.items():
        if key not in keys or not any(
            p.contains(value) for p in plan.space.parameters if p.key == key
        ):
            known = keys[key].describe() if key in keys else "it is not swept"
            raise ConfigError(
                f"hydra.sweeper.enqueue: {key}={value} is outside the space ({known}); "
                "correct the value or widen the space"
            )


def _storage(storage: str) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if "://" in storage:
        return storage
    path = Path(storage)
    path.parent.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(path), lock_obj=_JournalLock(path))  # type: ignore[arg-type]
    return JournalStorage(backend)


class _JournalLock:
    """A lock that the system lets go of when its holder is killed, unlike Optuna's own two."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(f"{path}.lock")

    def acquire(self) -> bool:
        self._lock.acquire()
        return True

    def release(self) -> None:
        self._lock.release()


def _sampler(plan: SweepPlan, seed: int) -> Any:
    from optuna import samplers

    options = dict(plan.options.sampler_options)
    if plan.sampler == "tpe" and plan.space.is_conditional:
        options = {"multivariate": True, "group": True, **options}
    if HISTORY in options:
        from student_perf.sweep.bounded_tpe import BoundedTPESampler

        return _built(BoundedTPESampler, {"seed": seed, **options}, "sampler")
    classes: dict[str, Any] = {
        "tpe": samplers.TPESampler,
        "random": samplers.RandomSampler,
        "grid": samplers.RandomSampler,  # never draws: every point of the grid is queued
        "gp": samplers.GPSampler,
        "cmaes": samplers.CmaEsSampler,
        "nsgaii": samplers.NSGAIISampler,
        "qmc": samplers.QMCSampler,
    }
    return _built(classes[plan.sampler], {"seed": seed, **options}, "sampler")


def _pruner(plan: SweepPlan) -> Any:
    from optuna import pruners

    options = dict(plan.options.pruner_options)
    if plan.options.pruner == "percentile":
        options.setdefault("percentile", 50.0)
    classes: dict[str, Any] = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "percentile": pruners.PercentilePruner,
        "hyperband": pruners.HyperbandPruner,
        "wilcoxon": pruners.WilcoxonPruner,
    }
    return _built(classes[plan.options.pruner], options, "pruner")


def _built(cls: Any, options: dict[str, Any], name: str) -> Any:
    import warnings

    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            return cls(**options)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"hydra.sweeper.{name}_options={json.dumps(options)}: {cls.__name__} refuses them "
                f"({one_line(error)}); see Optuna's documentation of {cls.__name__}"
            ) from error
