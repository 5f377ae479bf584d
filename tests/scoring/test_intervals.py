import numpy as np
import pytest
from scipy.stats import t

from student_perf.scoring.intervals import fold_interval


def test_interval_is_that_of_nadeau_and_bengio_without_bounds():
    values = np.array([-0.5, 0.1, -0.2, 0.05])
    estimate = fold_interval(values, 0.25)
    width = t.ppf(0.975, 3) * values.std(ddof=1) * np.sqrt(1 / 4 + 0.25)
    assert estimate.low == pytest.approx(values.mean() - width)
    assert estimate.high == pytest.approx(values.mean() + width)
    assert estimate.low < 0


def test_a_single_fold_has_no_interval():
    estimate = fold_interval(np.array([0.3]), 0.25)
    assert estimate.mean == 0.3
    assert np.isnan([estimate.std, estimate.low, estimate.high]).all()
