"""The one bootstrap: metrics of resampled rows (Efron and Tibshirani 1993, "An Introduction to the
Bootstrap", chapter 13).

>>> from student_perf.scoring.metrics import METRICS
>>> truth = np.tile([0, 1], 50)
>>> answers = Answers(truth, np.eye(2)[np.where(np.arange(100) < 80, truth, 1 - truth)])
>>> draws = resample(answers, [METRICS["accuracy"]], seed=0)["accuracy"]
>>> print("{:.2f} to {:.2f}".format(*percentile_interval(draws, 0.8)))
0.72 to 0.88
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from student_perf.scoring.answers import Answers, Counts
from student_perf.scoring.intervals import CONFIDENCE
from student_perf.scoring.metrics import Metric

N_RESAMPLES = 1000
_MOST_CELLS = 2_000_000  # of one table of counts


def resample(
    answers: Answers,
    metrics: Iterable[Metric],
    seed: int | np.random.Generator,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, np.ndarray]:
    """Metrics by name on rows drawn with replacement, shape (n_resamples,) each.

    Equal seeds draw equal rows for as many answers: two models that answered the same rows are
    resampled as pairs. Rows of a group are drawn together (Davison and Hinkley 1997, "Bootstrap
    Methods and their Application", section 3.8): drawn one by one they would promise too much.
    """
    rng, metrics = np.random.default_rng(seed), list(metrics)
    unit = None if answers.groups is None else np.unique(answers.groups, return_inverse=True)[1]
    n = len(answers) if unit is None else int(unit.max()) + 1
    draws: dict[str, list[np.ndarray]] = {metric.name: [] for metric in metrics}
    step = max(1, _MOST_CELLS // len(answers))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        drawn = rng.integers(0, n, (size, n)) + n * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        times = times if unit is None else times[:, unit]
        for metric in metrics:
            draws[metric.name].append(of_samples(metric, answers, times))
    return {name: np.concatenate(parts) for name, parts in draws.items()}


def of_samples(metric: Metric, answers: Answers, times: np.ndarray) -> np.ndarray:
    """A metric of B samples of rows, shape (B,); `times`, shape (B, n), says how often each sample
    holds each row.
    """
    weights = answers.weights
    if weights is not None and not metric.takes_weights:
        return np.full(len(times), math.nan)
    if metric.of_rows is not None:
        counted = times if weights is None else times * weights
        means: np.ndarray = counted @ metric.of_rows(answers).astype(float) / counted.sum(axis=1)
        return np.sqrt(means) if metric.root else means
    if metric.of_counts is not None:
        n_classes = answers.output.shape[1]
        cells, size = answers.cells, n_classes**2
        counted = times if weights is None else times * weights
        tables = np.array([np.bincount(cells, one, size) for one in counted])
        return np.asarray(metric.of_counts(Counts(tables.reshape(-1, n_classes, n_classes))))
    everything = np.arange(len(answers))
    return np.array([metric.of(answers.take(np.repeat(everything, one))) for one in times])


def percentile_interval(draws: np.ndarray, figure: float) -> tuple[float, float]:
    """95 % percentile interval of bootstrap draws, shape (B,), of which NaN ones are left out.

    It always holds the `figure` itself, which the draws of few rows may all miss on one side. It is
    NaN if there are no draws, or if the figure is not defined.
    """
    defined = draws[~np.isnan(draws)]
    if len(defined) == 0 or math.isnan(figure):
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return min(float(low), figure), max(float(high), figure)
