"""ROC and precision-recall curves of each class against the rest.

scikit-learn is imported where curves are made; who draws them does without.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from student_perf.scoring.answers import roc_auc


@dataclass(frozen=True)
class Curve:
    """One class against the rest: points of shape (m,), the area below them, and how many of the
    `n_rows` rows are of the class.
    """

    code: int
    x: np.ndarray
    y: np.ndarray
    area: float
    n_positive: int
    n_rows: int


def roc_curves(
    y_true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> list[Curve]:
    """False positive rate (x) against true positive rate (y), with the ROC AUC as area.

    A curve for every class that is true in some rows and not in all; for two classes one, of the
    second. Shapes as in `calibration.reliability`; rows count by their `weights`, if there are any.
    The rows of all folds enter as one set, so the area differs a little from the mean over folds,
    which is the figure to report (Forman and Scholz 2010, "Apples-to-Apples in Cross-Validation
    Studies").
    """
    from sklearn.metrics import roc_curve

    def points(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        false_rate, true_rate, _ = roc_curve(positive, score, sample_weight=weights)
        return false_rate, true_rate, roc_auc(positive, score, weights)

    return _curves(y_true, probabilities, points)


def precision_recall_curves(
    y_true: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> list[Curve]:
    """Recall (x) against precision (y), with the average precision as area; classes as above."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def points(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        precision, recall, _ = precision_recall_curve(
            positive, score, sample_weight=weights, drop_intermediate=True
        )
        area = average_precision_score(positive, score, sample_weight=weights)
        return recall, precision, float(area)

    return _curves(y_true, probabilities, points)


def _curves(
    y_true: np.ndarray,
    probabilities: np.ndarray,
    points: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, float]],
) -> list[Curve]:
    n_classes = probabilities.shape[1]
    curves = []
    for code in range(n_classes) if n_classes > 2 else (1,):
        positive = y_true == code
        if 0 < positive.sum() < len(positive):
            x, y, area = points(positive, probabilities[:, code])
            curves.append(Curve(code, x, y, area, int(positive.sum()), len(positive)))
    return curves
