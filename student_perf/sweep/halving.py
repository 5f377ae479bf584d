"""Successive halving over rows: a configuration is judged on samples of the training rows first.

Of `HALVING_FACTOR` configurations one goes on to a sample as many times larger (Jamieson and
Talwalkar 2016, "Non-stochastic Best Arm Identification"; without waiting for each other: Li et al.
2020, "A System for Massively Parallel Hyperparameter Tuning"). Those that pass all samples are
evaluated on all rows, as without a pruner, and only those can win.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from student_perf.data import Dataset
from student_perf.errors import ConfigError
from student_perf.evaluation.splits import Fold, Split
from student_perf.sweep.samplers import HALVING_FACTOR

if TYPE_CHECKING:
    from student_perf.sweep.options import SweepOptions

HALVING = "halving"
ON_SAMPLES = "sample_{}"  # name of the metric's means on the samples
N_SAMPLES = 2
_FEWEST_ROWS = 200  # of a sample; the order of configurations on fewer is mostly chance
_FEWEST_OF_A_CLASS = 20  # or all of them, if there are fewer
BUDGET = (
    "halving: every configuration on 1/9 of the training rows, the best third of them on 1/3, the "
    "best third of those on all: about a third of the rows of the whole search"
)


def steps(pruner: str) -> list[int]:
    """For each sample, the smallest first, how many times smaller than the training part it is."""
    return [HALVING_FACTOR**n for n in range(N_SAMPLES, 0, -1)] if pruner == HALVING else []


def thinned(split: Split, dataset: Dataset, step: int) -> Split:
    """The split with one of `step` training rows in each fold, the same ones each time, that have
    the target in proportion, and some more of each class, so that a model can divide them again.
    Those of a larger step are among those of a smaller.
    """
    folds = (Fold(_one_of(step, fold.train, dataset), fold.validation) for fold in split.folds)
    return replace(split, folds=tuple(folds))


def check_halving(options: SweepOptions, split: Split) -> None:
    """Raise ConfigError if halving is asked for on too few rows, or with options."""
    if options.pruner != HALVING:
        return
    if options.pruner_options:
        raise ConfigError(
            f"hydra.sweeper.pruner_options: {HALVING} has none; leave them out, or choose "
            "hydra.sweeper.pruner=hyperband"
        )
    n_rows = min(len(fold.train) for fold in split.folds) // HALVING_FACTOR**N_SAMPLES
    if n_rows < _FEWEST_ROWS:
        raise ConfigError(
            f"hydra.sweeper.pruner={HALVING}: its first sample would have {n_rows} training rows, "
            f"and {_FEWEST_ROWS} are the fewest that tell configurations apart; use hyperband, or "
            "none"
        )


def _one_of(step: int, rows: np.ndarray, dataset: Dataset) -> np.ndarray:
    drawn = np.random.default_rng(0).permutation(rows)
    ordered = drawn[dataset.target[drawn].argsort(kind="stable")]
    chosen = ordered[::step]
    if dataset.classes:
        target = dataset.target[ordered]
        of_class = (np.flatnonzero(target == label) for label in np.unique(target))
        first = np.concatenate([places[:_FEWEST_OF_A_CLASS] for places in of_class])
        chosen = np.union1d(chosen, ordered[first])
    return np.sort(chosen)
