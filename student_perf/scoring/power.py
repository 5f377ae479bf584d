"""How large a difference must be for rows or folds to show it, known before anything is fitted.

The test is that of `paired`. Its power follows from the noncentral t distribution (Cohen 1988,
"Statistical Power Analysis for the Behavioral Sciences", chapter 2).
"""

from __future__ import annotations

import math

from scipy.special import nctdtrinc, stdtrit

from student_perf.scoring.paired import ALPHA

POWER = 0.8
# Of being right on a row, or of squared errors. Between two trials of searches on the datasets of
# `conf/dataset` the median was 0.35 to 1.0, in most of them 0.7 to 0.9.
ASSUMED_CORRELATION = 0.7


def smallest_difference(error: float, freedom: float) -> float:
    """The true difference of two configurations that the test finds with probability `POWER`.

    Args:
        error: Standard error of their difference.
        freedom: Its degrees of freedom: one less than the rows or folds that are paired.
    """
    threshold = stdtrit(freedom, 1 - ALPHA / 2)
    return float(error * nctdtrinc(freedom, 1 - POWER, threshold))


def shown_by(low: float, high: float) -> float:
    """The same, from the 95 % interval of a difference over many rows."""
    threshold = stdtrit(math.inf, 1 - ALPHA / 2)
    reached = stdtrit(math.inf, POWER)
    return float((high - low) / 2 * (threshold + reached) / threshold)


def share_error(share: float, correlation: float, n_rows: float) -> float:
    """Standard error of the difference of two shares of right answers on the same rows.

    Each has the variance `share * (1 - share) / n_rows`; answers that are right or wrong together
    take their correlation off.

    Args:
        share: Of right answers, of both alike.
        correlation: Of being right, between the two, over rows.
        n_rows: How many rows both have answered.
    """
    return math.sqrt(2 * share * (1 - share) * (1 - correlation) / n_rows)


def rmse_error(rmse: float, correlation: float, n_rows: float) -> float:
    """Standard error of the difference of two root mean squared errors on the same rows.

    Squared normal errors have the variance 2 rmse^4, so the root of their mean has the variance
    rmse^2 / (2 n_rows).

    Args:
        rmse: Root mean squared error, of both alike.
        correlation: Of the squared errors, between the two, over rows.
        n_rows: How many rows both have answered.
    """
    return rmse * math.sqrt((1 - correlation) / n_rows)


def rows_needed(difference: float, smallest: float, n_rows: int) -> int:
    """Rows that show a difference if `n_rows` show one of `smallest`, both with probability `POWER`
    and the same split: the difference that is seen shrinks with the root of the rows.
    """
    return math.ceil(n_rows * (smallest / difference) ** 2)
