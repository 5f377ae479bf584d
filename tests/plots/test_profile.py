import numpy as np
import pandas as pd
import pytest

from student_perf.plots.profile import by_target_figure, distribution_figure, missing_figure

N = 200
RNG = np.random.default_rng(0)
NUMBERS = pd.Series(RNG.normal(0, 1, N))
FEW = pd.Series(RNG.integers(0, 4, N).astype(float))
WORDS = pd.Series(RNG.choice([f"school {i}" for i in range(30)], N), dtype="str")


@pytest.mark.parametrize("values", [NUMBERS, FEW, WORDS, NUMBERS.where(NUMBERS > 0)])
@pytest.mark.parametrize("classes", [(), ("no", "yes")])
def test_a_column_stands_beside_the_target(values, classes):
    target = RNG.integers(0, 2, N) if classes else RNG.normal(5, 1, N)
    left, right = by_target_figure("x", values, target, "grade", classes).axes
    assert left.patches
    if classes:
        # Shares of each part add up to the whole.
        widths = [bar.get_width() for bar in right.patches]
        assert sum(widths) == pytest.approx(len(right.get_yticklabels()))
    else:
        assert right.lines


def test_few_numbers_are_bars_by_value():
    (axes,) = distribution_figure("x", FEW).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1", "2", "3"]
    assert sum(bar.get_height() for bar in axes.patches) == N


def test_a_single_gap_among_thousands_is_seen():
    table = pd.DataFrame({"a": np.ones(5000), "b": np.ones(5000)})
    table.loc[1234, "b"] = np.nan
    (axes,) = missing_figure(table).axes
    (image,) = axes.images
    assert image.get_array().sum() == 1
    assert [label.get_text() for label in axes.get_xticklabels()] == ["b 0%"]
