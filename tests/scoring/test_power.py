import numpy as np
import pytest
from scipy.special import stdtrit

from student_perf.scoring.power import (
    POWER,
    rmse_error,
    rows_needed,
    share_error,
    shown_by,
    smallest_difference,
)


@pytest.mark.parametrize(("n_folds", "ratio"), [(3, 0.5), (5, 0.25), (10, 1 / 9), (50, 0.25)])
def test_a_true_difference_of_that_size_is_found_four_times_in_five(n_folds, ratio):
    """Folds as Nadeau and Bengio see them: what they share has the variance `ratio`."""
    rng = np.random.default_rng(0)
    true = smallest_difference(2.0 * np.sqrt(1 / n_folds + ratio), n_folds - 1)
    shared = 2.0 * np.sqrt(ratio) * rng.normal(size=(20_000, 1))
    folds = true + shared + 2.0 * rng.normal(size=(20_000, n_folds))
    error = folds.std(axis=1, ddof=1) * np.sqrt(1 / n_folds + ratio)
    found = np.abs(folds.mean(axis=1)) > error * stdtrit(n_folds - 1, 0.975)
    assert found.mean() == pytest.approx(POWER, abs=0.015)


def test_an_interval_over_many_rows_says_the_same():
    assert shown_by(0.1 - 1.96, 0.1 + 1.96) == pytest.approx(
        smallest_difference(1.0, 1e5), rel=1e-3
    )


def test_two_shares_of_the_same_rows_vary_as_simulated():
    """Right together with correlation 0.7: either the same draw, or two of their own."""
    rng = np.random.default_rng(0)
    one, other, same = rng.random((3, 5_000, 100)) < np.array([0.4, 0.4, 0.7])[:, None, None]
    difference = one.mean(axis=1) - np.where(same, one, other).mean(axis=1)
    assert difference.std() == pytest.approx(share_error(0.4, 0.7, 100), rel=0.05)


def test_two_errors_of_the_same_rows_vary_as_simulated():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0, 3, (2, 5_000, 100))
    same = rng.random((5_000, 100)) < 0.7  # squared errors correlate by 0.7
    both = np.where(same, one, other)
    difference = np.sqrt((one**2).mean(axis=1)) - np.sqrt((both**2).mean(axis=1))
    assert difference.std() == pytest.approx(rmse_error(3, 0.7, 100), rel=0.05)


def test_half_the_difference_needs_four_times_the_rows():
    assert rows_needed(0.05, 0.1, 300) == 1200
