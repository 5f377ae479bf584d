"""When a change of the data is worth a warning or an alarm. Light: the command line reads it."""

from __future__ import annotations

from dataclasses import dataclass

from student_perf.errors import ConfigError


@dataclass(frozen=True)
class Thresholds:
    """Limits of `lifecycle.drift`.

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
        if not 0 < self.alpha < 1:
            raise ConfigError(f"--alpha {self.alpha}: must be between 0 and 1; try 0.01")
        if not 0 <= self.warn <= self.alarm:
            raise ConfigError(
                f"--warn {self.warn} --alarm {self.alarm}: must be 0 or more, and the alarm not "
                "below the warning; try --warn 0.1 --alarm 0.25"
            )
        if self.bins < 2:
            raise ConfigError(f"--bins {self.bins}: must be at least 2; try 10")
        if not self.smoothing > 0:
            raise ConfigError(f"--smoothing {self.smoothing}: must be above 0; try 0.5")
