from dataclasses import astuple

import numpy as np
import pytest
from scipy.stats import binomtest

from student_perf.inspection.calibration import calibration_p, reliability


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


def test_intervals_are_exact_and_repeats_do_not_narrow_them():
    rng = np.random.default_rng(0)
    p = rng.random(200)
    y = (rng.random(200) < p).astype(int)
    once = reliability(y, np.c_[1 - p, p])
    for share, n, low, high in zip(once.frequency, once.count, once.low, once.high, strict=True):
        level = 1 - 0.05 / len(once.count)  # all of them hold at once
        expected = binomtest(round(share * n), n).proportion_ci(level, method="exact")
        assert (low, high) == pytest.approx((expected.low, expected.high))
    twice = reliability(np.tile(y, 2), np.tile(np.c_[1 - p, p], (2, 1)), n_repeats=2)
    np.testing.assert_allclose(twice.low, once.low)
    assert twice.error == pytest.approx(once.error)


def said(n, bias, rng):
    """Two classes whose probabilities lie `bias` beyond the truth, away from a half."""
    p = rng.beta(3, 2, n)
    y = rng.random(n) < np.clip(p - bias * np.sign(p - 0.5), 0, 1)
    return y.astype(int), np.c_[1 - p, p]


def test_without_chance_the_error_of_calibrated_probabilities_is_small_and_holds():
    rng = np.random.default_rng(0)
    found = [reliability(*said(150, 0.0, rng)) for _ in range(200)]
    assert np.mean([one.error for one in found]) > 0.07
    squared = np.mean([one.debiased.mean**2 for one in found])
    assert np.sqrt(squared) < 0.045  # of which half of the samples have 0
    assert np.mean([one.debiased.low == 0 for one in found]) > 0.95


@pytest.mark.parametrize("n", [150, 700])
def test_the_interval_holds_the_true_error(n):
    rng = np.random.default_rng(1)
    found = [reliability(*said(n, 0.1, rng)).debiased for _ in range(200)]
    squared = np.mean([one.mean**2 for one in found])
    assert np.sqrt(squared) == pytest.approx(0.1, abs=0.01)
    assert np.mean([one.low <= 0.1 <= one.high for one in found]) > 0.88


def test_the_test_is_right_about_calibrated_ones_and_sees_others():
    rng, row = np.random.default_rng(2), np.arange(150)
    wrong = [calibration_p(*said(150, 0.0, rng), row) < 0.05 for _ in range(60)]
    seen = [calibration_p(*said(150, 0.2, rng), row) < 0.05 for _ in range(10)]
    assert sum(wrong) <= 7
    assert sum(seen) >= 9


def test_a_row_of_several_repeats_is_drawn_once():
    y, p = said(60, 0.1, np.random.default_rng(3))
    once = calibration_p(y, p, np.arange(60))
    again = calibration_p(np.tile(y, 5), np.tile(p, (5, 1)), np.tile(np.arange(60), 5))
    assert again == pytest.approx(once)


@pytest.mark.parametrize("differ", [False, True])
def test_rows_of_a_group_are_not_proofs_of_their_own(differ):
    """Calibrated probabilities of groups of 8 rows that share the truth, or what decides it."""
    rng, group, said_wrong, above = np.random.default_rng(4), np.repeat(np.arange(50), 8), 0, 0
    for _ in range(40):
        p = rng.uniform(0.1, 0.9, 400) if differ else rng.uniform(0.1, 0.9, 50)[group]
        y, output = (rng.random(50)[group] < p).astype(int), np.c_[1 - p, p]
        said_wrong += calibration_p(y, output, np.arange(400), groups=group) < 0.05
        above += reliability(y, output, groups=group).debiased.low > 0
    assert said_wrong <= 5
    assert above <= 3


def test_groups_of_one_row_change_nothing():
    y, p = said(60, 0.1, np.random.default_rng(5))
    row = np.arange(60)
    assert calibration_p(y, p, row, groups=row) == calibration_p(y, p, row)
    alone, grouped = reliability(y, p), reliability(y, p, groups=row)
    np.testing.assert_allclose(grouped.low, alone.low)
    np.testing.assert_allclose(astuple(grouped.debiased), astuple(alone.debiased))


def test_weights_that_undo_a_survey_make_its_probabilities_right():
    """Each row of the first class stands for two: the survey took half of them."""
    rng, wrong, ignored = np.random.default_rng(6), 0, 0
    for _ in range(20):
        y, output = said(400, 0.0, rng)
        taken = rng.random(400) < np.where(y == 1, 1.0, 0.5)
        y, output, row = y[taken], output[taken], np.arange(taken.sum())
        wrong += calibration_p(y, output, row, weights=np.where(y == 1, 1.0, 2.0)) < 0.05
        ignored += calibration_p(y, output, row) < 0.05
    assert wrong <= 3
    assert ignored >= 15
