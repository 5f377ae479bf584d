"""Whole groups divided so that every part holds the classes in proportion, as far as groups allow.

scikit-learn's `StratifiedGroupKFold` puts one group after the other, the most uneven first, where
it evens the class shares most. Few groups of unequal sizes can so leave a fold without some class,
or without any row, though another division has no such gap. Then other orders of the groups are
tried, and what comes out is mended by moving and swapping groups.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

_ORDERS = 10  # of groups that are tried
_DRAWS = 300  # of a part that is set aside

# Cells of the table of folds by class without a row, then the spread of the class shares.
Cost = tuple[int, float]


def group_folds(counts: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    """The fold of each group, shape (G,), 0 to `n_splits` - 1.

    Args:
        counts: Rows of each class in each group, shape (G, K).
        n_splits: Number of folds, at most G.
        seed: Decides among equals.
    """
    counts = counts[:, counts.sum(axis=0) > 0]
    unavoidable = int(np.maximum(n_splits - (counts > 0).sum(axis=0), 0).sum())
    found = []
    for order in range(_ORDERS):
        folds = _mended(counts, _by_sklearn(counts, n_splits, seed + order), n_splits)
        found.append((_cost(counts, folds, n_splits), order, folds))
        if found[-1][0][0] == unavoidable:
            break
    return min(found, key=lambda one: one[:2])[2]


def group_cut(counts: np.ndarray, n_cut: int, seed: int) -> np.ndarray:
    """Which `n_cut` of the groups to set aside, shape (G,), boolean: of many draws the one whose
    rows come nearest to that share of every class, and which leaves no side without one.
    """
    rng, counts = np.random.default_rng(seed), counts[:, counts.sum(axis=0) > 0]
    totals = counts.sum(axis=0)
    draws = [rng.permutation(len(counts))[:n_cut] for _ in range(_DRAWS)]
    taken = np.array([counts[chosen].sum(axis=0) for chosen in draws])
    lacking = ((taken == 0) | (taken == totals)).sum(axis=1)
    distance = np.abs(taken / totals - n_cut / len(counts)).max(axis=1)
    is_cut = np.zeros(len(counts), dtype=bool)
    is_cut[draws[np.lexsort((distance, lacking))[0]]] = True
    return is_cut


def _by_sklearn(counts: np.ndarray, n_splits: int, seed: int) -> np.ndarray:
    group, of_class = np.nonzero(counts)
    times = counts[group, of_class]
    groups, y = np.repeat(group, times), np.repeat(of_class, times)
    if np.bincount(y).max() < n_splits:
        y = np.zeros_like(y)  # it refuses classes that are all so small
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed % 2**32)
    folds = np.zeros(len(counts), dtype=np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # folds that lack a class are named by `undefined`
        for number, (_, validation) in enumerate(splitter.split(y, y, groups)):
            folds[groups[validation]] = number
    return folds


def _table(counts: np.ndarray, folds: np.ndarray, n_splits: int) -> np.ndarray:
    """Rows of each class in each fold, shape (n_splits, K)."""
    table = np.zeros((n_splits, counts.shape[1]))
    np.add.at(table, folds, counts)
    return table


def _cost(counts: np.ndarray, folds: np.ndarray, n_splits: int) -> Cost:
    table = _table(counts, folds, n_splits)
    return int((table == 0).sum()), float((table / counts.sum(axis=0)).std(axis=0).sum())


def _mended(counts: np.ndarray, folds: np.ndarray, n_splits: int) -> np.ndarray:
    """The folds after moves and swaps of groups that each leave fewer gaps, or evener shares."""
    cost = _cost(counts, folds, n_splits)
    while cost[0]:
        changed = [
            (_cost(counts, new, n_splits), number, new)
            for number, new in enumerate(_changes(counts, folds, n_splits))
        ]
        if not changed or min(changed)[0] >= cost:
            break
        cost, _, folds = min(changed)
    return folds


def _changes(counts: np.ndarray, folds: np.ndarray, n_splits: int) -> Iterator[np.ndarray]:
    """The folds with a group that has a lacking class moved to where it lacks, alone or against a
    group from there.
    """
    for fold, of_class in np.argwhere(_table(counts, folds, n_splits) == 0):
        for group in np.flatnonzero((counts[:, of_class] > 0) & (folds != fold)):
            moved = folds.copy()
            moved[group] = fold
            yield moved
            for other in np.flatnonzero(folds == fold):
                swapped = moved.copy()
                swapped[other] = folds[group]
                yield swapped
