"""Pictures of predicted classes and probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from student_perf.inspection.calibration import Reliability
from student_perf.inspection.curves import Curve
from student_perf.plots.style import (
    BLUE,
    COLOURS,
    GREY,
    INK,
    LINE_STYLES,
    finish,
    new_figure,
    set_title,
    short,
)
from student_perf.text import format_interval


def confusion_figure(
    counts: np.ndarray, classes: Sequence[str | int], target: str, subtitle: str
) -> Figure:
    """Confusion matrix from `counts`, shape (K, K).

    Each cell shows its count and its share of the true class. The colour follows the share, so
    small classes read as well as large ones.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(4.6, 1.0 * len(classes) + 2.2)
    figure = new_figure(size + 0.6, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(*counts.shape):
        axes.text(
            predicted,
            true,
            f"{counts[true, predicted]:.6g}\n{shares[true, predicted]:.0%}",
            ha="center",
            va="center",
            color="white" if shares[true, predicted] > 0.55 else INK,
        )
    names = [short(name) for name in classes]
    slanted = max(map(len, names)) > 8
    axes.set_xticks(
        range(len(names)),
        names,
        rotation=30 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor",
    )
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"predicted {short(target)}")
    axes.set_ylabel(f"true {short(target)}")
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    set_title(figure, "Confusion matrix on held-out rows", subtitle)
    return figure


def roc_figure(
    curves: Sequence[Curve], classes: Sequence[str | int], target: str, subtitle: str
) -> Figure:
    """ROC curve of each class against the rest, with its area and its number of rows."""
    figure, n_columns = _curve_figure(curves, classes)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="chance: AUC 0.5")
    _draw_curves(axes, curves, classes, "AUC", "default")
    finish(
        axes,
        "false positive rate: share of the other rows flagged",
        "true positive rate: share of the class found",
    )
    _complete(
        figure, axes, f"ROC curves of '{short(target)}' on held-out rows", subtitle, n_columns
    )
    return figure


def precision_recall_figure(
    curves: Sequence[Curve], classes: Sequence[str | int], target: str, subtitle: str
) -> Figure:
    """Precision and recall of each class against the rest, with the average precision (AP).

    The dotted line in the same colour is the share of the class: the precision of chance.
    """
    figure, n_columns = _curve_figure(curves, classes)
    axes = figure.add_subplot()
    _draw_curves(axes, curves, classes, "AP", "steps-post")
    for position, curve in enumerate(curves):
        share = curve.n_positive / curve.n_rows
        colour = COLOURS[position % len(COLOURS)]
        axes.plot([0, 1], [share, share], color=colour, linewidth=1, linestyle=":", alpha=0.8)
    axes.plot([], [], color=GREY, linewidth=1, linestyle=":", label="chance: share of the class")
    finish(
        axes,
        "recall: share of the class found",
        "precision: share of flagged rows in the class",
    )
    title = f"Precision and recall of '{short(target)}' on held-out rows"
    _complete(figure, axes, title, subtitle, n_columns)
    return figure


def reliability_figure(
    bins: Reliability, classes: Sequence[str | int], target: str, subtitle: str
) -> Figure:
    """Observed against predicted frequency with intervals that hold together with 95 %, and below
    it the number of predictions behind each point.
    """
    figure = new_figure(5.4, 6.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    binary = len(classes) == 2
    above.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":", label="perfectly calibrated")
    above.errorbar(
        bins.confidence,
        bins.frequency,
        [bins.frequency - bins.low, bins.high - bins.frequency],
        color=BLUE,
        marker="o",
        markersize=5,
        linewidth=1.4,
        elinewidth=1,
        capsize=2,
        label="held-out rows, 95 % intervals together",
    )
    positive = short(classes[-1])
    finish(above, "", f"share that is '{positive}'" if binary else "share predicted correctly")
    above.set_xlim(-0.02, 1.02)
    above.set_ylim(-0.02, 1.02)
    below.bar(bins.confidence, bins.count, width=0.04, color=BLUE)
    of_what = f"'{positive}'" if binary else "the predicted class"
    finish(below, f"predicted probability of {of_what}", "predictions")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    known = bins.debiased
    title = (
        f"Reliability of '{short(target)}': calibration error {known.mean:.3f} "
        f"({format_interval(known.low, known.high)})"
    )
    set_title(figure, title, subtitle)
    return figure


def _curve_figure(curves: Sequence[Curve], classes: Sequence[str | int]) -> tuple[Figure, int]:
    """Figure with room for a legend below the curves, and the legend's number of columns."""
    longest = max((len(short(classes[curve.code])) for curve in curves), default=0)
    n_columns = 1 if longest > 12 else 2
    n_lines = -(-(len(curves) + 1) // n_columns)
    return new_figure(5.6, 4.9 + 0.2 * n_lines), n_columns


def _draw_curves(
    axes: Axes, curves: Sequence[Curve], classes: Sequence[str | int], area: str, drawstyle: str
) -> None:
    for position, curve in enumerate(curves):
        axes.plot(
            curve.x,
            curve.y,
            color=COLOURS[position % len(COLOURS)],
            linestyle=LINE_STYLES[position % len(LINE_STYLES)],
            linewidth=1.6,
            drawstyle=drawstyle,
            label=f"{short(classes[curve.code])}: {area} {curve.area:.3f} (n = {curve.n_positive})",
        )


def _complete(figure: Figure, axes: Axes, title: str, subtitle: str, n_columns: int) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    figure.legend(loc="outside lower center", ncols=n_columns, frameon=False, fontsize=9)
    set_title(figure, title, subtitle)
