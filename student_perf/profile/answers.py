"""What some rows and a split can answer, before anybody searches for the best model.

One fit on one fold says about how good a model is and how long a run takes; the formulas are those
of `scoring.power`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from student_perf.config.schema import ExperimentConfig
from student_perf.evaluation.cross_validation import CVResult, cross_validate
from student_perf.evaluation.splits import Fold
from student_perf.experiment.prepare import PreparedData, build_pipeline
from student_perf.experiment.threads import limited_threads
from student_perf.scoring.intervals import TRAINING
from student_perf.scoring.power import (
    ASSUMED_CORRELATION,
    rmse_error,
    rows_needed,
    share_error,
    smallest_difference,
)

DIFFERENCES = (0.02, 0.05, 0.10)
_MOST_ROWS = 5000  # of the fit that is timed


@dataclass(frozen=True)
class Answers:
    """What can be expected of a run.

    Attributes:
        metric: `accuracy` or `root_mean_squared_error`.
        score: That of one fit on one fold.
        half_width: Half of the 95 % interval to expect.
        smallest: The true difference of two models that is found in four of five cases.
        rows: Rows needed for each of `DIFFERENCES`: in accuracy, or as a share of the RMSE.
        seconds: Of the fits of a run, about.
        n_folds: Folds of the split.
    """

    metric: str
    score: float
    half_width: float
    smallest: float
    rows: dict[str, int]
    seconds: float
    n_folds: int


def expected_answers(config: ExperimentConfig, data: PreparedData) -> Answers:
    """Fit the config's model once and say what its split can show."""
    split = data.split
    result, seconds = _small_fit(config, data)
    is_number = data.dataset.task == "regression"
    metric = "root_mean_squared_error" if is_number else "accuracy"
    score = float(result.fold_scores[metric][0])
    n_folds, n_rows = len(split.folds), data.dataset.n_effective(split.validated)
    if is_number:
        own = score / math.sqrt(2 * n_rows)
        two = rmse_error(score, ASSUMED_CORRELATION, n_rows)
    else:
        right = min(max(score, 0.5), 1 - 0.5 / n_rows)
        own = math.sqrt(right * (1 - right) / n_rows)
        two = share_error(right, ASSUMED_CORRELATION, n_rows)
    width, smallest = 1.96 * TRAINING * own, smallest_difference(TRAINING * two, n_rows - 1)
    unit = score if is_number else 1.0
    rows = {f"{d:.2f}": rows_needed(d * unit, smallest, data.dataset.n_rows) for d in DIFFERENCES}
    return Answers(metric, score, width, smallest, rows, seconds * n_folds, n_folds)


def _small_fit(config: ExperimentConfig, data: PreparedData) -> tuple[CVResult, float]:
    """Result of the first fold, and the seconds that all its rows would take."""
    fold = data.split.folds[0]
    step = max(1, len(fold.train) // _MOST_ROWS)
    small = Fold(fold.train[::step], fold.validation)
    started = time.perf_counter()
    with limited_threads(len(small.train)):
        result = cross_validate(
            build_pipeline(config, data.dataset),
            data.dataset,
            replace(data.split, folds=(small,)),
            config.seed,
        )
    return result, step * (time.perf_counter() - started)
