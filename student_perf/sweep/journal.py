"""Optuna's journal with an index, so that asking for a trial does not walk through all of them."""

from __future__ import annotations

import copy
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Container
from itertools import chain

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState


class _Index:
    """The trials of one study by number, and the numbers of each state in order."""

    def __init__(self) -> None:
        self._trials: list[FrozenTrial] = []
        self._numbers: dict[TrialState, list[int]] = {state: [] for state in TrialState}

    def note(self, trial: FrozenTrial) -> None:
        """Take up a trial that is new or has changed."""
        if trial.number == len(self._trials):
            self._trials.append(trial)
        else:
            before = self._numbers[self._trials[trial.number].state]
            del before[bisect_left(before, trial.number)]
            self._trials[trial.number] = trial
        insort(self._numbers[trial.state], trial.number)

    def trials(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """Those in one of the states, by default all, in the order of their numbers."""
        if states is None:
            return list(self._trials)
        wanted = (numbers for state, numbers in self._numbers.items() if state in states)
        return [self._trials[number] for number in sorted(chain.from_iterable(wanted))]


class IndexedJournal(JournalStorage):
    """Optuna's journal storage. Optuna looks at every trial for those in a state, several times a
    trial; this one looks only at trials of which the journal has said something new.
    """

    def __init__(self, backend: JournalFileBackend) -> None:
        self._indexes: defaultdict[int, _Index] = defaultdict(_Index)
        super().__init__(backend)

    # Optuna has no public way to hear of what has changed; its version is locked and tested.
    def _sync_with_backend(self) -> None:
        replayed = self._replay_result
        logs = list(self._backend.read_logs(replayed.log_number_read))
        changed = {log["trial_id"] for log in logs if "trial_id" in log}
        n_before = len(replayed._trials)
        try:
            replayed.apply_logs(logs)
        finally:  # it refuses a change in the middle, and has made those before
            for trial_id in sorted(changed.union(range(n_before, len(replayed._trials)))):
                if (trial := replayed._trials.get(trial_id)) is not None:
                    self._indexes[replayed._trial_id_to_study_id[trial_id]].note(trial)

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """As in Optuna."""
        with self._thread_lock:
            self._sync_with_backend()
            self._replay_result.get_study(study_id)  # raises KeyError if there is none
            trials = self._indexes[study_id].trials(states)
            return copy.deepcopy(trials) if deepcopy else trials
