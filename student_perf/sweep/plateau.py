"""Patience: a study ends when its best has not improved for a number of trials.

That saves time and tests nothing: the best may be luck, and a later trial may be better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from student_perf.sweep.distinct import OUTSIDE
from student_perf.sweep.plan import SweepPlan

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_RULE = "patience"  # user attribute of a study: how many trials there were to be, counted from when


def renew_patience(study: optuna.Study, plan: SweepPlan) -> None:
    """Count anew from here if more trials are asked for than before, since somebody wants more."""
    if plan.options.patience is None:
        return
    known = study.user_attrs.get(_RULE)
    if known is None or plan.n_trials > known["n_trials"]:
        since = 0 if known is None else len(study.get_trials(deepcopy=False))
        study.set_user_attr(_RULE, {"n_trials": plan.n_trials, "since": since})


def out_of_patience(study: optuna.Study, plan: SweepPlan) -> int | None:
    """Number of the best trial if it has not improved for as many trials as `patience` says.

    Those that came to their end or were pruned count, in the order of their numbers. An equal value
    is no improvement.
    """
    if plan.options.patience is None:
        return None
    trials = [t for t in study.get_trials(deepcopy=False) if not t.user_attrs.get(OUTSIDE)]
    best = _best(study, trials)
    since = study.user_attrs.get(_RULE, {}).get("since", 0)
    if best is None:
        return None
    later = [t for t in trials if t.number > best.number and t.number >= since]
    n_judged = sum(t.state.name in ("COMPLETE", "PRUNED") for t in later)
    return best.number if n_judged >= plan.options.patience else None


def _best(study: optuna.Study, trials: Sequence[FrozenTrial]) -> FrozenTrial | None:
    """The complete trial that ranks first, as `Objectives.ranked` has it."""
    sign = -1 if study.directions[0].name == "MAXIMIZE" else 1

    def place(trial: FrozenTrial) -> tuple[bool, float, int]:
        breaks_limits = any(excess > 0 for excess in trial.constraints.values())
        value = sign * trial.values[0]
        return breaks_limits, math.inf if math.isnan(value) else value, trial.number

    return min((t for t in trials if t.state.name == "COMPLETE"), key=place, default=None)
