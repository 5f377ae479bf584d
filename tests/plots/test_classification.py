import numpy as np

from student_perf.plots import confusion_figure, predicted_actual_figure


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_confusion_cells_show_counts_and_row_shares():
    counts = np.array([[3, 1], [0, 4]])
    axes = confusion_figure(counts, ["low", "high"], "grade", "n = 8 rows").axes[0]
    assert texts(axes) == ["3\n75%", "1\n25%", "0\n0%", "4\n100%"]
    assert axes.get_xlabel() == "predicted grade"
    assert axes.get_ylabel() == "true grade"
    assert "n = 8 rows" in axes.get_title()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["low", "high"]


def test_a_class_without_rows_does_not_divide_by_zero():
    axes = confusion_figure(np.array([[0, 0], [1, 1]]), [0, 1], "y", "").axes[0]
    assert texts(axes)[:2] == ["0\n0%", "0\n0%"]


def test_predictions_lie_against_the_truth():
    y, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 2.5])
    axes = predicted_actual_figure(y, predicted, "score", "n = 3 rows").axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), np.c_[predicted, y])
    assert axes.get_ylabel() == "true score"
