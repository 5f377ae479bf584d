import numpy as np
import pandas as pd
import pytest

from student_perf.data.contract import ColumnContract, Contract
from student_perf.data.outside import TrainingRanges

DRAWS = {
    "uniform": lambda rng, size: rng.random(size),
    "normal": lambda rng, size: rng.normal(size=size),
    "exponential": lambda rng, size: rng.exponential(size=size),
}


def ranges_of(declared=(), **columns):
    rules = {
        name: ColumnContract("numeric", True, None, low, high)
        for name, (low, high) in columns.items()
    }
    rules["school"] = ColumnContract("categorical", False, ["north"])
    rules["empty"] = ColumnContract("numeric", True)
    return TrainingRanges(Contract("grade", [], rules, declared=list(declared)))


def far(ranges, *parts):
    for part in parts:
        ranges.add(pd.DataFrame(part).assign(school="north", empty=np.nan))
    return ranges.far_outside()


def test_percentages_where_training_had_shares_are_found_in_every_row():
    (one,) = far(ranges_of(shown=(0.51, 1.0)), {"shown": [61.0, 100.0, 75.0]})
    assert (one.column, one.n_rows, one.n_far) == ("shown", 3, 3)
    assert (one.farthest, one.row) == (100.0, 1)
    assert one.widths == pytest.approx(99 / 0.49)


def test_a_single_row_counts_if_it_is_absurd_and_rows_count_across_parts():
    ranges = ranges_of(mark=(0.0, 10.0))
    (one,) = far(ranges, {"mark": [3.0, np.nan, 5.0]}, {"mark": [10.5, 62.0]}, {"mark": [1.0]})
    assert (one.n_rows, one.n_far, one.farthest, one.row) == (2, 1, 62.0, 4)


def test_a_few_rows_slightly_outside_are_not_named():
    assert not far(ranges_of(age=(15.0, 22.0)), {"age": [22.5] * 50})
    assert not far(ranges_of(age=(15.0, 22.0)), {"age": [25.0, *[16.0] * 40]})
    assert far(ranges_of(age=(15.0, 22.0)), {"age": [25.0, 24.0, *[16.0] * 38]})


def test_rows_are_counted_once_without_taking_them():
    ranges = ranges_of(a=(0.0, 1.0), b=(0.0, 10.0))
    columns = {"a": [0.5, 1.2, 1.05, None], "b": [5, 99, None, float("nan")]}
    assert ranges.n_far(columns) == ranges.n_far(pd.DataFrame(columns)) == 1
    assert not far(ranges)


def test_the_worst_column_comes_first():
    ranges = ranges_of(a=(0.0, 1.0), b=(0.0, 1.0))
    found = far(ranges, {"a": [2.0, 2.0], "b": [-9.0, -9.0]})
    assert [one.column for one in found] == ["b", "a"]


def test_declared_ranges_and_constant_columns_are_left_out():
    ranges = ranges_of(declared=["a"], a=(0.0, 1.0), b=(3.0, 3.0))
    assert not far(ranges, {"a": [90.0, 90.0], "b": [90.0, 90.0]})


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("n_new", [15, 100])
def test_rows_of_the_same_kind_are_named_in_one_of_a_hundred_columns_at_most(kind, n_new):
    rng, n_columns = np.random.default_rng(0), 500
    seen = DRAWS[kind](rng, (100, n_columns))
    columns = {f"x{i}": (low, high) for i, (low, high) in enumerate(zip(*_ends(seen), strict=True))}
    new = DRAWS[kind](rng, (n_new, n_columns))
    found = far(ranges_of(**columns), dict(zip(columns, new.T, strict=True)))
    assert len(found) <= 0.01 * n_columns


def _ends(seen):
    return seen.min(axis=0), seen.max(axis=0)
