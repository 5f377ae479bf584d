"""Limits at which a changed column warns or alarms; `conf/drift.yaml` has the values."""

from __future__ import annotations

from dataclasses import dataclass

from student_perf.config.typed import limit
from student_perf.errors import ConfigError

DRIFT_CONFIG = "drift"  # its name in `conf/`


@dataclass(frozen=True)
class Thresholds:
    """Limits of a drift report; each is an option of `drift` too.

    The limits of the PSI apply to its excess over its mean without drift; 0.1 and 0.25 are those of
    Siddiqi 2006, "Credit Risk Scorecards". Smoothing gives an empty bin a logarithm. Rows that do
    not show a shift of `visible` standard deviations are too few to tell.
    """

    alpha: float = limit(0.01, "highest probability of any false alarm of the tests")
    warn: float = limit(0.1, "PSI beyond chance that warns")
    alarm: float = limit(0.25, "PSI beyond chance that alarms")
    bins: int = limit(10, "quantile bins of numbers")
    smoothing: float = limit(0.5, "rows that an empty bin counts for in the PSI")
    visible: float = limit(1.0, "shift in standard deviations that the rows have to show")

    def __post_init__(self) -> None:
        """Raise ConfigError for a limit that cannot work."""
        if not 0 < self.alpha < 1:
            raise ConfigError(f"alpha={self.alpha}: must be between 0 and 1; try 0.01")
        if not 0 <= self.warn <= self.alarm:
            raise ConfigError(
                f"warn={self.warn} alarm={self.alarm}: must be 0 or more, and the alarm not "
                "below the warning; try 0.1 and 0.25"
            )
        if self.bins < 2:
            raise ConfigError(f"bins={self.bins}: must be 2 or more; try 10")
        if not self.smoothing > 0:
            raise ConfigError(f"smoothing={self.smoothing}: must be above 0; try 0.5")
        if not self.visible > 0:
            raise ConfigError(f"visible={self.visible}: must be above 0; try 1")
