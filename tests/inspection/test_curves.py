import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from student_perf.inspection.curves import precision_recall_curves, roc_curves


@pytest.fixture
def predicted():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300).round(2)  # with ties
    probabilities[np.arange(300), y] += 0.3
    return y, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_roc_curves_are_scikit_learns(predicted):
    y, probabilities = predicted
    curves = roc_curves(y, probabilities)
    assert [curve.code for curve in curves] == [0, 1, 2, 3]
    for curve in curves:
        positive, score = y == curve.code, probabilities[:, curve.code]
        x, expected, _ = roc_curve(positive, score)
        np.testing.assert_array_equal(curve.x, x)
        np.testing.assert_array_equal(curve.y, expected)
        assert curve.area == pytest.approx(roc_auc_score(positive, score), abs=1e-12)
        assert curve.area == pytest.approx(np.trapezoid(curve.y, curve.x), abs=1e-12)
        assert (curve.n_positive, curve.n_rows) == (positive.sum(), 300)


def test_precision_recall_curves_are_scikit_learns(predicted):
    y, probabilities = predicted
    for curve in precision_recall_curves(y, probabilities):
        positive, score = y == curve.code, probabilities[:, curve.code]
        precision, recall, _ = precision_recall_curve(positive, score)
        full = set(zip(recall, precision, strict=True))
        assert set(zip(curve.x, curve.y, strict=True)) <= full
        assert curve.area == average_precision_score(positive, score)
        steps = -(np.diff(curve.x) * curve.y[:-1]).sum()
        assert steps == pytest.approx(curve.area, abs=0.02)


def test_two_classes_give_the_curve_of_the_second():
    y, p = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.4, 0.3])
    (curve,) = roc_curves(y, np.c_[1 - p, p])
    assert (curve.code, curve.area) == (1, 1.0)


def test_a_class_without_rows_has_no_curve():
    probabilities = np.full((4, 3), 1 / 3)
    assert [c.code for c in roc_curves(np.array([0, 0, 2, 2]), probabilities)] == [0, 2]
    assert precision_recall_curves(np.zeros(4, dtype=int), probabilities) == []
