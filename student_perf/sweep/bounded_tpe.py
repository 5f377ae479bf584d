"""Optuna's TPE with a bounded memory, so that its time for a trial does not grow with the study."""

from __future__ import annotations

from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

N_BEST = 25  # TPE takes a tenth of the trials for the good ones, at most these


class BoundedTPESampler(TPESampler):
    """TPE that learns from `history` trials: the best 25 and the newest of the others.

    From 250 trials on TPE always takes the best 25 for the good ones, so with a history of 250 or
    more it knows the same good ones; only its picture of the others gets thinner.
    """

    def __init__(self, history: int, **options: Any) -> None:
        super().__init__(**options)
        self._history = history

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's, over the bounded history."""
        return super().sample_relative(self._view(study), trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, distribution: BaseDistribution
    ) -> Any:
        """As Optuna's, over the bounded history."""
        return super().sample_independent(self._view(study), trial, param_name, distribution)

    def _view(self, study: Study) -> Any:
        return _BoundedStudy(study, self._history)


class _BoundedStudy:
    """A study that shows a sampler only some of its trials."""

    def __init__(self, study: Study, history: int) -> None:
        self._study, self._history = study, history

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    # Optuna's samplers have no public way to be given trials; its version is locked and tested.
    def _get_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        trials = self._study._get_trials(*arguments, **options)
        if len(trials) <= self._history:
            return trials
        sign = -1 if self._study.direction == StudyDirection.MAXIMIZE else 1
        worth = (t.value if t.state == TrialState.COMPLETE else None for t in trials)
        values = np.array([np.inf if value is None else sign * value for value in worth])
        best = np.argsort(values, kind="stable")[:N_BEST]
        others = np.setdiff1d(np.arange(len(trials)), best)[-(self._history - len(best)) :]
        return [trials[i] for i in np.union1d(best, others)]
