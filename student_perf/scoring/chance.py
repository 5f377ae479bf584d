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
from scipy.special import ndtr

from student_perf.scoring.answers import Answers, Counts
from student_perf.scoring.influence import RowScores, repeats, row_scores
from student_perf.scoring.metrics import METRICS, TRAINING, Metric
from student_perf.scoring.paired import row_difference


def chance_p(metric: Metric, answers: Answers, row: np.ndarray, fold: np.ndarray) -> float:
    """The p-value that the same answers, dealt to other rows, would score as well.

    What a metric of counts is beyond its value for the table that truth and answers would make if
    they had nothing to do with each other (as in Cohen's kappa, 1960), tested by the influences of
    that difference. ROC AUC: the ranks of the rows of a class, drawn by chance (Mann and Whitney
    1947), whose spread says more than influences where a class has few rows in a fold. Rows with
    weights or in groups have no such ranks; there influences alone test it.

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
    if metric.name == "roc_auc_ovr":
        return _p_of_ranks(answers, row, fold)
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


def _p_of_ranks(answers: Answers, row: np.ndarray, fold: np.ndarray) -> float:
    """Of the mean AUC over folds; repeats of the folds say nothing new of the same rows."""
    if answers.weights is not None or answers.groups is not None:
        return 0.0
    metric, gain, variance = METRICS["roc_auc_ovr"], 0.0, 0.0
    for repeat, share in repeats(row, fold):
        known, of_row = answers.take(repeat), fold[repeat]
        parts = [known.take(of_row == number) for number in np.unique(of_row)]
        gain += share * (float(np.mean([metric.of(part) for part in parts])) - 0.5)
        variance += share * sum(map(_auc_variance, parts)) / len(parts) ** 2
    if math.isnan(gain) or gain <= 0 or variance == 0:
        return 1.0
    # Where nothing is learned, other training rows change little: not the larger factor of AUC.
    return 2 * float(ndtr(-gain / (TRAINING * math.sqrt(variance))))


def _auc_variance(answers: Answers) -> float:
    """Variance of the mean of one-vs-rest AUCs if classes are dealt to the rows by chance, which
    makes it a sum of one term a row (Hoeffding 1951, "A Combinatorial Central Limit Theorem",
    Annals of Mathematical Statistics 22). NaN if a class is absent.
    """
    n, n_classes = answers.output.shape
    size, terms = np.bincount(answers.y_true, minlength=n_classes), np.zeros((n, n_classes))
    codes = range(n_classes) if n_classes > 2 else (1,)
    for code in codes:
        _, place, equal = np.unique(
            answers.output[:, code], return_inverse=True, return_counts=True
        )
        n_pairs = size[code] * (n - size[code])
        if n_pairs == 0:
            return math.nan
        ranks = (equal.cumsum() - equal / 2)[place]
        terms[:, code] = (ranks - ranks.mean()) / n_pairs / len(codes)
    terms -= (terms @ size / n)[:, None]
    return float((terms**2 @ size).sum() / (n - 1))


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
