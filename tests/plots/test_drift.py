import pytest

from student_perf.plots.drift import drift_figure


def test_bars_have_the_lengths_of_the_shares():
    figure = drift_figure(["a", "b"], [0.25, 0.75], [0.5, 0.5])
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.75, 0.5, 0.5]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]


def test_of_many_bins_those_with_the_most_rows_are_shown():
    shares = [i / 435 for i in range(30)]
    (axes,) = drift_figure([f"bin {i}" for i in range(30)], shares, shares).axes
    assert len(axes.patches) == 30
    assert axes.patches[0].get_width() == pytest.approx(15 / 435)
