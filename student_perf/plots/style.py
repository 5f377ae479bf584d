"""What all pictures share: colours, size, titles, short names."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#222222"
GREY = "#767676"
# Okabe and Ito's palette, told apart by colour-blind readers; without its yellow, too light for a
# line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", INK)
# With the colours they tell four times as many lines apart, and any two in a grey print.
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)))
_LONGEST_NAME = 24


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of that size in inches; at 120 dots per inch MLflow shows it as it is."""
    # Not pyplot: it keeps every figure alive and looks for a screen.
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Axis labels, and no frame where nothing is read."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)


def set_title(figure: Figure, title: str, subtitle: str) -> None:
    """What is shown, and below it on which rows."""
    figure.suptitle(f"{title}\n{subtitle}", fontsize=11)


def short(name: object, longest: int = _LONGEST_NAME) -> str:
    """A name that leaves room for the picture: its end gives way to an ellipsis."""
    text = str(name)
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
