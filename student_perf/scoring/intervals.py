"""The one interval of a figure: by the rows that it was measured on.

Where a record holds nothing but the scores of its folds, their corrected interval stands in.

>>> from student_perf.scoring.answers import Answers
>>> from student_perf.scoring.influence import row_scores
>>> from student_perf.scoring.metrics import METRICS
>>> truth = np.tile([0, 1], 50)
>>> answers = Answers(truth, np.eye(2)[np.where(np.arange(100) < 80, truth, 1 - truth)])
>>> measured = row_scores(METRICS["accuracy"], answers, np.arange(100), np.arange(100) % 1)
>>> estimate = row_interval(measured, METRICS["accuracy"])
>>> print(f"{estimate.mean:.2f}, {estimate.low:.3f} to {estimate.high:.3f}")
0.80, 0.689 to 0.878
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import LOPSIDED, Metric

CONFIDENCE = 0.95
_FEWEST = 1e-9  # rows of a share
_SYMMETRIC = 1e-9  # skewness below which the cube root would only round
FIXED_MODEL = 1.0  # the factor where nothing was trained: the test rows of a kept model
# How much further up than down the interval of a figure above 0 reaches: at most, and with a heavy
# tail at least. The mark of such a figure lies between the two.
_MOST_UP, _LEAST_UP = 0.75 * LOPSIDED, 1.25 * LOPSIDED


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; `std` is its deviation over folds, NaN for a single one."""

    mean: float
    std: float
    low: float
    high: float

    def within(self, metric: Metric | None) -> Estimate:
        """The interval cut off at the lowest and highest value that a metric can have, but never
        short of the figure itself: a metric of the user's own may leave its bounds.
        """
        if metric is None:
            return self
        low = max(self.low, min(metric.lowest, self.mean))
        high = min(self.high, max(metric.highest, self.mean))
        return Estimate(self.mean, self.std, low, high)


def row_interval(
    scores: RowScores,
    metric: Metric,
    std: float = math.nan,
    factor: float | None = None,
    n_together: int = 1,
) -> Estimate:
    """A figure with the interval that its rows give it; the ends are NaN if it or an influence is.

    The scale follows from the metric's bounds. Between two bounds it is Wilson's score interval
    (Wilson 1927) for as many rows as would give a share this standard error; above a lowest value
    without a highest `_skewed`, and `_tailed` if few rows can carry it; else the metric itself,
    which reaches far down if the metric whose tail it shares is carried by few.

    Args:
        scores: The figure and its influences by row.
        metric: What it is.
        std: Its deviation over folds.
        factor: On the standard error, by default that of the scores for other training rows.
        n_together: Of how many intervals it is one that shall all hold at once (Bonferroni).
    """
    mean, n = scores.mean, len(scores.unit)
    factor = scores.training if factor is None else factor
    error = factor * math.sqrt(scores.error**2 + scores.unseen)
    if n < 2 or math.isnan(mean + error):
        return Estimate(mean, std, math.nan, math.nan)
    reach = float(stdtrit(n - 1, 1 - (1 - CONFIDENCE) / (2 * n_together)))
    lowest, highest = metric.lowest, metric.highest
    low, high = mean - reach * error, mean + reach * error
    if math.isfinite(highest - lowest) and lowest <= mean <= highest:
        span = highest - lowest
        ends = _wilson((mean - lowest) / span, error / span, n / factor**2, reach)
        low, high = (lowest + span * end for end in ends)
    elif math.isfinite(lowest) and mean > lowest:
        low, high = _above_zero(scores, metric, error, reach)
    elif scores.shares_tail:
        low = mean - _LEAST_UP * (high - mean)
    return Estimate(mean, std, low, high).within(metric)


def _above_zero(
    scores: RowScores, metric: Metric, error: float, reach: float
) -> tuple[float, float]:
    """Interval of a figure above its lowest value, a root on the scale of its square."""
    power, above = 2 if metric.root else 1, scores.mean - metric.lowest
    figure, scale = above**power, power * above ** (power - 1)
    ends = _skewed(figure, scale * error, scores.skewness, reach)
    if metric.heavy is not None:
        ends = _tailed(figure, *ends, is_heavy=scores.has_heavy_tail(metric))
    low, high = (metric.lowest + end ** (1 / power) for end in ends)
    return low, high


def _wilson(share: float, error: float, n: float, reach: float) -> tuple[float, float]:
    """Score interval of a share with this standard error; where that is 0, at 0 and 1, of n rows:
    that nothing was wrong in few rows does not make it certain.
    """
    if error > 0:
        n = share * (1 - share) / error**2
    elif 0 < share < 1:
        return share, share
    n = max(
        n, _FEWEST
    )  # a share at its bound whose rows differ, which a metric of one's own can be
    middle = (share + reach**2 / (2 * n)) / (1 + reach**2 / n)
    half = reach * math.sqrt(share * (1 - share) / n + reach**2 / (4 * n**2)) / (1 + reach**2 / n)
    return min(middle - half, share), max(middle + half, share)


def _skewed(figure: float, error: float, skewness: float, reach: float) -> tuple[float, float]:
    """Interval of a mean above 0 whose rows have a long tail: the t-interval after the cubic
    transformation that takes the skewness out of t (Hall 1992, "On the removal of skewness by
    transformation", Journal of the Royal Statistical Society B 54).
    """
    low, high = (figure - error * _unskewed(end, skewness) for end in (reach, -reach))
    return max(low, 0.0), high


def _tailed(figure: float, low: float, high: float, *, is_heavy: bool) -> tuple[float, float]:
    """The same interval of errors: with a heavy tail it reaches far up, as rows with larger errors
    may be missing here; without one the skewness of few rows does not carry it far.
    """
    up, down = high - figure, figure - low
    up = max(up, _LEAST_UP * down) if is_heavy else min(up, _MOST_UP * down)
    return low, figure + up


def _unskewed(reach: float, skewness: float) -> float:
    """The value of t that Hall's transformation takes to `reach`."""
    if abs(skewness) < _SYMMETRIC:
        return reach
    return 3 / skewness * (math.cbrt(1 + skewness * (reach - skewness / 6)) - 1)


def fold_interval(
    values: np.ndarray, test_over_train: float, metric: Metric | None = None
) -> Estimate:
    """Mean of fold scores with its corrected interval, see `corrected_error`.

    Args:
        values: A figure of each fold, shape (J,).
        test_over_train: Ratio of validation to training rows.
        metric: What the figures are, if their bounds hold for the interval too.

    Returns:
        The estimate; a single fold says nothing about the spread, so its interval is NaN.
    """
    if len(values) < 2:
        return Estimate(float(values.mean()), math.nan, math.nan, math.nan)
    mean, std = float(values.mean()), float(values.std(ddof=1))
    width = float(half_width(corrected_error(std, len(values), test_over_train), len(values)))
    return Estimate(mean, std, mean - width, mean + width).within(metric)


def corrected_error(std: Any, n_folds: int, test_over_train: float) -> Any:
    """Standard error of a mean over folds whose scores have this deviation, a number or an array.

    Folds share training rows, so their scores are not independent and the usual standard error is
    too small. The variance of the mean is taken as (1/J + n_test/n_train) * s^2 with J-1 degrees of
    freedom (Nadeau and Bengio 2003, "Inference for the Generalization Error", Machine Learning 52).
    """
    return std * np.sqrt(1 / n_folds + test_over_train)


def half_width(error: Any, n_folds: int) -> Any:
    """Half of the 95 % interval of a mean over J >= 2 folds with this standard error."""
    return error * stdtrit(n_folds - 1, (1 + CONFIDENCE) / 2)
