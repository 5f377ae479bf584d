"""What all pictures share: colours, size, titles, short names."""

from __future__ import annotations

import io
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Figure  # for the annotations of those who keep one

INK = "#222222"
GREY = "#767676"
# Okabe and Ito's palette, told apart by colour-blind readers; without its yellow, too light for a
# line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK)
# Beside the colours, so that lines are told apart in a grey print too.
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)))
_LONGEST_NAME = 24
_CHARACTERS_PER_INCH = 12  # of a title's font


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of that size in inches; at 120 dots per inch MLflow shows it as it is."""
    # Not pyplot: it keeps every figure alive and looks for a screen.
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The picture as a PNG file; without matplotlib's version in it, so that equal results give
    equal bytes.
    """
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    # `savefig` gives the same after going through the figure twice.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Axis labels, and no frame where nothing is read."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)


def set_title(figure: Figure, title: str, subtitle: str) -> None:
    """What is shown, and below it on which rows; long lines are wrapped to the figure's width."""
    width = int(figure.get_figwidth() * _CHARACTERS_PER_INCH)
    lines = "\n".join(textwrap.fill(line, width) for line in (title, subtitle))
    figure.suptitle(lines, fontsize=11)


def short(name: object, longest: int = _LONGEST_NAME) -> str:
    """A name that leaves room for the picture: its middle gives way to an ellipsis, since long
    names often differ at their ends only.
    """
    text = str(name)
    half = longest // 2
    return text if len(text) <= longest else f"{text[: longest - half - 1]}…{text[-half:]}"
