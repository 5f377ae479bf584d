"""Which of several models may be the best? A confidence set, from the rows that all have answered.

>>> rng = np.random.default_rng(0)
>>> hit = rng.random((3, 400)) < np.array([[0.6], [0.58], [0.4]])
>>> scores = [RowScores(one.mean(), np.arange(400), (one - one.mean()) / 400) for one in hit]
>>> [f"{p:.2f}" for p in may_be_best(scores, sign=1)]
['0.72', '1.00', '0.00']
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from student_perf.scoring.influence import RowScores
from student_perf.scoring.paired import by_rows, rounded

_MOST, _FEWEST = 4000, 400  # draws
_MOST_PAIRS = 16_000_000  # of models in all draws together


def may_be_best(
    scores: Sequence[RowScores], sign: int, factor: float | None = None, seed: int = 0
) -> np.ndarray:
    """The p-value of each of M models that none of the others is better, corrected for all of them.

    Those above 0.05 are a set that holds the best model with 95 %, whichever looks best: a model is
    left out if the largest t of another against it is more than chance gives the largest, by normal
    draws with the covariance of the influences (Lei 2020, "Cross-Validation With Confidence",
    Journal of the American Statistical Association 115). That is one-sided; no p is below the
    two-sided one of the paired test with the best, which it is of two models.

    Args:
        scores: A metric of each model on the same units.
        sign: 1 if more of it is better, -1 if less is.
        factor: On the standard errors, by default that of the scores for other training rows.
        seed: Of the draws.

    Returns:
        Shape (M,); 1 for the best of them, and NaN for all if a figure is.
    """
    factor = max(one.training for one in scores) if factor is None else factor
    mean = sign * np.array([one.mean for one in scores])
    moved = np.array([one.moved for one in scores])
    covariance = moved @ moved.T
    if np.isnan(mean).any() or np.isnan(covariance).any():
        return np.full(len(scores), np.nan)
    variance, scale = covariance.diagonal(), np.abs(mean).max()
    error = np.sqrt(np.maximum(variance[:, None] + variance - 2 * covariance, 0.0))
    error, gap = rounded(error, scale), rounded(mean - mean[:, None], scale)
    certain = np.where(gap > 0, np.inf, 0.0)
    largest = np.divide(gap, factor * error, out=certain, where=error > 0).max(axis=1)
    draws, p_values = _draws(covariance, seed), np.ones(len(scores))
    for i in np.flatnonzero(largest > 0):
        others = error[i] > 0
        t = (draws[:, others] - draws[:, [i]]) / error[i, others]
        p_values[i] = (t.max(axis=1, initial=-np.inf) >= largest[i]).mean()
    with_best = by_rows(scores, scores[int(mean.argmax())], factor).tested().p_value
    corrected: np.ndarray = np.maximum(p_values, with_best)
    return corrected


def _draws(covariance: np.ndarray, seed: int) -> np.ndarray:
    """What chance does to all figures together, shape (draws, M)."""
    size, directions = np.linalg.eigh(covariance)
    n_draws = int(np.clip(_MOST_PAIRS // len(covariance) ** 2, _FEWEST, _MOST))
    normal = np.random.default_rng(seed).normal(size=(n_draws, len(covariance)))
    draws: np.ndarray = (normal * np.sqrt(np.maximum(size, 0.0))) @ directions.T
    return draws
