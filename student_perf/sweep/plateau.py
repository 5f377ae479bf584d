"""Patience: a study ends when its best has not improved for a number of trials.

That saves time and tests nothing: the best may be luck, and a later trial may be better.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from student_perf.compare.halved import RUNGS
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
    """Number of the best trial if it has not improved for as many trials as `patience` says."""
    return Plateau(study, plan).best_if_over()


def place_of(study: optuna.Study, trial: FrozenTrial) -> tuple[bool, float, int]:
    """By which complete trials are ranked, the best lowest, as `Objectives.ranked` does by their
    records.
    """
    breaks_limits = any(excess > 0 for excess in trial.constraints.values())
    value = -trial.values[0] if study.directions[0].name == "MAXIMIZE" else trial.values[0]
    return breaks_limits, math.inf if math.isnan(value) else value, trial.number


def _is_judged(trial: FrozenTrial) -> bool:
    if trial.state.name == "PRUNED":
        return RUNGS not in trial.user_attrs
    return trial.state.name == "COMPLETE"


class Plateau:
    """Whether the best of a study still improves, as one worker knows it.

    Trials that came to their end or were pruned count, in the order of their numbers; of halving
    only those on all rows, since what was stopped on a sample may be better there. An equal value
    does not count as better. Each trial is looked at once when it has ended, so that asking costs
    the same in a study of ten trials as in one of ten thousand.
    """

    def __init__(self, study: optuna.Study, plan: SweepPlan) -> None:
        self._study, self._patience = study, plan.options.patience
        self._open: list[int] = []  # numbers of trials that had begun, and not ended
        self._n_begun = 0  # no trial from this number on had begun
        self._judged: list[int] = []  # numbers in order
        self._best: tuple[bool, float, int] | None = None
        known = {} if self._patience is None else study.user_attrs.get(_RULE, {})
        self._since = known.get("since", 0)

    def best_if_over(self) -> int | None:
        """Number of the best trial if patience is over."""
        if self._patience is None:
            return None
        self._update(self._study.get_trials(deepcopy=False))
        if self._best is None:
            return None
        number = self._best[-1]
        n_later = len(self._judged) - bisect_left(self._judged, max(number + 1, self._since))
        return number if n_later >= self._patience else None

    def _update(self, trials: Sequence[FrozenTrial]) -> None:
        """Take up what has ended since. The queue is taken in the order of numbers, so that after
        the first look whatever lies behind a waiting trial waits too.
        """
        numbers, self._open = self._open, []
        for number in itertools.chain(numbers, self._begun(trials)):
            trial = trials[number]
            if not trial.state.is_finished():
                self._open.append(number)
            elif not trial.user_attrs.get(OUTSIDE) and _is_judged(trial):
                insort(self._judged, number)
                if trial.state.name == "COMPLETE":
                    place = place_of(self._study, trial)
                    self._best = place if self._best is None else min(self._best, place)

    def _begun(self, trials: Sequence[FrozenTrial]) -> Iterator[int]:
        """Numbers of trials that have begun since, at first all but those that wait at the end."""
        is_first, n_before = self._n_begun == 0, self._n_begun
        if is_first:
            waiting = itertools.takewhile(lambda t: t.state.name == "WAITING", reversed(trials))
            self._n_begun = len(trials) - sum(1 for _ in waiting)
        else:
            while self._n_begun < len(trials) and trials[self._n_begun].state.name != "WAITING":
                self._n_begun += 1
        yield from range(n_before, self._n_begun)
