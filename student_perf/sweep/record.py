"""The record of a sweep as a whole: what it varies and seeks, and what earlier trials say of it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from student_perf.atomic import write_atomic
from student_perf.compare.outcome import SweepOutcome
from student_perf.data.dataset import Dataset
from student_perf.errors import ChangedError
from student_perf.experiment.prepare import PreparedData
from student_perf.experiment.records import make_record
from student_perf.masking import masked, masked_yaml
from student_perf.runs import layout, tags
from student_perf.runs.artifacts import write_config
from student_perf.runs.record import SWEPT, RunRecord, load_record
from student_perf.runs.seal import accept_changes
from student_perf.scoring.metrics import logged_as
from student_perf.shell import line
from student_perf.sweep.distinct import CONFIGURATION, OUTSIDE
from student_perf.sweep.plan import JOURNAL_FILE, SweepPlan
from student_perf.sweep.study import CONTRACT, MIXED
from student_perf.text import format_interval, format_number

_TRAINING = ("train", "student-perf-train")  # what starts a sweep from a terminal

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.trial import FrozenTrial

_MOST_LOOKED_AT = 50  # trials by which the time of others is estimated


def start_record(
    plan: SweepPlan,
    data: PreparedData,
    hydra_config: str,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> RunRecord:
    """Write the sweep's record, with the config that its trials vary and Hydra's own; `known` are
    the study's user attributes: its fingerprints, and what became of them.
    """
    record = make_record(plan.base, plan.folder, data, kind="sweep")
    record.name = plan.study_name
    if layout.holds_record(plan.folder):  # its run in MLflow is found by this id
        record.tags[tags.RECORD_ID] = load_record(plan.folder).record_id
    record.tags |= {
        tags.STUDY: plan.study_name,
        tags.OBJECTIVES: ",".join(plan.objectives.names),
        tags.N_MISSING: str(data.dataset.n_missing),
        tags.TARGET: describe_target(data.dataset),
    }
    if (command := typed_command()) is not None:
        record.tags[tags.COMMAND] = command
    record.params |= {
        "sweep.sampler": plan.sampler,
        "sweep.pruner": plan.options.pruner,
        "sweep.storage": masked(plan.options.storage or JOURNAL_FILE),
        "sweep.objectives": ",".join(plan.objectives.metrics),
        **{f"space.{p.name}": p.describe() for p in plan.space.parameters},
    }
    if plan.comparison.is_apart:
        record.tags[tags.RANKING] = "; ".join(plan.comparison.sentences)
    record.objectives = plan.objectives.to_dict()
    record.optuna = {MIXED: [], **known, CONTRACT: plan.fingerprints}
    record.space = [
        {"name": p.name, "values": p.describe(), **p.data()} for p in plan.space.parameters
    ]
    record.save()
    (plan.folder / ".hydra").mkdir(exist_ok=True)
    write_atomic(plan.folder / ".hydra" / "hydra.yaml", masked_yaml(hydra_config).encode())
    write_config(plan.folder, plan.base)
    return record


def check_unchanged(plan: SweepPlan) -> None:
    """Raises ChangedError if a sweep that is to go on has trials that are not as it left them."""
    with accept_changes(warn=False):
        for folder in layout.iter_below(plan.folder, ".", "*"):
            record = load_record(folder)
            changes = record.changes
            if folder == plan.folder:  # its own files are written anew
                changes = [one for one in changes if one[0] == layout.RECORD_FILE]
            for name, what in changes:
                raise ChangedError(
                    f"{folder / name}: {what}; put it back as it was, or start another sweep by "
                    "hydra.sweeper.study_name=NAME"
                )


def describe_trial(
    record: RunRecord, plan: SweepPlan, trial: Trial | FrozenTrial, values: Mapping[str, Any]
) -> None:
    """Name a trial's record and say in it what the trial drew.

    Args:
        record: Of the trial, not saved yet.
        plan: The sweep's plan.
        trial: The study's own view of it.
        values: What it drew, by config key.
    """
    outside: dict[str, Any] = trial.user_attrs.get(OUTSIDE) or {}
    drawn = {key: str(value) for key, value in {**outside, **values}.items()}
    # A file of the group says more than the name within: auto/stumps, auto/pairs are both xgb.
    model = drawn.get("model", record.model).rpartition("/")[2]
    record.name = f"{model}-{trial.number}"
    record.params |= {f"{SWEPT}{key}": value for key, value in drawn.items()}
    record.tags |= {
        tags.STUDY: plan.study_name,
        tags.OBJECTIVES: ",".join(plan.objectives.names),
        tags.TRIAL: str(trial.number),
        tags.CONFIGURATION: str(trial.user_attrs.get(CONFIGURATION, "drawn")),
    }
    if outside:
        described = ", ".join(f"{key}={value}" for key, value in outside.items())
        record.tags[tags.OUTSIDE] = described


def outcome_metrics(
    plan: SweepPlan, outcome: SweepOutcome, n_by_state: dict[str, int]
) -> dict[str, float | list[float]]:
    """What the sweep's run logs: the number of trials by state, the best value and its trial."""
    metrics: dict[str, float | list[float]] = {
        f"trials_{state}": float(n) for state, n in n_by_state.items()
    }
    metrics["n_trials"] = float(plan.n_trials)  # not a param: those cannot change, and this may
    if len(outcome.boards) == 1 and outcome.is_apart:  # repeats: the best mean, or the only one
        line = outcome.boards[0].lines[0]
        figures = {"mean": line.mean, "low": line.low, "high": line.high}
        metrics |= {logged_as(outcome.metric, name): value for name, value in figures.items()}
        metrics["n_repeats"] = float(line.record.n_repeats)
    if outcome.ranked:
        best = outcome.ranked[0]
        metrics["best_value"] = plan.objectives.values(best.metrics)[0]
        metrics["best_trial"] = float(best.tags[tags.TRIAL])
    return metrics


def expected_seconds(plan: SweepPlan, data: PreparedData) -> float | None:
    """How long the missing trials will take, by those of this sweep or, before its first, those of
    another one in the workspace with the same model and rows; None if there are none.
    """
    trials = list(layout.iter_below(plan.folder, layout.TRIALS))
    times = _seconds_of_trials(trials)
    if not trials:
        for folder in layout.iter_below(plan.folder.parent, "*"):
            with accept_changes(warn=False):  # it only says how long this may take
                record = load_record(folder)
            same_model = record.model == plan.base.model.get("name")
            if same_model and record.data_sha256 == data.dataset.sha256:
                times = _seconds_of_trials(layout.iter_below(folder, layout.TRIALS))
            if times:
                break
    left = plan.n_trials - len(trials)
    if not times or left <= 0:
        return None
    return left * plan.options.repeats * sum(times) / len(times) / plan.options.n_jobs


def _seconds_of_trials(folders: Iterable[Path]) -> list[float]:
    with accept_changes(warn=False):
        records = [load_record(folder) for folder in islice(folders, _MOST_LOOKED_AT)]
    # Records of earlier versions may have been written while the clock was set back.
    return [max(0.0, r.ended - r.started) / r.n_repeats for r in records if r.ended is not None]


def describe_target(dataset: Dataset) -> str:
    """Class counts, or mean, standard deviation and range of a numeric target."""
    if dataset.task == "classification":
        counts = np.bincount(dataset.target, minlength=len(dataset.classes))
        pairs = zip(dataset.classes, counts, strict=True)
        return f"{dataset.target_name}: " + ", ".join(f"{label} {n}" for label, n in pairs)
    target = dataset.target
    mean, std = format_number(target.mean()), format_number(target.std(ddof=1))
    extremes = format_interval(target.min(), target.max())
    return f"{dataset.target_name}: mean {mean}, standard deviation {std}, {extremes}"


def typed_command(python: str = "python") -> str | None:
    """The command that this process was started with, quoted for a shell; None where a program
    has called `api.sweep`, such as a notebook.
    """
    if Path(sys.argv[0]).stem not in _TRAINING:
        return None
    return line([python, "-m", "student_perf.train", *sys.argv[1:]])
