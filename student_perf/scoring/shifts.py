"""How large a change has to be for a drift report to see it: few rows show large ones only.

>>> from student_perf.scoring.shifts import smallest_shift
>>> f"{smallest_shift(150, 80, n_columns=5, alpha=0.01):.2f} standard deviations"
'0.66 standard deviations'
>>> smallest_shift(150, 3, n_columns=5, alpha=0.01)
inf
"""

from __future__ import annotations

import math

from scipy.stats import norm

from student_perf.scoring.power import POWER


def smallest_shift(n_reference: int, n_current: int, n_columns: int, alpha: float) -> float:
    """The shift of a normal column that its test finds with a power of about 0.8 or more.

    Two normal distributions d standard deviations apart have distribution functions that differ by
    up to 2 Phi(d/2) - 1; the test of Kolmogorov and Smirnov is significant from
    sqrt(-ln(a/2)/2) sqrt(1/n + 1/m) on. Source of the critical value: Smirnov 1948, Annals of
    Mathematical Statistics 19(2). That the power is then 0.8 is a result of simulation.

    Args:
        n_reference: Rows of the reference, n.
        n_current: Rows to judge, m.
        n_columns: Columns whose tests share `alpha`.
        alpha: Highest probability of any false alarm.

    Returns:
        The shift in standard deviations; infinity if these rows show none, however large.
    """
    critical = math.sqrt(-math.log(alpha / n_columns / 2) / 2) * _spread(n_reference, n_current)
    return 2 * float(norm.ppf((1 + critical) / 2)) if critical < 1 else math.inf


def smallest_share_change(n_reference: int, n_current: int, n_columns: int, alpha: float) -> float:
    """The change of a category's share near one half that is found with a power of 0.8.

    The normal approximation for two shares, which are the least precise near one half. Source:
    Fleiss, Levin and Paik 2003, "Statistical Methods for Rates and Proportions", chapter 4.

    Args: as in `smallest_shift`.

    Returns:
        The change, as a share from 0 to 1; infinity if these rows show none.
    """
    needed = norm.ppf(1 - alpha / n_columns / 2) + norm.ppf(POWER)
    change = float(needed) * 0.5 * _spread(n_reference, n_current)
    return change if change < 1 else math.inf


def _spread(n_reference: int, n_current: int) -> float:
    return math.sqrt(1 / n_reference + 1 / n_current)
