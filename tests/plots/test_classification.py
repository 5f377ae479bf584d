import numpy as np

from student_perf.inspection.calibration import reliability
from student_perf.inspection.curves import precision_recall_curves, roc_curves
from student_perf.plots.classification import (
    confusion_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)

RNG = np.random.default_rng(4)
Y = RNG.integers(0, 3, 90)
P = RNG.dirichlet(np.ones(3), 90)
CLASSES = ["low", "mid", "high"]


def title(figure):
    return figure.get_suptitle()


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_confusion_cells_show_counts_and_row_shares():
    counts = np.array([[3, 1], [0, 4]])
    figure = confusion_figure(counts, ["low", "high"], "grade", "n = 8 rows")
    axes = figure.axes[0]
    assert texts(axes) == ["3\n75%", "1\n25%", "0\n0%", "4\n100%"]
    assert axes.get_xlabel() == "predicted grade"
    assert axes.get_ylabel() == "true grade"
    assert "n = 8 rows" in title(figure)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["low", "high"]


def test_a_class_without_rows_does_not_divide_by_zero():
    axes = confusion_figure(np.array([[0, 0], [1, 1]]), [0, 1], "y", "").axes[0]
    assert texts(axes)[:2] == ["0\n0%", "0\n0%"]


def test_roc_lines_are_the_curves_with_area_and_rows_in_the_legend():
    figure = roc_figure(roc_curves(Y, P), CLASSES, "grade", "n = 90 rows")
    (axes,) = figure.axes
    chance, *lines = axes.get_lines()
    assert "chance" in chance.get_label()
    for curve, line in zip(roc_curves(Y, P), lines, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.c_[curve.x, curve.y])
        name = CLASSES[curve.code]
        assert line.get_label() == f"{name}: AUC {curve.area:.3f} (n = {curve.n_positive})"
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 3
    assert "false positive rate" in axes.get_xlabel()
    assert "true positive rate" in axes.get_ylabel()
    assert "n = 90 rows" in title(figure)
    assert "'grade'" in title(figure)


def test_precision_recall_shows_what_chance_gives():
    curves = precision_recall_curves(Y, P)
    figure = precision_recall_figure(curves, CLASSES, "grade", "n = 90 rows")
    lines = figure.axes[0].get_lines()
    for curve, line, chance in zip(curves, lines[:3], lines[3:6], strict=True):
        assert f"AP {curve.area:.3f}" in line.get_label()
        assert set(chance.get_ydata()) == {curve.n_positive / 90}
        assert chance.get_color() == line.get_color()
    assert "recall" in figure.axes[0].get_xlabel()
    assert "n = 90 rows" in title(figure)


def test_reliability_shows_error_bins_and_how_many():
    bins = reliability(Y, P)
    figure = reliability_figure(bins, CLASSES, "grade", "n = 90 rows")
    above, below = figure.axes
    np.testing.assert_array_equal(
        above.get_lines()[1].get_xydata(), np.c_[bins.confidence, bins.frequency]
    )
    assert [bar.get_height() for bar in below.patches] == bins.count.tolist()
    assert sum(bins.count) == 90
    known = bins.debiased
    shown = f"calibration error {known.mean:.3f} ({known.low:.3f} to {known.high:.3f})"
    assert shown in title(figure).replace("\n", " ")
    assert "predicted class" in below.get_xlabel()
    binary = reliability_figure(reliability(Y % 2, P[:, :2]), ["fail", "pass"], "grade", "")
    assert binary.axes[0].get_ylabel() == "share that is 'pass'"


def test_long_names_leave_room():
    names = [f"{'very ' * 12}long {i}" for i in range(3)]
    figure = roc_figure(roc_curves(Y, P), names, "t" * 80, "data, n = 90 rows " * 4)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert max(map(len, title(figure).splitlines())) < 70
