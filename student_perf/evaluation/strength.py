"""How far columns determine a target or each other, as figures from 0 to 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from student_perf.scoring.answers import roc_auc

# Two grades of one subject, an honest pair (G2 and G3), have 0.4 and correlate by 0.96.
COPY_SHARE = 0.95
COPY_CORRELATION = 0.99
_FEWEST_ROWS = 10
_ROWS_PER_VALUE = 5
_BINS, _WORTH_IT = 32, 0.6
_ANGLES = 24  # in half a turn, and again between two of them
_LARGEST_TABLE = 1_000_000  # cells


def feature_strength(column: pd.Series, target: np.ndarray, task: str) -> float:
    """How far a single feature determines the target, 0 to 1: by its values if it is not
    missing, or by being missing at all, whichever says more.

    Classes: the highest one-vs-rest AUC of its values (either direction) or, for text, of its
    categories' class shares. Numbers: absolute rank correlation, or the share of variance between
    categories (eta squared). Text with fewer than five rows a category says nothing and gives 0.
    """
    present = column.notna()
    by_value = _strength_of_values(column[present], target[present.to_numpy()], task)
    if present.all():
        return by_value
    return max(by_value, _strength_of_values(present.astype("float64"), target, task))


def explained_share(column: pd.Series, target: np.ndarray, task: str) -> float:
    """Which share of all that is to be known of the target a column carries, 0 to 1, through noise
    too.

    Classes: the share of errors that knowing the column saves (lambda of Goodman and Kruskal).
    Numbers: R squared of a line or the share of variance between parts (eta squared). The parts of
    a column of numbers are the leaves of a tree, each with many rows. Missing cells are left out.
    """
    present = column.notna().to_numpy()
    y = target[present]
    is_number = column.dtype == np.float64
    x, values = pd.factorize(column[present])
    if len(y) < max(_FEWEST_ROWS, len(target) / 2) or len(values) < 2 or len(np.unique(y)) < 2:
        return 0.0
    if not is_number:
        return _told(x, y, task) if len(y) >= _ROWS_PER_VALUE * len(values) else 0.0
    numbers = column[present].to_numpy(np.float64)
    line = correlation(numbers, y) ** 2 if task == "regression" else 0.0
    # Equal bins, which cost next to nothing, show whether the cuts of a tree are worth the time.
    rough = _told_by_bins(numbers, y, task)
    return max(line, _told(_leaves(numbers, y, task), y, task) if rough >= _WORTH_IT else rough)


def best_direction(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The weights (2,) of the sum of two columns, x (n, 2), that tells most of the classes.

    A least-squares plane would tilt it where the columns are not normal, so angles are tried.
    """
    scale = x.std(axis=0)
    best = 0.0
    for steps in (np.arange(_ANGLES), np.arange(-_ANGLES, _ANGLES + 1) / _ANGLES):
        angles = best + steps * np.pi / _ANGLES
        directions = np.column_stack([np.cos(angles), np.sin(angles)]) / scale
        told = [_told_by_bins(x @ weights, y, "classification") for weights in directions]
        best = angles[int(np.argmax(told))]
    weights: np.ndarray = np.array([np.cos(best), np.sin(best)]) / scale
    return weights


def _told_by_bins(numbers: np.ndarray, y: np.ndarray, task: str) -> float:
    edges = np.unique(np.quantile(numbers, np.arange(1, _BINS) / _BINS))
    return _told(np.searchsorted(edges, numbers, side="right"), y, task)


def _told(parts: np.ndarray, y: np.ndarray, task: str) -> float:
    """What the part of a row tells of its target."""
    if task == "classification":
        return association(parts, y)
    sizes = np.bincount(parts)
    means = np.bincount(parts, y) / np.maximum(sizes, 1)
    return float((sizes * (means - y.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum())


def _leaves(numbers: np.ndarray, y: np.ndarray, task: str) -> np.ndarray:
    """The leaf of each row in a small tree over one column of numbers, as codes."""
    kind = DecisionTreeClassifier if task == "classification" else DecisionTreeRegressor
    leaf = max(_ROWS_PER_VALUE, len(y) // 50)
    x = numbers.astype(np.float32)[:, None]
    tree = kind(min_samples_leaf=leaf, max_leaf_nodes=30, random_state=0).fit(x, y)
    return np.unique(tree.apply(x), return_inverse=True)[1]


def same_information(one: pd.Series, two: pd.Series) -> bool:
    """Whether nearly every value of one column goes with a single value of the other and back, or
    both order the rows alike: a copy stays one with a few cells changed or a little noise added.
    """
    both = (one.notna() & two.notna()).to_numpy()
    if both.sum() < max(2, COPY_SHARE * len(one)):
        return False
    a, b = pd.factorize(one[both])[0], pd.factorize(two[both])[0]
    if min(a.max(), b.max()) < 1:
        return False
    if min(association(a, b), association(b, a)) >= COPY_SHARE:
        return True
    if one.dtype != np.float64 or not pd.api.types.is_numeric_dtype(two):
        return False
    x, y = one[both].to_numpy(np.float64), two[both].to_numpy(np.float64)
    return max(correlation(x, y), correlation(rankdata(x), rankdata(y))) >= COPY_CORRELATION


def association(a: np.ndarray, b: np.ndarray) -> float:
    """Goodman and Kruskal's lambda (1954): by which share knowing `a` lessens the errors made when
    `b` is guessed as the commonest value, 0 to 1; both are codes with two values or more.
    """
    guessed = np.bincount(b).max()
    if (size := (int(a.max()) + 1) * (n_values := int(b.max()) + 1)) <= _LARGEST_TABLE:
        known = (
            np.bincount(a * n_values + b, minlength=size).reshape(-1, n_values).max(axis=1).sum()
        )
    else:
        known = pd.Series(b).groupby([a, b]).size().groupby(level=0).max().sum()
    return float((known - guessed) / (len(b) - guessed))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Absolute correlation of two columns of numbers."""
    return abs(float(np.corrcoef(a, b)[0, 1]))


def _strength_of_values(values: pd.Series, y: np.ndarray, task: str) -> float:
    if len(y) < _FEWEST_ROWS or values.nunique() < 2 or len(np.unique(y)) < 2:
        return 0.0
    numeric = values.dtype == np.float64
    if not numeric and len(y) < _ROWS_PER_VALUE * values.nunique():
        return 0.0
    if task == "regression":
        if numeric:
            return correlation(rankdata(values), rankdata(y))
        return _eta_squared(values, y)
    strengths = []
    for code in np.unique(y):
        positive = y == code
        score = (
            values if numeric else pd.Series(positive).groupby(values.to_numpy()).transform("mean")
        )
        area = roc_auc(positive, np.asarray(score, dtype=np.float64))
        strengths.append(max(area, 1 - area))
    return max(strengths)


def _eta_squared(values: pd.Series, y: np.ndarray) -> float:
    means = pd.Series(y).groupby(values.to_numpy()).transform("mean").to_numpy()
    return float(((means - y.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum())
