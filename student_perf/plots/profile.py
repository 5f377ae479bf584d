"""Pictures of a table before training: each column beside the target, and the missing cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from student_perf.plots.style import BLUE, COLOURS, GREY, ORANGE, finish, new_figure, short

_BINS = 20
_MOST_VALUES = 10
_MOST_POINTS = 1000
_MOST_MAP_ROWS = 300
_PARTS = 5


def distribution_figure(name: str, values: pd.Series) -> Figure:
    """How often each value occurs: a histogram of numbers, bars of the commonest categories."""
    figure = new_figure(5.6, 2.8)
    _distribution(figure.add_subplot(), values)
    figure.suptitle(short(name), fontsize=11)
    return figure


def by_target_figure(
    name: str, values: pd.Series, target: np.ndarray, target_name: str, classes: Sequence[object]
) -> Figure:
    """The distribution of a column, and beside it the target by its values."""
    figure = new_figure(5.6, 2.8)
    left, right = figure.subplots(1, 2)
    _distribution(left, values)
    known = values.notna().to_numpy()
    if classes:
        _class_shares(right, values[known], target[known], classes)
    else:
        _numbers(right, values[known], target[known], target_name)
    figure.suptitle(short(name, 40), fontsize=11)
    return figure


def missing_figure(columns: pd.DataFrame) -> Figure:
    """Which cells are missing: columns with gaps side by side, rows from top to bottom."""
    gaps = columns.isna()
    gaps = gaps.loc[:, gaps.any()]
    step = max(1, len(gaps) // _MOST_MAP_ROWS)
    figure = new_figure(max(4.0, min(11.0, 1.5 + 0.35 * gaps.shape[1])), 3.6)
    axes = figure.add_subplot()
    colours = ListedColormap(["#eeeeee", ORANGE])
    # A block of rows with any gap is one: a single missing cell in a thousand would not be seen.
    shown = gaps.groupby(np.arange(len(gaps)) // step).any().to_numpy(dtype=float)
    extent = (-0.5, gaps.shape[1] - 0.5, len(gaps), 0)
    axes.imshow(
        shown, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=1, extent=extent
    )
    labels = [f"{short(name, 18)} {share:.0%}" for name, share in gaps.mean().items()]
    axes.set_xticks(range(gaps.shape[1]), labels, rotation=60, ha="right", fontsize=8)
    finish(axes, "", "row")
    figure.suptitle("Missing cells", fontsize=11)
    return figure


def _distribution(axes: Axes, values: pd.Series) -> None:
    known = values.dropna()
    if values.dtype == np.float64:
        n_values = known.nunique()
        if n_values <= _BINS:
            counts = known.value_counts().sort_index()
            axes.bar([f"{value:g}" for value in counts.index], counts, color=BLUE)
            axes.tick_params(axis="x", labelsize=7, rotation=90 if n_values > _MOST_VALUES else 0)
        else:
            axes.hist(known, bins=_BINS, color=BLUE)
        finish(axes, "", "rows")
        return
    counts = known.value_counts().head(_MOST_VALUES)[::-1]
    axes.barh([short(value, 16) for value in counts.index], counts, color=BLUE)
    axes.tick_params(axis="y", labelsize=8)
    finish(axes, "rows", "")


def _parts(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """The part of each row, and their names: values, or fifths of a number."""
    if values.dtype == np.float64 and values.nunique() > _MOST_VALUES:
        cut = pd.qcut(values, _PARTS, duplicates="drop")
        lowest = float(values.min())  # pandas begins a little below it
        names = [f"{max(one.left, lowest):.3g} to {one.right:.3g}" for one in cut.cat.categories]
        return cut.cat.codes.to_numpy(), names
    common = values.value_counts().head(_MOST_VALUES).index
    order = sorted(common) if values.dtype == np.float64 else list(common)
    codes = pd.Index(order).get_indexer_for(values)
    return codes, [f"{one:g}" if isinstance(one, float) else short(one, 16) for one in order]


def _class_shares(
    axes: Axes, values: pd.Series, target: np.ndarray, classes: Sequence[object]
) -> None:
    codes, names = _parts(values)
    table = np.zeros((len(names), len(classes)))
    np.add.at(table, (codes[codes >= 0], target[codes >= 0]), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    start = np.zeros(len(names))
    for number, label in enumerate(classes):
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(names, shares[:, number], left=start, color=colour, label=short(label, 12))
        start += shares[:, number]
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    finish(axes, "share of rows", "")
    axes.legend(fontsize=7, ncols=2, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _numbers(axes: Axes, values: pd.Series, target: np.ndarray, target_name: str) -> None:
    if values.dtype == np.float64 and values.nunique() > _MOST_VALUES:
        step = max(1, len(values) // _MOST_POINTS)
        axes.plot(values[::step], target[::step], ".", color=BLUE, alpha=0.4, markersize=3)
        finish(axes, "", short(target_name, 16))
        return
    codes, names = _parts(values)
    groups = [target[codes == code] for code in range(len(names))]
    axes.boxplot(
        groups,
        orientation="horizontal",
        widths=0.6,
        flierprops={"markersize": 2},
        medianprops={"color": ORANGE},
        boxprops={"color": GREY},
    )
    axes.set_yticks(range(1, len(names) + 1), names, fontsize=8)
    axes.invert_yaxis()
    finish(axes, short(target_name, 16), "")
