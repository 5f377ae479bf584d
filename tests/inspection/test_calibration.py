import numpy as np
import pytest
from scipy.stats import binomtest

from student_perf.inspection.calibration import reliability


def test_error_of_two_classes_by_hand():
    p = np.array([0.05, 0.08, 0.61, 0.65, 0.69, 0.70])  # two bins: two rows and four
    y = np.array([0, 1, 1, 1, 0, 1])
    bins = reliability(y, np.c_[1 - p, p])
    np.testing.assert_array_equal(bins.count, [2, 4])
    np.testing.assert_allclose(bins.confidence, [0.065, 0.6625])
    np.testing.assert_allclose(bins.frequency, [0.5, 0.75])
    by_hand = 2 / 6 * abs(0.5 - 0.065) + 4 / 6 * abs(0.75 - 0.6625)
    assert bins.error == pytest.approx(by_hand, abs=1e-15)


def test_of_more_classes_the_predicted_one_counts():
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.2, 0.75, 0.05], [0.5, 0.4, 0.1]])
    bins = reliability(np.array([0, 2, 0, 1]), probabilities)
    np.testing.assert_allclose(bins.confidence, [0.5, 0.775])
    np.testing.assert_allclose(bins.frequency, [0.5, 0.5])
    assert bins.error == pytest.approx(0.5 * 0.0 + 0.5 * 0.275)


def test_outermost_probabilities_have_a_bin():
    bins = reliability(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_array_equal(bins.confidence, [0, 1])
    assert bins.error == 0


def test_intervals_are_wilsons_and_repeats_do_not_narrow_them():
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(int)
    once = reliability(y, np.c_[1 - p, p])
    for share, n, low, high in zip(once.frequency, once.count, once.low, once.high, strict=True):
        expected = binomtest(round(share * n), n).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((expected.low, expected.high))
    twice = reliability(np.tile(y, 2), np.tile(np.c_[1 - p, p], (2, 1)), n_repeats=2)
    np.testing.assert_allclose(twice.low, once.low)
    assert twice.error == pytest.approx(once.error)
