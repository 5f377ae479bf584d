"""What a sweep optimises and what its trials must keep to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from student_perf.config.schema import ExperimentConfig
from student_perf.errors import ConfigError, StudentPerfError, suggest
from student_perf.scoring.metric import (
    SECONDS,
    Direction,
    metrics_of,
    objective_direction,
    objective_key,
)


@dataclass(frozen=True)
class Objectives:
    """The metrics to optimise, the one that decides first, and by metric the worst value a trial
    may have: the highest of a loss or of `fit_seconds`, the lowest of a score.
    """

    metrics: tuple[str, ...]
    limits: tuple[tuple[str, float], ...] = ()

    @property
    def directions(self) -> list[Direction]:
        """`maximize` or `minimize` for each metric."""
        return [objective_direction(metric) for metric in self.metrics]

    def values(self, logged: Mapping[str, Any]) -> list[float]:
        """A trial's value for each metric from what it logs. Raises StudentPerfError where one is
        not defined, since such a trial cannot be ranked.
        """
        values = [_value(logged, metric) for metric in self.metrics]
        for metric, value in zip(self.metrics, values, strict=True):
            if not math.isfinite(value):
                raise StudentPerfError(
                    f"objective.metric={metric}: is {value} for this trial, which cannot be "
                    "ranked; choose a metric that is defined on every fold"
                )
        return values

    def violations(self, logged: Mapping[str, Any]) -> dict[str, float]:
        """By how much a trial breaks each limit, by metric; 0 or less where it keeps it."""
        return {
            metric: _sign(metric) * (_value(logged, metric) - worst)
            for metric, worst in self.limits
        }

    def describe(self) -> str:
        """`accuracy (maximize), fit_seconds (minimize); log_loss at most 1.2`."""
        aims = ", ".join(f"{metric} ({objective_direction(metric)})" for metric in self.metrics)
        words = {1: "at most", -1: "at least"}
        limits = [f"{metric} {words[_sign(metric)]} {worst:g}" for metric, worst in self.limits]
        return "; ".join([aims, *limits])


def make_objectives(
    base: ExperimentConfig, also: Sequence[Any], limits: Mapping[str, Any], ordered: bool
) -> Objectives:
    """Objectives of a sweep: the config's own, then `also`; and the constraints.

    Raises ConfigError for a metric the task does not have, and for a limit that is no number.
    """
    known = [*metrics_of(base.dataset.task, ordered), SECONDS]
    for key, names in (("objectives", also), ("constraints", limits)):
        for name in names:
            if name not in known:
                raise ConfigError(
                    f"hydra.sweeper.{key}={name}: not a metric of this task; "
                    f"{suggest(str(name), known)}"
                )
    for name, worst in limits.items():
        if isinstance(worst, bool) or not isinstance(worst, int | float):
            raise ConfigError(
                f"hydra.sweeper.constraints.{name}={worst}: must be the worst value allowed, a "
                "number"
            )
    others = [name for name in also if name != base.objective.metric]
    return Objectives(
        (base.objective.metric, *dict.fromkeys(others)),
        tuple((name, float(worst)) for name, worst in limits.items()),
    )


def _value(logged: Mapping[str, Any], metric: str) -> float:
    return float(logged.get(objective_key(metric), math.nan))


def _sign(metric: str) -> int:
    return 1 if objective_direction(metric) == "minimize" else -1
