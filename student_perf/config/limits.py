"""Limits that a user may set: when changed data alarm, when a model may be promoted. Light."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from student_perf.errors import ConfigError, one_line, suggest
from student_perf.paths import CONF_DIR

DRIFT_FILE = CONF_DIR / "drift.yaml"
GATE_FILE = CONF_DIR / "promote.yaml"
T = TypeVar("T", "Thresholds", "GateLimits")


@dataclass(frozen=True)
class Thresholds:
    """Limits of `lifecycle.drift`, as `conf/drift.yaml` has them where nobody changed it.

    `alpha` is the probability of any false alarm of the tests over all columns together; `warn` and
    `alarm` are limits of the PSI in excess of its mean without drift (Siddiqi 2006, "Credit Risk
    Scorecards", has 0.1 and 0.25); `bins` the quantile bins of numbers; `smoothing` is added to the
    count of every bin or category before shares are taken, so that an empty one has a logarithm.
    """

    alpha: float = 0.01
    warn: float = 0.1
    alarm: float = 0.25
    bins: int = 10
    smoothing: float = 0.5

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit that can't work."""
        check_numbers(self, DRIFT_FILE)
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha={self.alpha}: must be between 0 and 1; try 0.01")
        if not 0 <= self.warn <= self.alarm:
            raise ConfigError(
                f"warn={self.warn} alarm={self.alarm}: must be 0 or more, and the alarm not "
                "below the warning; try 0.1 and 0.25"
            )
        if self.bins < 2 or self.bins != int(self.bins):
            raise ConfigError(f"bins={self.bins}: must be a whole number from 2; try 10")
        if not self.smoothing > 0:
            raise ConfigError(f"smoothing={self.smoothing}: must be above 0; try 0.5")


@dataclass(frozen=True)
class GateLimits:
    """Limits of the gate, as `conf/promote.yaml` has them where nobody changed it.

    `margin` is how much worse than the champion a model may be, in units of the metric, or for a
    metric without an upper bound as a share of the champion's value; `risk` the most probability,
    by paired bootstrap, that it is worse by more; `calibration` the most expected calibration
    error.
    """

    margin: float = 0.05
    risk: float = 0.05
    calibration: float = 0.15

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit that can't work."""
        check_numbers(self, GATE_FILE)
        for name in ("margin", "calibration"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)}: must be from 0 to 1; try 0.05")
        if not 0 < self.risk < 1:
            raise ConfigError(f"risk={self.risk}: must be between 0 and 1; try 0.05")


def load_limits(limits: type[T], file: Path, given: Mapping[str, Any]) -> T:
    """The limits of the file, replaced by those `given` that are not None. Raises ConfigError."""
    import yaml  # a twentieth of a second that only these commands pay

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read ({one_line(error)}); restore it") from error
    known = [field.name for field in fields(limits)]
    if not isinstance(content, dict):
        raise ConfigError(f"{file}: must hold one limit per line; choose from {', '.join(known)}")
    for name in content:
        if name not in known:
            raise ConfigError(f"{file}: {name} is no limit; {suggest(str(name), known)}")
    return limits(**(content | {k: v for k, v in given.items() if v is not None}))


def check_numbers(limits: Thresholds | GateLimits, file: Path) -> None:
    """Raise ConfigError for a limit that is no number."""
    for name, value in vars(limits).items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ConfigError(f"{name}={value}: must be a number; see {file}")
