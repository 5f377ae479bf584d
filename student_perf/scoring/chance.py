"""Do a model's classes know anything of the truth, or are they dealt to the rows as by chance?

The dummy answers one class for all rows, by which some metrics are at their lowest: a model that
guesses among all classes has twice its macro F1. Such a gain is real, and tells nothing.

>>> from student_perf.scoring.metrics import METRICS
>>> rng = np.random.default_rng(0)
>>> truth, guess = rng.integers(0, 2, 400), rng.integers(0, 2, 400)
>>> row = np.arange(400)
>>> for said in (guess, np.where(row % 4, guess, truth)):
...     answers = Answers(truth, np.eye(2)[said])
...     print(f"{chance_p(METRICS['f1_macro'], answers, row, row // 80):.3f}")
1.000
0.000
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from student_perf.scoring.answers import Answers, Counts
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.metrics import Metric
from student_perf.scoring.paired import row_difference


def chance_p(metric: Metric, answers: Answers, row: np.ndarray, fold: np.ndarray) -> float:
    """The p-value that the same answers, dealt to other rows, would score as well.

    What a metric of counts is beyond its value for the table that truth and answers would make if
    they had nothing to do with each other (as in Cohen's kappa, 1960), tested by the influences of
    that difference.

    Args:
        metric: What is measured.
        answers: The predictions, n of them, fold by fold.
        row: The row of each, shape (n,).
        fold: The fold of each, shape (n,), ascending.

    Returns:
        The p-value; 0 for a metric that answers dealt by chance do not raise.
    """
    if metric.name in _CHANCE_LEVELS:
        level = _CHANCE_LEVELS[metric.name]
        of_folds = [level(answers.take(fold == number)) for number in np.unique(fold)]
        return _p_beyond(float(np.mean(of_folds)), row_scores(metric, answers, row, fold), metric)
    of_counts = metric.of_counts
    if of_counts is None:
        return 0.0

    def beyond(counts: Counts) -> np.ndarray:
        difference: np.ndarray = np.asarray(of_counts(counts)) - of_counts(counts.by_chance)
        return difference

    return _p_beyond(0.0, row_scores(replace(metric, of_counts=beyond), answers, row, fold), metric)


def _p_beyond(level: float, known: RowScores, metric: Metric) -> float:
    found = row_difference(known, RowScores(level, known.unit, np.zeros(len(known.unit))))
    return found.p_value if metric.sign * found.mean > 0 else 1.0


def _average_precision_by_chance(answers: Answers) -> float:
    """What rows in an order by chance have on average: of n rows and m positive ones
    H/n + (m - 1)/(n - 1) (1 - H/n) with H = 1 + 1/2 + ... + 1/n, which is more than their share
    (Bestgen 2015, "Exact expected average precision of the random baseline").
    """
    n, m = len(answers), int((answers.y_true == 1).sum())
    if n < 2 or m == 0:
        return math.nan
    share = float((1 / np.arange(1, n + 1)).sum()) / n
    return share + (m - 1) / (n - 1) * (1 - share)


_CHANCE_LEVELS = {"average_precision": _average_precision_by_chance}
