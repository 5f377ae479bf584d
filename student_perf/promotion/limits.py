"""Limits within which a model may be promoted; `conf/promote.yaml` has the values."""

from __future__ import annotations

from dataclasses import dataclass

from student_perf.config.typed import limit
from student_perf.errors import ConfigError

GATE_CONFIG = "promote"  # its name in `conf/`


@dataclass(frozen=True)
class GateLimits:
    """Limits of the gate; each is an option of `promote` too.

    The margin is in units of the metric; for a metric without an upper bound it is a share of the
    champion's value. The risk is that of the paired comparison row by row.
    """

    margin: float = limit(0.05, "how much worse than the champion it may be")
    risk: float = limit(0.05, "highest probability that it is worse by more")
    calibration: float = limit(0.15, "highest calibration error, without what chance adds")

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit that cannot work."""
        for name in ("margin", "calibration"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name}={getattr(self, name)}: must be from 0 to 1; try 0.05")
        if not 0 < self.risk < 1:
            raise ConfigError(f"risk={self.risk}: must be between 0 and 1; try 0.05")
