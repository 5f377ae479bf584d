"""Whether predicted probabilities can be taken at their word."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, ndtri

from student_perf.scoring.answers import Answers, effective_number
from student_perf.scoring.intervals import CONFIDENCE, Estimate

N_BINS = 10
_DRAWS = 499
_MOST_ROWS = 20_000  # beyond them a sample shows every difference that matters


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed frequency in the bins that hold rows, each array of shape (B,).

    `low` and `high` bound the observed `frequency`, in all bins at once; `count` predictions lie in
    a bin; `error` is the expected calibration error, `debiased` the calibration error without what
    chance adds, with its interval.
    """

    confidence: np.ndarray
    frequency: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    error: float
    debiased: Estimate


def reliability_of(answers: Answers, n_repeats: int = 1) -> Reliability:
    """The `reliability` of held-out answers, with their weights and groups."""
    return reliability(
        answers.y_true,
        answers.output,
        n_repeats,
        weights=answers.weights,
        groups=answers.groups,
    )


def reliability(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    n_repeats: int = 1,
    n_bins: int = N_BINS,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Reliability:
    """Bins of equal width over the confidence, and how far confidence and frequency lie apart.

    `y_true` holds codes 0..K-1, shape (n,), `probabilities` has shape (n, K). For two classes the
    confidence is the probability of the second and the frequency its share; for more it is the
    probability of the predicted class and the share of right predictions. The expected calibration
    error (ECE) is the mean over rows of |confidence - frequency| of their bin (Naeini et al. 2015,
    "Obtaining Well Calibrated Probabilities Using Bayesian Binning"; Guo et al. 2017, "On
    Calibration of Modern Neural Networks"). It exceeds 0 by chance, the more so the fewer the rows;
    the debiased error takes that off. Intervals of the frequencies are exact (Clopper and Pearson
    1934) and hold in all bins at once (Bonferroni); a row that `n_repeats` repeats predict counts
    once in them. Rows with `weights`, shape (n,), count as many as their effective number. Rows of
    one of the `groups`, shape (n,), count once in a bin, as they may share their truth.
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    confidence, hit = _said(y_true, probabilities)
    of_row = _bins(confidence, n_bins)
    count = np.bincount(of_row, minlength=n_bins)
    held = count > 0
    count = count[held]

    def total(of_rows: np.ndarray) -> np.ndarray:
        sums: np.ndarray = np.bincount(of_row, weights * of_rows, n_bins)[held]
        return sums

    weight = total(np.ones(len(weights)))
    mean_confidence, frequency = total(confidence) / weight, total(hit) / weight
    if groups is None:
        n_independent = effective_number(weights, of_row, n_bins)[held] / n_repeats
    else:
        n_independent = _effective_groups(weights, of_row, groups, n_bins)[held]
    low, high = _exact_interval(frequency, n_independent)
    distance, share = np.abs(mean_confidence - frequency), weight / weight.sum()
    debiased = _debiased(distance, frequency, n_independent, share)
    error = float(distance @ share)
    return Reliability(mean_confidence, frequency, low, high, count, error, debiased)


def calibration_p(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    row: np.ndarray,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> float:
    """The p-value that every probability can be taken at its word: how often the expected
    calibration error is as large if each row is right with the probability that it says (Broecker
    and Smith 2007, "Increasing the Reliability of Reliability Diagrams"). A row that repeats
    predict several times is drawn once, and a group once for all its rows, as they may share their
    truth. Of more than 20,000 predictions a sample is drawn.

    Args:
        y_true: Codes 0..K-1, shape (n,).
        probabilities: Shape (n, K).
        row: The row of each prediction, shape (n,).
        weights: Of each prediction, shape (n,); None counts each once.
        groups: Number of the group of each, shape (n,), if rows of a group are not independent.
        seed: Of the draws.
    """
    rng, unit = np.random.default_rng(seed), row if groups is None else groups
    weights = np.ones(len(row)) if weights is None else weights
    if len(row) > _MOST_ROWS:
        some = rng.choice(len(row), _MOST_ROWS, replace=False)
        y_true, probabilities = y_true[some], probabilities[some]
        unit, weights = unit[some], weights[some]
    confidence, hit = _said(y_true, probabilities)
    bins = np.eye(N_BINS)[_bins(confidence, N_BINS)] * weights[:, None]
    numbers, place = np.unique(unit, return_inverse=True)
    drawn = rng.random((_DRAWS, len(numbers)))[:, place] < confidence
    gaps = np.abs((np.vstack([hit, drawn]) - confidence) @ bins).sum(axis=1)
    return float((gaps[0] <= gaps + 1e-9).mean())


def _said(y_true: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of each prediction, and whether it came true."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1], y_true == 1
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true


def _effective_groups(
    weights: np.ndarray, of_row: np.ndarray, groups: np.ndarray, n_bins: int
) -> np.ndarray:
    """How many groups of equal weight those of each bin are worth, shape (n_bins,)."""
    _, group = np.unique(groups, return_inverse=True)
    cells, cell = np.unique(group * n_bins + of_row, return_inverse=True)
    return effective_number(np.bincount(cell, weights), cells % n_bins, n_bins)


def _bins(confidence: np.ndarray, n_bins: int) -> np.ndarray:
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    bins: np.ndarray = np.digitize(confidence, edges, right=True)
    return bins


def _debiased(
    distance: np.ndarray, frequency: np.ndarray, count: np.ndarray, share: np.ndarray
) -> Estimate:
    """Root of the mean squared distance without what chance adds to it, which is the variance of a
    bin's frequency (Broecker 2012, "Estimating Reliability and Resolution of Probability Forecasts
    Through Decomposition of the Empirical Score"; Kumar, Liang and Ma 2019, "Verified Uncertainty
    Calibration"). Its interval follows from that of the squared distances, which vary by 4 d^2 v +
    2 v^2 in a bin. A bin of one row says nothing.
    """
    known = count > 1
    chance = np.where(known, frequency * (1 - frequency) / np.where(known, count - 1, 1), 0.0)
    squared = np.where(known, distance**2 - chance, 0.0)
    # Where a bin has no miss or no hit the frequency's own variance is 0, and not its chance.
    spread = np.maximum(chance, np.where(known, 1 / (count + 2) ** 2, 0.0))
    figure = float(squared @ share)
    varies = 4 * np.maximum(squared, 0.0) * spread + 2 * spread**2
    reach = float(ndtri((1 + CONFIDENCE) / 2)) * math.sqrt(float(share**2 @ varies))
    mean, low, high = (math.sqrt(max(0.0, end)) for end in (figure, figure - reach, figure + reach))
    return Estimate(mean, math.nan, low, high)


def _exact_interval(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of all shares at once. So far out in the tails, where each of many intervals has to hold, the
    approximations for a share of few rows hold too seldom.
    """
    tail, hits = (1 - CONFIDENCE) / (2 * len(share)), share * count
    low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-9), count - hits + 1, tail), 0.0)
    misses = count - hits
    high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1e-9), 1 - tail), 1.0)
    # Rounding may leave a bound beyond the share itself.
    return np.minimum(low, share), np.maximum(high, share)
