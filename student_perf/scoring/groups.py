"""Does a group of rows really differ from the others, or has chance dealt it better or worse ones?

>>> rng = np.random.default_rng(0)
>>> school = np.repeat(np.arange(4), 100)
>>> hit = rng.random(400) < np.array([0.4, 0.6, 0.6, 0.6])[school]
>>> [f"{p:.2f}" for p in apart(hit, school)]
['0.00', '0.34', '0.98', '0.14']
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MOST, _FEWEST = 499, 99  # ways to deal the figures
_MOST_FIGURES = 5_000_000  # of all of them together
_MOST_ROWS = 50_000  # beyond them a sample shows every difference that matters
_AT_ONCE = 1_000_000
_ROUNDING = 1e-9  # of a t


def apart(figures: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """The p-value of each group that its mean is that of all other rows, corrected for all groups.

    A permutation test: the figures are dealt to the rows anew, and a group differs if its t exceeds
    what chance gives the largest t of all groups (Westfall and Young 1993, "Resampling-Based
    Multiple Testing", chapter 2). The t has Welch's error, so that a group whose figures only
    scatter more is not taken for another one (Janssen 1997, Statistics and Probability Letters 36).
    Of more than 50,000 rows a sample is dealt.

    Args:
        figures: Of each row, shape (n,), for example its influence on a metric.
        groups: Number of each row's group, shape (n,), from 0, and -1 for none; or the groups of
            several divisions of the rows, shape (n, divisions), numbered through.
        seed: Of the permutations and the sample.

    Returns:
        Shape (groups,), 1 for a group of no or of all rows.
    """
    # Imported here: scipy.sparse takes a while, and few commands need it.
    from scipy.sparse import csr_array

    rng, n_groups = np.random.default_rng(seed), int(groups.max(initial=-1)) + 1
    if len(figures) > _MOST_ROWS:
        some = rng.choice(len(figures), _MOST_ROWS, replace=False)
        figures, groups = figures[some], groups[some]
    n = len(figures)
    codes = groups.reshape(n, -1)
    row = np.repeat(np.arange(n), codes.shape[1])[codes.ravel() >= 0]
    held = codes.ravel()[codes.ravel() >= 0]
    holds = csr_array((np.ones(len(held)), (held, row)), shape=(n_groups, n))
    values = np.asarray(figures, dtype=np.float64)
    values = (values - values.mean()) / (values.std() or 1.0)
    known = _statistics(values[None], holds)[0]
    reached, times = np.ones(n_groups), 1
    for size in _sizes(n):
        dealt = rng.permuted(np.broadcast_to(values, (size, n)), axis=1)
        largest = _statistics(dealt, holds).max(axis=1, initial=0.0)
        reached += (largest[:, None] >= known - _ROUNDING).sum(axis=0)
        times += size
    p_values: np.ndarray = reached / times
    return p_values


def _sizes(n: int) -> list[int]:
    """How many ways to deal n figures are made at once, until there are enough."""
    wanted = int(np.clip(_MOST_FIGURES // n, _FEWEST, _MOST))
    step = max(1, _AT_ONCE // n)
    return [min(step, wanted - start) for start in range(0, wanted, step)]


def _statistics(dealt: np.ndarray, holds: Any) -> np.ndarray:
    """|t| of each group against all other rows, shape (B, groups), of B ways to deal figures of
    mean 0 and deviation 1.

    Each side counts one row more, which scatters as all do: few rows that are all alike do not make
    their mean certain.
    """
    n, size = dealt.shape[1], holds.sum(axis=1)
    total, squares = (holds @ dealt.T).T, (holds @ (dealt**2).T).T
    means, error = [], np.zeros(total.shape)
    for sums, square, count in ((total, squares, size), (-total, n - squares, n - size)):
        held = np.maximum(count, 1)
        mean = sums / held
        means.append(mean)
        error += (square - count * mean**2 + 1.0) / (held + 1.0) / held
    t: np.ndarray = np.abs(means[0] - means[1]) / np.sqrt(error)
    return np.where((size > 0) & (size < n), t, 0.0)
