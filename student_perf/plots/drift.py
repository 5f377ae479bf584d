"""Pictures of drift: one column's distribution on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from student_perf.plots.style import BLUE, ORANGE, finish, new_figure, short

_MOST_BINS = 15


def drift_figure(
    bins: Sequence[str], reference: Sequence[float], current: Sequence[float]
) -> Figure:
    """Shares of the rows in each bin as pairs of bars; of many bins, those with the most rows."""
    shares = np.array([reference, current])
    shown = np.sort(np.argsort(-shares.max(axis=0), kind="stable")[:_MOST_BINS])
    figure = new_figure(5.6, 1.1 + 0.3 * len(shown))
    axes = figure.add_subplot()
    places = np.arange(len(shown))
    axes.barh(places - 0.2, shares[0, shown], height=0.38, color=BLUE, label="reference")
    axes.barh(places + 0.2, shares[1, shown], height=0.38, color=ORANGE, label="current")
    axes.set_yticks(places, [short(bins[i]) for i in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    finish(axes, "share of rows", "")
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return figure
