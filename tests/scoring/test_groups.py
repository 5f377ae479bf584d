import numpy as np
import pytest

from student_perf.scoring.groups import apart


@pytest.mark.parametrize("share", [0.4, 0.95])
@pytest.mark.slow
def test_twelve_equal_groups_seldom_read_like_a_finding(share):
    """Of small and large groups; 100 runs of which 5 may be wrong, and 11 almost never are."""
    groups = np.repeat(np.arange(12), [20] * 6 + [40] * 6)
    rng = np.random.default_rng(0)
    found = [apart(rng.random(len(groups)) < share, groups).min() < 0.05 for _ in range(100)]
    assert sum(found) <= 10


def test_a_group_that_only_scatters_more_is_not_another_one():
    groups = np.repeat([0, 1], [40, 200])
    rng = np.random.default_rng(0)
    scale = np.where(groups == 0, 4.0, 1.0)
    found = [apart(scale * rng.normal(size=240), groups).min() < 0.05 for _ in range(100)]
    assert sum(found) <= 10


def test_the_worse_group_stands_out():
    groups = np.repeat(np.arange(4), 100)
    hit = np.random.default_rng(1).random(400) < np.array([0.3, 0.6, 0.6, 0.6])[groups]
    p_values = apart(hit, groups)
    assert p_values[0] < 0.01
    assert p_values[0] < p_values[1:].min()


def test_rows_of_no_group_stand_beside_the_others():
    values = np.repeat([0.0, 1.0], 50) + np.random.default_rng(2).normal(size=100) / 10
    halves = np.repeat([0, 1], 50)
    assert apart(values, np.where(halves == 0, 0, -1)) == pytest.approx([1 / 500])
    both = np.column_stack([halves, np.tile([2, 3], 50)])
    assert apart(values, both)[:2] == pytest.approx([1 / 500] * 2)
    assert apart(values, both)[2:].min() > 0.3


def test_what_cannot_be_compared_has_p_1():
    values = np.arange(10.0)
    assert apart(values, np.zeros(10, dtype=int)).tolist() == [1.0]
    assert apart(np.ones(10), np.repeat([0, 1], 5)).tolist() == [1.0, 1.0]
    assert apart(values, np.full(10, -1)).tolist() == []


def test_of_many_rows_a_sample_is_dealt():
    values = np.repeat([0.0, 1.0], 100_000) + np.random.default_rng(2).normal(size=200_000)
    assert apart(values, np.repeat([0, 1], 100_000)) == pytest.approx([1 / 101] * 2)
