"""The rungs of `hydra.sweeper.pruner=halving`: samples of a fold's training rows, smallest first.

They are drawn by the run's seed, the same for every trial, from the fold with the most training
rows (the first of equals), as the split divides rows: whole groups or sets of copies, in the same
proportions. A rung lies in the next one and is scored on the held-out rows of its fold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from student_perf.config.schema import ExperimentConfig
from student_perf.errors import ConfigError
from student_perf.evaluation.splits import Fold
from student_perf.evaluation.units import MixedUnits, Units, units_of
from student_perf.experiment.prepare import PreparedData
from student_perf.sweep.options import SweepOptions
from student_perf.sweep.samplers import HALVING, N_RUNGS
from student_perf.text import plural

REDUCTION = 3  # a rung has a third of the next one's rows, and its best third goes on
_FEWEST_ROWS = 2_000  # of a rung; fewer say little of how a model does on many
_FEWEST_OF_A_CLASS = 10  # models divide their rows again, and each part needs some


def n_rungs(options: SweepOptions) -> int:
    """How many rungs a trial climbs before it runs on all rows; 0 without halving."""
    return options.pruner_options.get("rungs", N_RUNGS) if options.pruner == HALVING else 0


def draw_rungs(config: ExperimentConfig, data: PreparedData, n: int) -> tuple[PreparedData, ...]:
    """The rows with another split for each of `n` rungs: one fold, whose training rows are the
    sample. Raises ConfigError if a fold has too few groups to draw from.
    """
    fold = _drawn_from(data)
    units = units_of(data.dataset, config.split)
    kept, rungs = np.unique(units.of_row[fold.train]), []
    if len(kept) < REDUCTION**n:
        raise ConfigError(
            f"hydra.sweeper.pruner={HALVING}: its samples are of whole groups, which takes "
            f"{REDUCTION**n} in a fold's training rows, and there are {len(kept)}; leave the "
            "pruner out"
        )
    for number in range(n):
        kept = _third(units, kept, config.seed, number)
        # A unit may lie on both sides where time or a column gives them.
        rows = np.intersect1d(units.rows(kept), fold.train)
        split = replace(data.split, folds=(Fold(rows, fold.validation),), n_repeats=1)
        rungs.append(replace(data, split=split))
    return tuple(reversed(rungs))


def rung_sizes(data: PreparedData, rungs: Sequence[PreparedData]) -> tuple[int, ...]:
    """Training rows of each rung, and of the fold that they are drawn from."""
    drawn = [rung.split.folds[0] for rung in rungs]
    return tuple(len(fold.train) for fold in (*drawn, _drawn_from(data)))


def check_rungs(data: PreparedData, rungs: Sequence[PreparedData]) -> None:
    """Raise ConfigError if the first rung has too few rows, of all or of a class."""
    *sizes, n_all = rung_sizes(data, rungs)
    if sizes[0] < _FEWEST_ROWS:
        one = ", or use 'hydra.sweeper.pruner_options={rungs: 1}'"
        raise ConfigError(
            f"hydra.sweeper.pruner={HALVING}: its first sample would have {sizes[0]:,} of a fold's "
            f"{n_all:,} training rows, and fewer than {_FEWEST_ROWS:,} say little of all; leave "
            f"the pruner out{one if sizes[-1] >= _FEWEST_ROWS else ''}"
        )
    dataset = data.dataset
    if not dataset.classes:
        return
    counts = np.bincount(
        dataset.target[rungs[0].split.folds[0].train], minlength=len(dataset.classes)
    )
    taught = np.unique(dataset.target[_drawn_from(data).train])
    rarest = int(taught[counts[taught].argmin()])
    if counts[rarest] < _FEWEST_OF_A_CLASS:
        raise ConfigError(
            f"hydra.sweeper.pruner={HALVING}: class '{dataset.classes[rarest]}' of "
            f"'{dataset.target_name}' would have {plural(int(counts[rarest]), 'row')} in its first "
            f"sample, and each class needs {_FEWEST_OF_A_CLASS}; leave the pruner out, or merge "
            "the class with another"
        )


def _drawn_from(data: PreparedData) -> Fold:
    return max(data.split.folds, key=lambda fold: len(fold.train))


def _third(units: Units, kept: np.ndarray, seed: int, number: int) -> np.ndarray:
    """A third of some units, ascending, each stratum in proportion."""
    if isinstance(units, MixedUnits):  # whole groups, whose rows are of several strata
        return units.cut(kept, 1 / REDUCTION, "hydra.sweeper.pruner", seed + number)[1]
    drawn = np.random.default_rng([seed, number]).permutation(kept)
    by_stratum = drawn[units.strata[drawn].argsort(kind="stable")]
    return np.sort(by_stratum[REDUCTION // 2 :: REDUCTION])
