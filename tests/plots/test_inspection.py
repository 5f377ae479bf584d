import numpy as np
import pandas as pd

from student_perf.plots.inspection import importance_figure, learning_curve_figure, subgroup_figure

NAN = float("nan")


def names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def importance(n):
    mean = np.linspace(0.3, -0.01, n)
    columns = [f"column_{i}" for i in range(n)]
    return pd.DataFrame(
        {"column": columns, "importance": mean, "low": mean - 0.1, "high": mean + 0.1}
    )


def test_importance_is_drawn_from_the_top_with_intervals():
    figure = importance_figure(importance(3), "accuracy", "n = 60 rows")
    (axes,) = figure.axes
    assert names(axes) == ["column_0", "column_1", "column_2"]
    assert axes.yaxis_inverted()
    points = axes.get_lines()[0].get_xdata()
    np.testing.assert_allclose(points, importance(3)["importance"])
    segments = axes.collections[0].get_segments()
    np.testing.assert_allclose(segments[0][:, 0], [0.2, 0.4])
    assert axes.get_xlabel().startswith("drop in accuracy when the column is permuted")
    assert "95 % interval" in axes.get_xlabel()
    assert "n = 60 rows" in figure.get_suptitle()


def test_many_columns_are_cut_and_a_loss_rises():
    figure = importance_figure(importance(40), "root_mean_squared_error", "")
    assert len(names(figure.axes[0])) == 25
    assert "first 25 of 40 columns" in figure.get_suptitle()
    assert figure.axes[0].get_xlabel().startswith("rise of RMSE")


def test_no_interval_is_promised_where_there_is_none():
    table = importance(2).assign(low=NAN, high=NAN)
    assert "interval" not in importance_figure(table, "accuracy", "").axes[0].get_xlabel()


def test_learning_curve_shows_both_sides():
    table = pd.DataFrame(
        {
            "share": [0.5, 1.0],
            "n_train": [50.0, 100.0],
            "score": [0.4, 0.5],
            "low": [0.3, 0.45],
            "high": [0.5, 0.55],
            "train_score": [0.9, 0.8],
        }
    )
    figure = learning_curve_figure(table, "accuracy", "n = 120 rows")
    on_train, held_out = figure.axes[0].get_lines()
    np.testing.assert_array_equal(held_out.get_xydata(), [[50, 0.4], [100, 0.5]])
    np.testing.assert_array_equal(on_train.get_ydata(), [0.9, 0.8])
    assert "training rows" in figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel() == "accuracy"
    assert "n = 120 rows" in figure.get_suptitle()
    without = learning_curve_figure(table.assign(low=NAN, high=NAN), "accuracy", "")
    assert not without.axes[0].collections


def test_subgroups_name_their_size_and_say_what_is_too_small():
    table = pd.DataFrame(
        {
            "column": ["all rows", "sex", "sex"],
            "group": ["", "F", "M"],
            "n": [30, 26, 4],
            "metric": ["accuracy"] * 3,
            "value": [0.5, 0.6, NAN],
            "low": [0.4, 0.45, NAN],
            "high": [0.6, 0.7, NAN],
            "note": ["", "", "fewer than 20 rows"],
        }
    )
    table = pd.concat([table, table.assign(metric="f1_macro", value=0.9)], ignore_index=True)
    figure = subgroup_figure(table, "accuracy", "n = 30 rows")
    (axes,) = figure.axes
    assert names(axes) == ["all rows  (n = 30)", "sex = F  (n = 26)", "sex = M  (n = 4)"]
    np.testing.assert_array_equal(axes.get_lines()[1].get_xdata(), [0.5, 0.6, NAN])
    assert [text.get_text() for text in axes.texts] == ["fewer than 20 rows"]
    assert "accuracy" in axes.get_xlabel()
    assert "n = 30 rows" in figure.get_suptitle()
