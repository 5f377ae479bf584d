"""Pictures of a result. Each function returns a figure; nothing is shown or saved here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_INK = "#222222"
_BLUE = "#0072B2"  # Okabe and Ito's palette, told apart by colour-blind readers
_ORANGE = "#D55E00"


def confusion_figure(
    counts: np.ndarray, classes: Sequence[str | int], target: str, subtitle: str
) -> Figure:
    """Confusion matrix, shape (K, K): each cell shows its count and its share of the true class,
    and the colour follows the share, so that small classes read as well as large ones.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(4.6, 1.0 * len(classes) + 2.2)
    figure = _new_figure(size + 0.6, size)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, predicted in np.ndindex(*counts.shape):
        axes.text(
            predicted,
            true,
            f"{counts[true, predicted]}\n{shares[true, predicted]:.0%}",
            ha="center",
            va="center",
            color="white" if shares[true, predicted] > 0.55 else _INK,
        )
    names = [str(name) for name in classes]
    slanted = max(map(len, names)) > 8
    axes.set_xticks(range(len(names)), names, rotation=30 if slanted else 0)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(f"predicted {target}")
    axes.set_ylabel(f"true {target}")
    axes.set_title(f"Confusion matrix on held-out rows\n{subtitle}", fontsize=11)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def predicted_actual_figure(
    y_true: np.ndarray, y_pred: np.ndarray, target: str, subtitle: str
) -> Figure:
    """Held-out predictions against the truth, both of shape (n,), in the target's unit."""
    figure = _new_figure(5.6, 5.2)
    axes = figure.add_subplot()
    limits = [min(y_true.min(), y_pred.min()), max(y_true.max(), y_pred.max())]
    axes.plot(limits, limits, color=_ORANGE, linewidth=1.2, label="perfect prediction")
    axes.scatter(y_pred, y_true, s=12, alpha=0.4, color=_BLUE, linewidths=0)
    axes.set_xlabel(f"predicted {target}")
    axes.set_ylabel(f"true {target}")
    axes.set_title(f"Predicted and true values on held-out rows\n{subtitle}", fontsize=11)
    axes.legend(loc="upper left", frameon=False)
    return figure


def _new_figure(width: float, height: float) -> Figure:
    # Not pyplot: it keeps every figure alive and looks for a screen.
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
