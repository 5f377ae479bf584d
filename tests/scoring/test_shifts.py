import math

import numpy as np
import pandas as pd
import pytest

from student_perf.drift.columns import compare_columns
from student_perf.drift.limits import Thresholds
from student_perf.scoring.power import POWER
from student_perf.scoring.shifts import smallest_share_change, smallest_shift

ALPHA, N_COLUMNS = 0.01, 5


def power(make_sides, times=300):
    """How often the test of one column among `N_COLUMNS` is significant."""
    found = 0
    for _ in range(times):
        before, now = make_sides()
        one = compare_columns("x", pd.Series(before), pd.Series(now), Thresholds())
        found += one.p < ALPHA / N_COLUMNS
    return found / times


@pytest.mark.slow
@pytest.mark.parametrize(("n", "m"), [(150, 80), (500, 40), (100, 100)])
def test_what_is_called_visible_is_found_in_four_of_five_samples_or_more(n, m):
    rng = np.random.default_rng(n)
    shift = smallest_shift(n, m, N_COLUMNS, ALPHA)
    change = smallest_share_change(n, m, N_COLUMNS, ALPHA)

    def numbers(shift):
        return rng.normal(0, 1, n), rng.normal(shift, 1, m)

    def words(change):
        sides = ((n, 0.5 - change / 2), (m, 0.5 + change / 2))
        return [np.where(rng.random(size) < share, "yes", "no") for size, share in sides]

    # Three standard deviations of a share of 0.8 over 300: 0.07.
    assert power(lambda: numbers(shift)) > POWER - 0.07
    assert power(lambda: words(change)) > POWER - 0.07
    assert power(lambda: numbers(shift / 2)) < 0.5
    assert power(lambda: words(change / 2)) < 0.5


def test_more_rows_show_more_and_too_few_show_nothing():
    shifts = [smallest_shift(300, m, N_COLUMNS, ALPHA) for m in (3, 10, 50, 300)]
    assert shifts == sorted(shifts, reverse=True)
    assert shifts[0] == math.inf
    assert smallest_share_change(300, 3, N_COLUMNS, ALPHA) == math.inf
    assert smallest_shift(300, 50, 30, ALPHA) > smallest_shift(300, 50, 1, ALPHA)
