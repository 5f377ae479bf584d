"""Whether predicted probabilities can be taken at their word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from student_perf.scoring.answers import effective_number
from student_perf.scoring.intervals import CONFIDENCE

N_BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Predicted against observed frequency in the bins that hold rows, each array of shape (B,).

    `low` and `high` bound the observed `frequency`, `count` predictions lie in a bin; `error` is
    the expected calibration error.
    """

    confidence: np.ndarray
    frequency: np.ndarray
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    error: float


def reliability(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    n_repeats: int = 1,
    n_bins: int = N_BINS,
    weights: np.ndarray | None = None,
) -> Reliability:
    """Bins of equal width over the confidence, and the expected calibration error (ECE).

    `y_true` holds codes 0..K-1, shape (n,), `probabilities` has shape (n, K). For two classes the
    confidence is the probability of the second and the frequency its share; for more it is the
    probability of the predicted class and the share of right predictions. The ECE is the mean over
    rows of |confidence - frequency| of their bin (Naeini et al. 2015, "Obtaining Well Calibrated
    Probabilities Using Bayesian Binning"; Guo et al. 2017, "On Calibration of Modern Neural
    Networks"). It exceeds 0 by chance, the more so the fewer the rows, so it is taken over all
    held-out rows at once and not fold by fold. Intervals of the frequencies are Wilson's (1927); a
    row that `n_repeats` repeats predict counts once in them. Rows with `weights`, shape (n,), count
    as many as their effective number (Kish 1965, "Survey Sampling"), the square of the sum of
    weights over the sum of their squares.
    """
    weights = np.ones(len(y_true)) if weights is None else weights
    if probabilities.shape[1] == 2:
        confidence, hit = probabilities[:, 1], y_true == 1
    else:
        confidence, hit = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    of_row = np.digitize(confidence, edges, right=True)
    count = np.bincount(of_row, minlength=n_bins)
    held = count > 0
    count = count[held]

    def total(of_rows: np.ndarray) -> np.ndarray:
        sums: np.ndarray = np.bincount(of_row, weights * of_rows, n_bins)[held]
        return sums

    weight = total(np.ones(len(weights)))
    mean_confidence, frequency = total(confidence) / weight, total(hit) / weight
    low, high = _wilson_interval(
        frequency, effective_number(weights, of_row, n_bins)[held] / n_repeats
    )
    error = float(np.abs(mean_confidence - frequency) @ weight / weight.sum())
    return Reliability(mean_confidence, frequency, low, high, count, error)


def _wilson_interval(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = float(ndtri((1 + CONFIDENCE) / 2))
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    width = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    # Rounding may leave a bound beyond the share itself if that is 0 or 1.
    return np.clip(centre - width, 0, share), np.clip(centre + width, share, 1)
