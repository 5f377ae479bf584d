"""Metrics of one set of predictions, and the uncertainty of their mean over folds.

All label metrics come from one confusion matrix and the ROC AUC from counts of pairs, which gives
scikit-learn's figures at a fraction of the time that its scorers take on small data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from student_perf.scoring.metric import METRICS

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A metric with its uncertainty. `std` is NaN where there is a single fold."""

    mean: float
    std: float
    low: float
    high: float


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts, shape (K, K): rows are true classes, columns predicted ones; codes 0..K-1."""
    counts = np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def label_scores(counts: np.ndarray) -> dict[str, float]:
    """Metrics that need labels only, from a confusion matrix of shape (K, K).

    As in scikit-learn, zero divisions count as 0, macro averages run over the classes that are true
    or predicted somewhere, and balanced accuracy over the true ones.
    """
    hits = np.diag(counts).astype(np.float64)
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    precision = _ratio(hits, predicted)
    recall = _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    seen = (support + predicted) > 0
    weights = support / support.sum()
    return {
        "accuracy": float(hits.sum() / support.sum()),
        "balanced_accuracy": float(recall[support > 0].mean()),
        "precision_macro": float(precision[seen].mean()),
        "recall_macro": float(recall[seen].mean()),
        "f1_macro": float(f1[seen].mean()),
        "precision_weighted": float(precision @ weights),
        "recall_weighted": float(recall @ weights),
        "f1_weighted": float(f1 @ weights),
    }


def grade_scores(counts: np.ndarray) -> dict[str, float]:
    """Metrics of classes with an order, lowest first, from a confusion matrix of shape (K, K).

    Cohen's kappa with quadratic weights (Cohen 1968), NaN where truth and prediction are one and
    the same class; the mean number of grades between prediction and truth; the share of rows that
    are at most one grade off.
    """
    n = counts.sum()
    grades = np.arange(len(counts))
    distance = np.abs(grades[:, None] - grades[None, :])
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / n
    by_chance = (distance**2 * expected).sum()
    observed = (distance**2 * counts).sum()
    return {
        "quadratic_weighted_kappa": float(1 - observed / by_chance) if by_chance else float("nan"),
        "mean_absolute_grade_error": float((distance * counts).sum() / n),
        "adjacent_accuracy": float(counts[distance <= 1].sum() / n),
    }


def classification_scores(
    y_true: np.ndarray, probabilities: np.ndarray, ordered: bool = False
) -> dict[str, float]:
    """Every classification metric of `metric_names` by name.

    `y_true` holds codes 0..K-1, shape (n,); `probabilities` has shape (n, K), rows summing to 1;
    `ordered` adds the metrics of classes with an order, lowest first. ROC AUC is NaN where a class
    is absent from `y_true`.
    """
    n_classes = probabilities.shape[1]
    counts = confusion_matrix(y_true, probabilities.argmax(axis=1), n_classes)
    true_class = probabilities[np.arange(len(y_true)), y_true]
    result = label_scores(counts) | {
        "roc_auc_ovr": _roc_auc_ovr(y_true, probabilities),
        "log_loss": float(log_losses(true_class).mean()),
        "brier_score": float(brier_losses(true_class, probabilities).mean()),
    }
    if ordered:
        result |= grade_scores(counts)
        result["ranked_probability_score"] = float(threshold_losses(y_true, probabilities).mean())
    return result


def regression_scores(y_true: np.ndarray, y_pred: np.ndarray) -> dict[str, float]:
    """Every regression metric of `metric_names` by name; both arrays have shape (n,).

    R2 and Spearman's rank correlation are NaN for fewer than two rows or a constant `y_true`, where
    they are not defined; the correlation also for a constant `y_pred`.
    """
    errors = y_true - y_pred
    spread = float(((y_true - y_true.mean()) ** 2).sum())
    return {
        "root_mean_squared_error": float(np.sqrt((errors**2).mean())),
        "mean_absolute_error": float(np.abs(errors).mean()),
        "r2": float(1 - (errors**2).sum() / spread) if spread > 0 else float("nan"),
        "spearman": _spearman(y_true, y_pred),
    }


def scores(
    task: str, y_true: np.ndarray, output: np.ndarray, ordered: bool = False
) -> dict[str, float]:
    """Metrics of a task; `output` is what `evaluation.predict` returns for it."""
    if task == "classification":
        return classification_scores(y_true, output, ordered)
    return regression_scores(y_true, output)


def roc_auc(positive: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of `score` for the boolean `positive`, both of shape (n,).

    It is the Mann-Whitney U statistic over n_positive * n_negative (Hanley and McNeil 1982): the
    share of pairs in which the positive scores higher, ties counting half. NaN where one side is
    empty or a score is NaN.
    """
    above, below = score[positive], np.sort(score[~positive])
    n_pairs = len(above) * len(below)
    if n_pairs == 0 or np.isnan(score).any():
        return float("nan")
    # Counts, which are exact, a fifth of the time that ranks of all scores would take.
    n_lower, n_not_higher = (np.searchsorted(below, above, side) for side in ("left", "right"))
    return float((n_lower.sum() + n_not_higher.sum()) / 2 / n_pairs)


def fold_estimate(metric: str, values: np.ndarray, test_over_train: float) -> Estimate:
    """Mean of fold scores, shape (J,) with J >= 2, with its corrected 95 % interval."""
    mean, std = mean_and_std(values)
    width = corrected_half_width(std, len(values), test_over_train)
    return _within_bounds(metric, mean, std, mean - width, mean + width)


def mean_and_std(values: np.ndarray) -> tuple[float, float]:
    """Mean of fold scores, shape (J,), and their standard deviation: NaN for a single fold."""
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return float(values.mean()), std


def corrected_half_width(std: float, n_folds: int, test_over_train: float) -> float:
    """Half of the 95 % interval of a mean over J >= 2 folds whose scores have this deviation.

    Folds share training rows, so their scores are not independent and the usual standard error is
    too small. The variance of the mean is taken as (1/J + n_test/n_train) * s^2 with J-1 degrees of
    freedom (Nadeau and Bengio 2003, "Inference for the Generalization Error", Machine Learning 52).
    """
    quantile = float(stdtrit(n_folds - 1, (1 + CONFIDENCE) / 2))
    return quantile * std * float(np.sqrt(1 / n_folds + test_over_train))


def bootstrap_estimates(
    task: str,
    y_true: np.ndarray,
    output: np.ndarray,
    seed: int,
    ordered: bool = False,
    n_resamples: int = 1000,
) -> dict[str, Estimate]:
    """Metrics of a single validation part with percentile intervals over resampled rows.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13.
    """
    observed = scores(task, y_true, output, ordered)
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {name: [] for name in observed}
    for _ in range(n_resamples):
        rows = rng.integers(0, len(y_true), len(y_true))
        for name, value in scores(task, y_true[rows], output[rows], ordered).items():
            draws[name].append(value)
    return {
        name: _within_bounds(name, value, float("nan"), *percentile_interval(draws[name]))
        for name, value in observed.items()
    }


def percentile_interval(draws: Sequence[float]) -> tuple[float, float]:
    """95 % percentile interval of bootstrap draws; NaN ones are left out, of none it is NaN."""
    defined = np.array(draws)[~np.isnan(draws)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _within_bounds(metric: str, mean: float, std: float, low: float, high: float) -> Estimate:
    info = METRICS[metric]
    return Estimate(mean, std, max(low, info.lowest), min(high, info.highest))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
    return ratio


def _roc_auc_ovr(y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """Macro mean of one-vs-rest AUCs (for two classes: the AUC of the second)."""
    n_classes = probabilities.shape[1]
    codes = range(n_classes) if n_classes > 2 else (1,)
    return float(np.mean([roc_auc(y_true == code, probabilities[:, code]) for code in codes]))


def log_losses(true_class: np.ndarray) -> np.ndarray:
    """Log loss of each row from the probability given to its true class, both of shape (n,)."""
    eps = np.finfo(true_class.dtype).eps
    losses: np.ndarray = -np.log(np.clip(true_class, eps, 1 - eps))
    return losses


def brier_losses(true_class: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Squared distance of each row's probabilities, (n, K), to the truth, (n,): the sum over the
    classes (Brier 1950), halved for two classes as scikit-learn does.
    """
    distance: np.ndarray = (probabilities**2).sum(axis=1) - 2 * true_class + 1
    return distance / (2 if probabilities.shape[1] == 2 else 1)


def threshold_losses(y_true: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Squared distance of cumulative probabilities to the truth's at each of the K - 1 thresholds,
    shape (n, K-1); their mean is the ranked probability score (Epstein 1969; 0 is perfect, 1 the
    worst).
    """
    cumulative = probabilities.cumsum(axis=1)[:, :-1]
    reached = y_true[:, None] <= np.arange(probabilities.shape[1] - 1)
    losses: np.ndarray = (cumulative - reached) ** 2
    return losses


def _spearman(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    # Imported here: scipy.stats takes a second, and comparing recorded figures needs no ranks.
    from scipy.stats import rankdata

    ranks = rankdata(np.stack([y_true, y_pred]), axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    norms = np.sqrt((ranks**2).sum(axis=1))
    return float(ranks[0] @ ranks[1] / norms.prod()) if norms.all() else float("nan")
