import numpy as np
import pytest

from student_perf.plots.regression import predicted_actual_figure, residual_figure


def test_predictions_lie_against_the_truth():
    y, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 2.5])
    axes = predicted_actual_figure(y, predicted, "score", "n = 3 rows").axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.c_[predicted, y])
    assert axes.get_ylabel() == "true score"


def test_residuals_with_their_mean_in_bins():
    rng = np.random.default_rng(0)
    y, predicted = rng.normal(10, 3, 200), rng.normal(10, 2, 200)
    figure = residual_figure(y, predicted, "score", "n = 200 rows")
    left, right = figure.axes
    np.testing.assert_array_equal(
        left.collections[0].get_offsets(), np.c_[predicted, y - predicted]
    )
    means = left.get_lines()[1].get_ydata()
    assert len(means) == 10
    assert np.mean(means) == pytest.approx((y - predicted).mean())
    assert sum(bar.get_width() for bar in right.patches) == 200
    assert left.get_ylabel() == "residual: true minus predicted score"
    assert "n = 200 rows" in figure.get_suptitle()
    assert f"standard deviation {(y - predicted).std(ddof=1):.3g}" in figure.get_suptitle()


@pytest.mark.parametrize("n", [2, 9])
def test_few_rows_are_drawn_too(n):
    y = np.arange(n, dtype=float)
    figure = residual_figure(y, y + 1, "score", f"n = {n} rows")
    np.testing.assert_array_equal(figure.axes[0].get_lines()[1].get_ydata(), [-1])


def test_repeats_do_not_narrow_the_standard_errors():
    rng = np.random.default_rng(1)
    y, predicted = rng.normal(size=(2, 100))

    def widths(*arguments):
        figure = residual_figure(*arguments)
        return [np.ptp(line[:, 1]) for line in figure.axes[0].collections[1].get_segments()]

    once = widths(y, predicted, "y", "")
    twice = widths(np.repeat(y, 2), np.repeat(predicted, 2), "y", "", 2)
    np.testing.assert_allclose(once, twice)
