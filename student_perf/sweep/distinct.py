"""Each configuration once: no trial draws what another one has or will have, whoever runs it.

A sampler may draw what it has drawn before. Such a draw is made again, a few times by the sampler
and then at random. What is new is written down before the trial begins, under the lock of asking:
all of it in one step, by the attribute that Optuna has for given values. So no two workers ever run
the same configuration, and a trial whose worker was killed takes up its own again.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from student_perf.sweep.places import asking
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.space import Space

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

OUTSIDE = "outside"  # user attribute: values by key that the space lacks; makes a trial a reference
CONFIGURATION = "configuration"  # user attribute: where a trial comes from whose values are given
GIVEN = "fixed_params"  # Optuna's system attribute: values that a trial has before it is drawn
# A child may be its parent unchanged, and each worker may begin the same sequence.
_REPEATS_NUMBERS = ("nsgaii", "nsgaiii", "qmc")
_MOST_DRAWS = 5  # by the sampler itself: some give the same answer whenever they are asked
_MOST_COMPLETIONS = 100  # at random, of values that a trial was given
_MOST_RANDOM_DRAWS = 1000
_DIGITS = 12  # of numbers that may have been added up in another order


class Taken:
    """The configurations that the trials of a study have, as a worker knows them."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._numbers: dict[str, int] = {}
        self._open: list[int] = []  # numbers of trials that have not drawn
        self._n_seen = 0

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Take up what has been drawn since; a configuration never changes."""
        numbers = [*self._open, *range(self._n_seen, len(trials))]
        self._open, self._n_seen = [], len(trials)
        for number in numbers:
            names, outside = given(trials[number])
            if self._space.lacks(names, outside):
                self._open.append(number)
            else:
                self._numbers.setdefault(configuration(names, outside), number)

    def holds(self, names: Mapping[str, Any], outside: Mapping[str, Any], but: int = -1) -> bool:
        """Whether a trial other than number `but` has this configuration."""
        return self._numbers.get(configuration(names, outside), but) != but


def configuration(names: Mapping[str, Any], outside: Mapping[str, Any]) -> str:
    """Text that is equal for equal values, by their names in the study, and beside them those by
    key that the space lacks.
    """
    return json.dumps([_rounded(names), _rounded(outside)], sort_keys=True, default=str)


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _whole(float(f"{value:.{_DIGITS}g}")) if isinstance(value, float) else value
        for name, value in values.items()
    }


def _whole(number: float) -> float:
    return int(number) if number.is_integer() else number


def given(trial: FrozenTrial) -> tuple[dict[str, Any], dict[str, Any]]:
    """Values that a trial has by their names in the study, and those by key that it has beside."""
    names = {**trial.system_attrs.get(GIVEN, {}), **trial.params}
    return names, trial.user_attrs.get(OUTSIDE) or {}


def settle_values(study: optuna.Study, plan: SweepPlan, trial: optuna.Trial, taken: Taken) -> None:
    """Give a running trial values that no other trial has, unless it has some already or the space
    holds no more.

    Args:
        study: The study.
        plan: The sweep's plan. What its `custom_search_space` draws is not known here.
        trial: The trial, whose parameters `Space.suggest` draws next.
        taken: What this worker knows of the others.
    """
    space = plan.space
    names, outside = given(trial._cached_frozen_trial)
    if plan.options.custom_search_space or not space.lacks(names, outside):
        return
    for drawn in _draws(plan, trial, outside):
        if not _may_repeat(plan, drawn):
            break
        if taken.holds(drawn, outside, trial.number):
            continue
        with asking(plan):
            taken.update(study.get_trials(deepcopy=False))
            if not taken.holds(drawn, outside, trial.number):
                trial.storage.set_trial_system_attr(trial._trial_id, GIVEN, drawn)
                break
    else:
        return
    trial._fixed_params = drawn
    if CONFIGURATION in trial.user_attrs and not drawn.items() >= names.items():
        trial.set_user_attr(CONFIGURATION, "drawn")  # its own values are used up


def _may_repeat(plan: SweepPlan, names: Mapping[str, Any]) -> bool:
    """Whether these values can be drawn twice: most samplers give no number of an interval again,
    but for its ends.
    """
    return plan.sampler in _REPEATS_NUMBERS or not any(
        p.drawable is None and names[p.name] not in p.corners
        for p in plan.space.parameters
        if p.name in names
    )


def _draws(
    plan: SweepPlan, trial: optuna.Trial, outside: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Drafts of a trial's values by their names: from the sampler, at random beside the values that
    it was given, at random without them, and then one by one, so that one is new if there is one.
    """
    from optuna.samplers import RandomSampler

    space, without = plan.space, frozenset(outside)
    for _ in range(_MOST_DRAWS):
        yield _draft(space, trial, without, trial.study.sampler)
    seed = (plan.seed * 1_000_003 + trial.number) % 2**32
    sampler = RandomSampler(seed)
    for _ in range(_MOST_COMPLETIONS if trial._fixed_params else 0):
        yield _draft(space, trial, without, sampler)
    free = copy.copy(trial)
    free._fixed_params = {}
    for _ in range(_MOST_RANDOM_DRAWS):
        yield _draft(space, free, without, sampler)
    if not outside and math.isfinite(space.size):
        yield from map(space.names, space.points())


def _draft(
    space: Space, trial: optuna.Trial, without: frozenset[str], sampler: Any
) -> dict[str, Any]:
    """Values by their names as the trial would draw them; nothing of it is written."""
    draft, frozen = copy.copy(trial), copy.copy(trial._cached_frozen_trial)
    frozen.params, frozen.distributions = dict(frozen.params), dict(frozen.distributions)
    draft._cached_frozen_trial, draft._relative_params = frozen, None
    draft.study = copy.copy(trial.study)
    draft.study.sampler = sampler
    draft.storage = _Unwritten(trial.storage)  # type: ignore[assignment]
    space.suggest(draft, without)
    # As they come back from a storage, which knows no numbers of NumPy.
    of = frozen.distributions
    return {
        name: of[name].to_external_repr(float(of[name].to_internal_repr(value)))
        for name, value in frozen.params.items()
    }


class _Unwritten:
    """A storage that takes no parameters."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def set_trial_param(self, *_: Any) -> None:
        """Leave it out."""
