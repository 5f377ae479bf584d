"""Pictures of predicted numbers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from student_perf.plots.style import BLUE, GREY, ORANGE, finish, new_figure, set_title, short

_BINS = 10
_ROWS_PER_BIN = 10


def predicted_actual_figure(
    y_true: np.ndarray, y_pred: np.ndarray, target: str, subtitle: str
) -> Figure:
    """Held-out predictions against the truth, both of shape (n,), in the target's unit."""
    figure = new_figure(5.6, 5.2)
    axes = figure.add_subplot()
    limits = [min(y_true.min(), y_pred.min()), max(y_true.max(), y_pred.max())]
    axes.plot(limits, limits, color=ORANGE, linewidth=1.2, label="perfect prediction")
    _scatter(axes, y_pred, y_true)
    finish(axes, f"predicted {short(target)}", f"true {short(target)}")
    set_title(figure, "Predicted and true values on held-out rows", subtitle)
    axes.legend(loc="upper left", frameon=False)
    return figure


def residual_figure(
    y_true: np.ndarray, y_pred: np.ndarray, target: str, subtitle: str, n_repeats: int = 1
) -> Figure:
    """Residuals (truth minus prediction) against the predictions, next to their distribution.

    Both arrays have shape (n,). Means are over up to ten equally filled bins; a row that is
    predicted `n_repeats` times counts once in their standard errors.
    """
    residual = y_true - y_pred
    figure = new_figure(7.6, 4.6)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 1])
    _scatter(left, y_pred, residual)
    left.axhline(0, color=GREY, linewidth=1, linestyle=":")
    centres, means, widths = _binned_means(y_pred, residual, n_repeats)
    left.errorbar(
        centres,
        means,
        widths,
        color=ORANGE,
        marker="o",
        markersize=4,
        linewidth=1.4,
        elinewidth=1,
        capsize=2,
        label="mean of a bin, ± 2 standard errors",
    )
    figure.legend(loc="outside lower center", frameon=False, fontsize=9)
    name = short(target)
    finish(left, f"predicted {name}", f"residual: true minus predicted {name}")
    n_bins = int(np.clip(np.sqrt(len(residual)), 5, 40))
    right.hist(residual, bins=n_bins, orientation="horizontal", color=BLUE)
    right.axhline(0, color=GREY, linewidth=1, linestyle=":")
    finish(right, "predictions", "")
    spread = f"mean {residual.mean():.3g}, standard deviation {residual.std(ddof=1):.3g}"
    set_title(figure, f"Residuals of '{name}' on held-out rows: {spread}", subtitle)
    return figure


def _scatter(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Transparent points: the more of them, the fainter."""
    alpha = float(np.clip(400 / len(x), 0.03, 0.4))
    axes.scatter(x, y, s=12, alpha=alpha, color=BLUE, linewidths=0)


def _binned_means(
    y_pred: np.ndarray, residual: np.ndarray, n_repeats: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean prediction, mean residual and two standard errors of the latter, in equal bins."""
    n_bins = max(1, min(_BINS, len(y_pred) // _ROWS_PER_BIN))
    parts = np.array_split(np.argsort(y_pred, kind="stable"), n_bins)
    centres = np.array([y_pred[part].mean() for part in parts])
    means = np.array([residual[part].mean() for part in parts])
    deviations = np.array([residual[part].std() for part in parts])
    widths = 2 * deviations / np.sqrt([len(part) / n_repeats for part in parts])
    return centres, means, widths
