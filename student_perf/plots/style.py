"""What all pictures share: colours, size, titles, short names."""

from __future__ import annotations

import io
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Figure  # for the annotations of those who keep one
from matplotlib.text import Text

INK = "#222222"
GREY = "#767676"
# Okabe and Ito's palette, which colour-blind readers can distinguish, without its yellow: that is
# too light for a line on white.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK)
# Besides the colours, so that lines differ in a grey print too.
LINE_STYLES = ("-", "--", "-.", (0, (1, 1)))
_LONGEST_NAME = 24
_CHARACTERS_PER_INCH = 12  # of a title's font


def new_figure(width: float, height: float) -> Figure:
    """Empty figure of that size in inches; at 120 dots per inch MLflow shows it as it is."""
    # Not pyplot, which keeps every figure alive and looks for a screen.
    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The picture as a PNG file, without matplotlib's version: equal results give equal bytes."""
    for text in figure.findobj(Text):  # names: mathematics would fail if it is none
        text.set_parse_math(False)
    buffer = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    # `savefig` gives the same after going through the figure twice.
    canvas.print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()


def finish(axes: Axes, xlabel: str, ylabel: str) -> None:
    """Set the axis labels and remove the frame at the top and the right."""
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)


def set_title(figure: Figure, title: str, subtitle: str) -> None:
    """Set what is shown, and below it on which rows; long lines wrap at the figure's width."""
    width = int(figure.get_figwidth() * _CHARACTERS_PER_INCH)
    lines = "\n".join(textwrap.fill(line, width) for line in (title, subtitle))
    figure.suptitle(lines, fontsize=11)


def short(name: object, longest: int = _LONGEST_NAME) -> str:
    """Shorten a name: an ellipsis replaces its middle, as long names often differ at the ends only.

    >>> short("number of hours per week spent on homework")
    'number of h… on homework'
    """
    text = str(name)
    half = longest // 2
    return text if len(text) <= longest else f"{text[: longest - half - 1]}…{text[-half:]}"
