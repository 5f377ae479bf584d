import numpy as np
import pytest
from scipy.stats import t, ttest_rel

from student_perf.compare.stats import paired_difference


def test_without_correction_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.05, 10), rng.normal(0.68, 0.05, 10)
    got = paired_difference(a, b, test_over_train=0.0)
    expected = ttest_rel(a, b)
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high))


def test_the_correction_widens_by_its_factor():
    a, b = np.array([0.8, 0.7, 0.75, 0.9]), np.array([0.7, 0.72, 0.7, 0.8])
    plain, corrected = (paired_difference(a, b, ratio) for ratio in (0.0, 1 / 3))
    widths = corrected.high - corrected.mean, plain.high - plain.mean
    assert widths[0] / widths[1] == pytest.approx(np.sqrt((1 / 4 + 1 / 3) / (1 / 4)))
    statistic = corrected.mean / ((a - b).std(ddof=1) * np.sqrt(1 / 4 + 1 / 3))
    assert corrected.p_value == pytest.approx(2 * t.sf(abs(statistic), 3))


def test_no_spread_is_either_equal_or_certain():
    same = np.full(5, 0.5)
    assert paired_difference(same, same, 0.25).p_value == 1.0
    assert paired_difference(same + 0.1, same, 0.25).p_value == 0.0


def test_one_fold_cannot_be_tested():
    with pytest.raises(ValueError, match="two or more"):
        paired_difference(np.array([1.0]), np.array([0.0]), 0.25)
