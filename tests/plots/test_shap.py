import numpy as np
import pandas as pd

from student_perf.plots.shap import shap_figure


def test_bars_are_the_first_columns_from_the_top():
    values = np.linspace(3, 0.1, 30)
    names = [f"column {i}" for i in range(30)]
    table = pd.DataFrame({"column": names, "mean_abs_shap": values})
    figure = shap_figure(table, "probability", "a run")
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == values[:25].tolist()
    assert axes.get_yticklabels()[0].get_text() == "column 0"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert "first 25 of 30 columns" in figure.get_suptitle()
    assert axes.get_xlabel() == "mean |SHAP value| (probability)"
