"""Pictures of the inspection tables: importance, learning curve, subgroups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from student_perf.plots.style import BLUE, GREY, ORANGE, finish, new_figure, set_title, short
from student_perf.scoring.metrics import METRICS

_MOST_COLUMNS = 25
_MOST_GROUPS = 40


def importance_figure(table: pd.DataFrame, metric: str, subtitle: str) -> Figure:
    """The most important columns of `inspection.importance`, with intervals over folds."""
    shown = table.head(_MOST_COLUMNS)
    figure = new_figure(6.4, 1.7 + 0.24 * len(shown))
    axes = figure.add_subplot()
    _draw_intervals(axes, shown["importance"], shown["low"], shown["high"])
    axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(shown)), [short(name) for name in shown["column"]])
    change = "drop in" if METRICS[metric].maximizes else "rise of"
    interval = "\n(mean over folds and 95 % interval)" if shown["low"].notna().any() else ""
    label = f"{change} {METRICS[metric].label} when the column is permuted{interval}"
    finish(axes, label, "")
    title = "Permutation importance on held-out rows"
    if len(table) > len(shown):
        title += f", first {len(shown)} of {len(table)} columns"
    set_title(figure, title, subtitle)
    return figure


def learning_curve_figure(table: pd.DataFrame, metric: str, subtitle: str) -> Figure:
    """Score on held-out and on training rows over the number of training rows."""
    figure = new_figure(5.8, 4.6)
    axes = figure.add_subplot()
    n_train = table["n_train"]
    axes.plot(
        n_train,
        table["train_score"],
        color=ORANGE,
        marker="s",
        markersize=5,
        linestyle="--",
        label="rows of the fit",
    )
    axes.plot(n_train, table["score"], color=BLUE, marker="o", label="held-out rows")
    if table["low"].notna().any():
        axes.fill_between(
            n_train, table["low"], table["high"], color=BLUE, alpha=0.15, label="95 % interval"
        )
    axes.set_xlim(left=0)
    finish(axes, "training rows (mean over folds)", METRICS[metric].label)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    title = f"Learning curve: {METRICS[metric].label}, {METRICS[metric].aim}"
    set_title(figure, title, subtitle)
    return figure


def subgroup_figure(table: pd.DataFrame, metric: str, subtitle: str) -> Figure:
    """One metric of `inspection.subgroups` for each group, next to that of all rows."""
    shown = table[table["metric"] == metric].head(_MOST_GROUPS).reset_index(drop=True)
    overall = float(shown["value"].iloc[0])
    figure = new_figure(6.4, 1.8 + 0.26 * len(shown))
    axes = figure.add_subplot()
    axes.axvline(overall, color=GREY, linewidth=1, linestyle=":")
    _draw_intervals(axes, shown["value"], shown["low"], shown["high"])
    for position in np.flatnonzero(shown["note"] != ""):
        axes.annotate(
            shown["note"][position],
            (overall, float(position)),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=GREY,
        )
    names = [
        f"{short(column)}{f' = {short(group)}' if group else ''}  (n = {n})"
        for column, group, n in zip(shown["column"], shown["group"], shown["n"], strict=True)
    ]
    axes.set_yticks(range(len(names)), names)
    label = METRICS[metric].label
    finish(axes, f"{label} (95 % intervals of all groups together); dotted: all rows", "")
    set_title(figure, f"Subgroups of the held-out rows: {label}", subtitle)
    return figure


def _draw_intervals(axes: Axes, value: pd.Series, low: pd.Series, high: pd.Series) -> None:
    """Each point with its interval on its own line, the first at the top."""
    positions = np.arange(len(value))
    axes.hlines(positions, low, high, color=BLUE, linewidth=1.6)
    axes.plot(value, positions, "o", color=BLUE, markersize=5)
    axes.set_ylim(len(value) - 0.5, -0.5)
    axes.grid(axis="x", color="#E5E5E5", linewidth=0.8)
    axes.set_axisbelow(True)
