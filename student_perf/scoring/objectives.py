"""What a sweep optimises, what its trials must keep to, and so which trial is better.

>>> sought = Objectives(("accuracy",), limits={"fit_seconds": 60.0})
>>> sought.describe()
'accuracy (maximize); fit_seconds at most 60'
>>> slow = {"cv_accuracy_mean": 0.9, "fit_seconds": 75.0}
>>> quick = {"cv_accuracy_mean": 0.8, "fit_seconds": 5.0}
>>> sought.ranked({0: slow, 1: quick})
[1, 0]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from student_perf.errors import ConfigError, StudentPerfError, suggest
from student_perf.scoring.metrics import FIT_SECONDS, OBJECTIVES, Direction

Logged = Mapping[str, Any]  # what a trial logs, by name


@dataclass(frozen=True)
class Objectives:
    """The objectives by name, the one that decides first, and the worst value that a trial may
    have, by name: the highest of a loss or of `fit_seconds`, the lowest of a score.
    """

    metrics: tuple[str, ...]
    limits: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """What is optimised and what is limited, each once."""
        return tuple(dict.fromkeys((*self.metrics, *self.limits)))

    @property
    def directions(self) -> list[Direction]:
        """`maximize` or `minimize` for each objective."""
        return [OBJECTIVES[name].direction for name in self.metrics]

    def values(self, logged: Logged) -> list[float]:
        """A trial's value for each objective.

        Raises:
            StudentPerfError: A value is not finite, so the trial cannot be ranked.
        """
        values = [_value(logged, name) for name in self.metrics]
        for name, value in zip(self.metrics, values, strict=True):
            if not math.isfinite(value):
                raise StudentPerfError(
                    f"objective.metric={name}: is {value} for this trial, which cannot be "
                    "ranked; choose a metric that is defined on every fold"
                )
        return values

    def violations(self, logged: Logged) -> dict[str, float]:
        """By how much a trial breaks each limit; 0 or less if it keeps it."""
        return {
            name: OBJECTIVES[name].sign * (worst - _value(logged, name))
            for name, worst in self.limits.items()
        }

    def keeps_limits(self, logged: Logged) -> bool:
        """Whether a trial breaks no limit; a value that it does not have breaks one."""
        return all(excess <= 0 for excess in self.violations(logged).values())

    def ranked(self, trials: Mapping[int, Logged]) -> list[int]:
        """Trial numbers, best first: those that keep the limits before the others, then by the
        objective that decides, the earlier of equals first. A trial without a value comes last.
        """

        def key(number: int) -> tuple[bool, float, int]:
            worth = OBJECTIVES[self.metrics[0]].sign * _value(trials[number], self.metrics[0])
            return (
                not self.keeps_limits(trials[number]),
                math.inf if math.isnan(worth) else -worth,
                number,
            )

        return sorted(trials, key=key)

    def front(self, trials: Mapping[int, Logged]) -> list[int]:
        """The Pareto front, ranked: trials that keep the limits and that no other one which does
        equals or beats in every objective and beats in one.
        """
        worths = {
            number: [OBJECTIVES[name].sign * _value(logged, name) for name in self.metrics]
            for number, logged in trials.items()
            if self.keeps_limits(logged)
        }
        distinct = set(map(tuple, worths.values()))
        beaten = {one for one in distinct if any(_beats(other, one) for other in distinct)}
        return [n for n in self.ranked(trials) if n in worths and tuple(worths[n]) not in beaten]

    def describe(self) -> str:
        """`accuracy (maximize), fit_seconds (minimize); log_loss at most 1.2`."""
        aims = ", ".join(f"{name} ({OBJECTIVES[name].direction})" for name in self.metrics)
        words = {True: "at least", False: "at most"}
        limits = [
            f"{name} {words[OBJECTIVES[name].maximizes]} {worst:g}"
            for name, worst in self.limits.items()
        ]
        return "; ".join([aims, *limits])

    def to_dict(self) -> dict[str, Any]:
        """Plain content for JSON."""
        return {"metrics": list(self.metrics), "limits": dict(self.limits)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """The objectives that `to_dict` wrote."""
        return cls(tuple(content["metrics"]), dict(content["limits"]))


def make_objectives(
    metric: str, also: Sequence[Any], limits: Mapping[str, Any], known: Sequence[str]
) -> Objectives:
    """Objectives of a sweep: the `metric` of its config, then `also`; and its constraints.

    Args:
        metric: The objective that decides.
        also: More objectives, by name.
        limits: The worst value allowed, by name.
        known: Names of the metrics that suit the target.

    Raises:
        ConfigError: The target has no such metric, or a limit is not a number.
    """
    known = [*known, FIT_SECONDS.name]
    for key, names in (("objectives", also), ("constraints", limits)):
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"hydra.sweeper.{key}={name}: not a metric of this target; "
                    f"{suggest(str(name), known)}"
                )
    for name, worst in limits.items():
        if isinstance(worst, bool) or not isinstance(worst, int | float):
            raise ConfigError(
                f"hydra.sweeper.constraints.{name}={worst}: must be the worst value allowed, a "
                "number"
            )
    return Objectives(
        tuple(dict.fromkeys([metric, *also])),
        {name: float(worst) for name, worst in limits.items()},
    )


def _value(logged: Logged, name: str) -> float:
    value = logged.get(OBJECTIVES[name].key)
    return math.nan if value is None else float(value)


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
