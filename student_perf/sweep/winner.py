"""The best configurations of a sweep, fitted once more so that each has a model."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from student_perf.compare.outcome import SweepOutcome
from student_perf.errors import TrackingError, one_line
from student_perf.experiment.beside import UnderSweep
from student_perf.experiment.records import check_tags
from student_perf.experiment.run import run_experiment
from student_perf.runs import tags
from student_perf.runs.layout import ERROR_FILE, RUN_ID_FILE, WINNER, holds_record
from student_perf.runs.record import RunRecord, load_record
from student_perf.shell import own_line
from student_perf.store.registry import CHALLENGER, Registry
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.study import swept_values
from student_perf.terminal import Terminal
from student_perf.warned import warnings_kept

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)


def run_winner(
    plan: SweepPlan, outcome: SweepOutcome, study: optuna.Study, console: Console
) -> Path | None:
    """Refit the best configuration on all rows but the test part, and score those once; returns
    its folder, None if no trial has finished.
    """
    if not outcome.ranked:
        return None
    best, folder = outcome.ranked[0], plan.folder / WINNER
    if not _holds_run_of(best, folder):
        console.print(Text.assemble(("Winner", "bold"), f": trial {best.trial_number}"))
        _refit(plan, best, study, folder, Terminal(), "final", check_tags(outcome.findings))
    return folder


def keep_others(
    plan: SweepPlan, outcome: SweepOutcome, study: optuna.Study, console: Console
) -> None:
    """Refit the best configurations after the winner too. They are not scored on the test rows:
    looking at several scores and taking one would be choosing by them.
    """
    others = outcome.ranked[1 : plan.options.keep_models]
    for place, trial in enumerate(others, start=2):
        folder = plan.folder / f"place_{place}"
        if not _holds_run_of(trial, folder):
            _refit(plan, trial, study, folder, Terminal(quiet=True), "kept")
        text = f"  Place {place}, trial {trial.trial_number}: model in {folder}"
        console.print(text, soft_wrap=True)


def register_winner(plan: SweepPlan, winner: Path | None, console: Console) -> None:
    """Make the winner, in MLflow by now, a challenger if that is asked for; `promote` decides
    about the rest.
    """
    name = plan.options.register
    if name is None or winner is None:
        return
    run_id = load_record(winner).mlflow_run_id
    try:
        if run_id is None:
            raise TrackingError("the winner is not in MLflow")
        with warnings_kept():
            registry = Registry(plan.base.tracking.uri, name)
            version = registry.register(run_id)
            registry.move({CHALLENGER: version})
    except TrackingError as error:
        log.error("not registered: %s", one_line(error))
        console.print(f"  Not registered as {name}: {one_line(error)}", soft_wrap=True)
    else:
        command = own_line("promote", f"models:/{name}@{CHALLENGER}")
        console.print(f"  Version {version.number} of {name} is the challenger now.")
        console.print(f"  promote  {command}", soft_wrap=True, highlight=False)


def _holds_run_of(trial: RunRecord, folder: Path) -> bool:
    """Whether a folder has the finished run of this trial."""
    known = load_record(folder) if holds_record(folder) else None
    if known is None or known.status != "FINISHED":
        return False
    return known.trial_number == trial.trial_number


def _refit(
    plan: SweepPlan,
    trial: RunRecord,
    study: optuna.Study,
    folder: Path,
    terminal: Terminal,
    kind: str,
    checks: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Run a trial's configuration once more, with a model; the publisher sends it."""
    for name in (RUN_ID_FILE, ERROR_FILE):  # of an earlier trial in this place
        (folder / name).unlink(missing_ok=True)
    number = trial.trial_number
    assert number is not None
    config = plan.composer.compose(swept_values(plan, study, number), number)
    more = {
        tags.STUDY: plan.study_name,
        tags.TRIAL: str(number),
        tags.OBJECTIVES: ",".join(plan.objectives.names),
        **checks,
    }
    run_experiment(config, folder, terminal, kind, more, UnderSweep())
