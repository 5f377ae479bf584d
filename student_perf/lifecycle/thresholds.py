"""When a change of the data is worth a warning or an alarm. Light: the command line reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from student_perf.errors import ConfigError, one_line, suggest
from student_perf.paths import CONF_DIR

LIMITS_FILE = CONF_DIR / "drift.yaml"


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
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigError(f"{name}={value}: must be a number; see conf/drift.yaml")
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


def load_thresholds(given: Mapping[str, Any], file: Path = LIMITS_FILE) -> Thresholds:
    """The limits of the file, replaced by those `given` that are not None. Raises ConfigError."""
    import yaml  # a twentieth of a second that only this command pays

    try:
        limits = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read ({one_line(error)}); restore it") from error
    known = asdict(Thresholds())
    if not isinstance(limits, dict):
        raise ConfigError(f"{file}: must hold one limit per line; choose from {', '.join(known)}")
    for name in limits:
        if name not in known:
            raise ConfigError(f"{file}: {name} is no limit; {suggest(str(name), known)}")
    return Thresholds(**(limits | {k: v for k, v in given.items() if v is not None}))
