"""Picture of the curves of a model that adds them up."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from student_perf.plots.style import COLOURS, GREY, LINE_STYLES, new_figure, set_title, short

_MOST_CURVES = 9
_PER_ROW = 3
_MOST_WORDS = 8  # categories of a column; more names would cover each other


def shape_figure(table: pd.DataFrame, _metric: str, subtitle: str) -> Figure:
    """The most important curves of `inspection.shapes`, one small picture a column."""
    of_columns = table[table["bin"].notna()].groupby("column", sort=False)
    curves = list(of_columns)[:_MOST_CURVES]
    n_rows = -(-len(curves) // _PER_ROW)
    figure = new_figure(7.4, 1.4 + 1.9 * max(n_rows, 1))
    for place, (name, curve) in enumerate(curves, start=1):
        axes = figure.add_subplot(max(n_rows, 1), _PER_ROW, place)
        _draw(axes, curve)
        axes.set_title(short(name), fontsize=9)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    outputs = table["output"].dropna().unique()
    if len(outputs) > 1:
        lines, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(lines, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    unit = "the target's unit" if list(outputs) == [""] else "log-odds"
    if len(outputs) == 1 and outputs[0]:
        unit += f" of {short(outputs[0])}"
    title = f"What each value adds to the answer, in {unit}"
    if len(of_columns) > len(curves):
        title += f": {len(curves)} of {len(of_columns)} columns"
    set_title(figure, title, subtitle)
    return figure


def _draw(axes: Axes, curve: pd.DataFrame) -> None:
    axes.axhline(0, color=GREY, linewidth=0.8, linestyle=":")
    looks = zip(cycle(COLOURS), cycle(LINE_STYLES), curve.groupby("output", sort=False))
    for colour, style, (output, bins) in looks:
        numbers = bins[bins["low"].notna()]
        if len(numbers):
            edges = np.append(numbers["low"], numbers["high"].iloc[-1])
            axes.stairs(numbers["score"], edges, baseline=None, color=colour, linestyle=style,
                        linewidth=1.4, label=str(output))  # fmt: skip
        else:
            words = bins[bins["n"] > 0].head(_MOST_WORDS)
            axes.plot(range(len(words)), words["score"], "o", color=colour, label=str(output))
            names = [short(word, 10) for word in words["bin"]]
            axes.set_xticks(range(len(words)), names, rotation=30, ha="right")
            axes.set_xlim(-0.5, len(words) - 0.5)
