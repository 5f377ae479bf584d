"""How large a difference must be for some folds to show it, known before anything is fitted.

The test is that of `paired`: the corrected resampled t-test of Nadeau and Bengio (2003). Its power
follows from the noncentral t distribution (Cohen 1988, "Statistical Power Analysis for the
Behavioral Sciences", chapter 2), with the corrected standard error in place of the usual one.
"""

from __future__ import annotations

import math

from scipy.special import nctdtrinc, stdtrit

from student_perf.scoring.intervals import corrected_error
from student_perf.scoring.paired import ALPHA

POWER = 0.8
# Of being right on a row, or of squared errors. Between two trials of searches on the datasets of
# `conf/dataset` the median was 0.35 to 1.0, in most of them 0.7 to 0.9.
ASSUMED_CORRELATION = 0.7


def smallest_difference(std: float, n_folds: int, test_over_train: float) -> float:
    """The true difference of two configurations that the test finds with probability `POWER`.

    Args:
        std: Deviation of their difference over folds.
        n_folds: Number of folds, two or more.
        test_over_train: Ratio of validation to training rows.
    """
    threshold = stdtrit(n_folds - 1, 1 - ALPHA / 2)
    shift = nctdtrinc(n_folds - 1, 1 - POWER, threshold)
    return float(shift * corrected_error(std, n_folds, test_over_train))


def share_deviation(share: float, correlation: float, n_rows: float) -> float:
    """Deviation over folds of the difference of two shares of right answers on the same rows.

    Each has the variance `share * (1 - share) / n_rows`; answers that are right or wrong together
    take their correlation off. What differs because of training rows comes on top, so this is the
    least.

    Args:
        share: Of right answers, of both alike.
        correlation: Of being right, between the two, over rows.
        n_rows: Validation rows of a fold.
    """
    return math.sqrt(2 * share * (1 - share) * (1 - correlation) / n_rows)


def error_deviation(rmse: float, correlation: float, n_rows: float) -> float:
    """Deviation over folds of the difference of two root mean squared errors on the same rows.

    Squared normal errors have the variance 2 rmse^4, so the root of their mean over a fold has the
    variance rmse^2 / (2 n_rows); as in `share_deviation` this is the least.

    Args:
        rmse: Root mean squared error, of both alike.
        correlation: Of the squared errors, between the two, over rows.
        n_rows: Validation rows of a fold.
    """
    return rmse * math.sqrt((1 - correlation) / n_rows)


def rows_needed(difference: float, smallest: float, n_rows: int) -> int:
    """Rows that show a difference if `n_rows` show one of `smallest`, both with probability `POWER`
    and the same split: the difference that is seen shrinks with the root of the rows.
    """
    return math.ceil(n_rows * (smallest / difference) ** 2)
