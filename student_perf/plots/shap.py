"""Picture of SHAP values by column."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from student_perf.plots.style import BLUE, finish, new_figure, set_title, short

_MOST_COLUMNS = 25


def shap_figure(table: pd.DataFrame, unit: str, subtitle: str) -> Figure:
    """The columns with the largest mean of |SHAP|, by which `table` is sorted."""
    shown = table.head(_MOST_COLUMNS)
    figure = new_figure(6.4, 1.7 + 0.24 * len(shown))
    axes = figure.add_subplot()
    positions = range(len(shown))
    axes.barh(positions, shown["mean_abs_shap"], color=BLUE, height=0.65)
    axes.set_yticks(positions, [short(name) for name in shown["column"]])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    finish(axes, f"mean |SHAP value| ({unit})", "")
    title = "What moves the model's answer"
    if len(table) > len(shown):
        title += f", first {len(shown)} of {len(table)} columns"
    set_title(figure, title, subtitle)
    return figure
