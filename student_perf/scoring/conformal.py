"""Sets of classes, or intervals, that hold the truth of a new row at a chosen rate.

Every held-out row has a strangeness: how badly its truth fits what was answered by a model that had
not seen it. The set of a new row holds each answer that is at most as strange as that rate of them,
so it costs no fit.

This is cross-conformal prediction (Vovk 2015, "Cross-conformal predictors", Annals of Mathematics
and Artificial Intelligence 74) with the kept model in place of the models of the folds, as in the
jackknife. CV+ (Barber, Candes, Ramdas and Tibshirani 2021, "Predictive inference with the
jackknife+", Annals of Statistics 49) asks the fold models, which nobody keeps. Its proof therefore
does not carry over; `studies/sets.py` measures the coverage.

>>> truth = np.arange(100) % 2
>>> sets = prediction_sets(Answers(truth, np.full((100, 2), 0.5)), np.arange(100))
>>> sets.limit(0.9), sets.size(0.9)
(0.5, 2.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from student_perf.errors import ConfigError
from student_perf.scoring.answers import Answers, effective_number

LEVELS = tuple(percent / 100 for percent in range(50, 100))
OPTION = "--coverage"


@dataclass(frozen=True)
class PredictionSets:
    """How strange an answer of a new row may be.

    Attributes:
        n: Independent held-out rows, or groups of rows, that the limits rest on; with weights how
            many of equal weight they are worth.
        limits: The highest strangeness in a set for each of `LEVELS`; None for those that n cannot
            show.
        sizes: Mean number of classes in a set of the held-out rows, or the length of the interval.
    """

    n: int
    limits: list[float | None]
    sizes: list[float | None]

    def __post_init__(self) -> None:
        """Raise ConfigError if there is not one entry for each level, or limits are none."""
        if not len(self.limits) == len(self.sizes) == len(LEVELS):
            raise ConfigError(f"prediction sets: must have {len(LEVELS)} limits; train again")
        known = np.array([one for one in self.limits if one is not None])
        if (
            self.n < 1
            or not (np.isfinite(known) & (known >= 0)).all()
            or (np.diff(known) < 0).any()
        ):
            raise ConfigError("prediction sets: limits must be 0 or more and rise; train again")

    def limit(self, level: float) -> float:
        """The limit for a rate of coverage. Raises ConfigError for one that cannot be shown."""
        limit = self.limits[_place(level)]
        if limit is None:
            known = [one for one, at in zip(LEVELS, self.limits, strict=True) if at is not None]
            most = f"at most {max(known):g}; take that or less" if known else "none; leave it out"
            raise ConfigError(f"{OPTION} {level:g}: {self.n} held-out rows can show {most}")
        return limit

    def size(self, level: float) -> float | None:
        """What a set of the held-out rows measures; None if they are too few for the level."""
        return self.sizes[_place(level)]


def prediction_sets(answers: Answers, row: np.ndarray) -> PredictionSets:
    """What held-out answers say of new rows.

    A row counts by its weight. A row that repeats predict several times, and the rows of a group,
    are one piece of evidence: one of n + 1 is what a new one may be stranger by.

    Args:
        answers: Truth and output of the held-out rows, shape (m,) and (m, K) or (m,).
        row: Number of each line's row, shape (m,).
    """
    strangeness = _of_truth(answers)
    weights = np.ones(len(strangeness)) if answers.weights is None else answers.weights
    _, unit = np.unique(row if answers.groups is None else answers.groups, return_inverse=True)
    # Units of unequal weight say less than as many of equal weight.
    n = int(effective_number(np.bincount(unit, weights) / np.bincount(unit))[0] + 1e-9)
    order = strangeness.argsort(kind="stable")
    reached = weights[order].cumsum() / weights.sum()
    limits: list[float | None] = []
    for level in LEVELS:
        place = int(np.searchsorted(reached, level * (1 + 1 / n) - 1e-12))
        limits.append(float(strangeness[order][place]) if place < len(order) else None)
    return PredictionSets(n, limits, _mean_sizes(answers, limits))


def classes_within(output: np.ndarray, limit: float) -> np.ndarray:
    """Which classes the set of each row holds, bool of the shape of `output`; the most probable one
    in any case.
    """
    held = _of_classes(output) <= limit
    held[np.arange(len(output)), output.argmax(axis=1)] = True
    return held


def interval_within(output: np.ndarray, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of the interval of each row, shape (n,)."""
    return output - limit, output + limit


def _of_classes(output: np.ndarray) -> np.ndarray:
    """Strangeness of each class of each row: the probability of all others, which gives the
    smallest sets (Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers", JASA
    114).
    """
    strangeness: np.ndarray = 1 - output
    return strangeness


def _of_truth(answers: Answers) -> np.ndarray:
    if answers.task == "regression":
        distance: np.ndarray = np.abs(answers.y_true - answers.output)
        return distance
    return 1 - answers.of_true_class


def _mean_sizes(answers: Answers, limits: Sequence[float | None]) -> list[float | None]:
    """Mean size of the sets, or width of the intervals, at each limit; None where it is None."""
    if answers.task == "regression":
        return [None if limit is None else 2 * limit for limit in limits]
    # Sorted once for all levels: the most probable class is held in any case, so the others count.
    others = _of_classes(answers.output)
    others[np.arange(len(others)), answers.output.argmax(axis=1)] = np.inf
    weights = np.ones(len(others)) if answers.weights is None else answers.weights
    order = others.ravel().argsort()
    ascending, reached = others.ravel()[order], weights[order // others.shape[1]].cumsum()
    sizes: list[float | None] = []
    for limit in limits:
        n_held = None if limit is None else int(np.searchsorted(ascending, limit, side="right"))
        held = float(reached[n_held - 1]) if n_held else 0.0
        sizes.append(None if n_held is None else float((weights.sum() + held) / weights.sum()))
    return sizes


def _place(level: float) -> int:
    is_within = LEVELS[0] - 1e-8 <= level <= LEVELS[-1] + 1e-8  # NaN is not
    nearest = round(level * 100) if is_within else 0
    if not is_within or abs(level * 100 - nearest) > 1e-6:
        raise ConfigError(
            f"{OPTION} {level:g}: must be from {LEVELS[0]:g} to {LEVELS[-1]:g} in steps of 0.01; "
            "try 0.9"
        )
    return nearest - round(LEVELS[0] * 100)
