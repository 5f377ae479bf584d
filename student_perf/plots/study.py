"""Pictures of a sweep: what was tried, what resulted, which differences are real."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from student_perf.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    finish,
    new_figure,
    set_title,
    short,
)
from student_perf.scoring.metrics import Metric, Objective

_WIDTH = 5.2  # inches; still readable when a telephone shrinks it to a third of that
_MOST_LINES = 300  # of parallel coordinates; more of them hide each other
_MOST_POINTS = 2000  # of a slice
_MOST_TICKS = 8
_MOST_NAMED = 12  # points of a front; more names would cover each other
_NOT_SET = -0.12  # place of a trial that did not set a parameter; the axis begins at 0
_COLUMNS = 2
_COLOURS = "viridis"  # even in lightness, so it reads for colour-blind readers and in grey


@dataclass(frozen=True, eq=False)
class Dimension:
    """One swept parameter as an axis.

    `place`, shape (M,), holds each trial's value, its logarithm to base 10, or the number of its
    choice; NaN if the trial did not set the parameter.
    """

    name: str
    place: np.ndarray
    ticks: Sequence[float]
    labels: Sequence[str]


def make_dimension(name: str, values: Sequence[str | None], log: bool = False) -> Dimension:
    """Make the axis of a parameter from each trial's value as text, None for a trial without one.

    Numbers get a scale, logarithmic with `log` if all are above 0; other values get a place each.
    """
    known = [value for value in values if value is not None]
    try:
        numbers = np.array([np.nan if v is None else float(v) for v in values])
        if not np.isfinite(numbers[~np.isnan(numbers)]).all():
            raise ValueError
    except ValueError:
        choices = sorted(set(known), key=_choice_order)
        number = {choice: float(i) for i, choice in enumerate(choices)}
        place = np.array([np.nan if v is None else number[v] for v in values])
        step = -(-len(choices) // _MOST_TICKS)
        return Dimension(name, place, range(len(choices))[::step], choices[::step])
    finite = numbers[np.isfinite(numbers)]
    if log and len(finite) and finite.min() > 0:
        numbers, finite = np.log10(numbers), np.log10(finite)
        return Dimension(name, numbers, *_number_ticks(finite, log=True))
    return Dimension(name, numbers, *_number_ticks(finite, log=False))


def history_figure(
    numbers: np.ndarray,
    values: np.ndarray,
    metric: Metric,
    dummy: float,
    default: int | None,
    subtitle: str,
) -> Figure:
    """Value of each complete trial, shape (M,), by its number, and the best so far.

    `dummy` is the baseline's value or NaN, `default` the number of the trial with the defaults.
    """
    figure = new_figure(_WIDTH, 3.8)
    axes = figure.add_subplot()
    order = np.argsort(numbers)
    near, more = _near(values, metric)
    best = metric.sign * np.maximum.accumulate(metric.sign * values[order])
    axes.scatter(
        numbers, values, s=14, color=BLUE, alpha=_alpha(len(values)), linewidths=0, label="trial"
    )
    axes.step(numbers[order], best, where="post", color=ORANGE, linewidth=1.5, label="best so far")
    if default is not None:
        at = numbers == default
        axes.scatter(
            numbers[at], values[at], s=60, marker="D", facecolor="none", edgecolor=INK,
            label="defaults",
        )  # fmt: skip
    _draw_dummy(axes.axhline, dummy, values[near])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if more:
        _limit(axes, values[near])
    finish(axes, "trial number", f"{metric.label}, mean over folds")
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    set_title(figure, f"History of {metric.label}", subtitle + more)
    return figure


def fold_scores_figure(
    labels: Sequence[str], scores: np.ndarray, dummy: float, words: tuple[str, str]
) -> Figure:
    """Fold scores of M runs, shape (M, J), best first: a point for each, and the mean as a bar."""
    metric, subtitle = words
    figure = new_figure(_WIDTH, 1.5 + 0.27 * len(labels))
    axes = figure.add_subplot()
    places = np.arange(len(labels))
    spread = np.linspace(-0.18, 0.18, scores.shape[1]) if scores.shape[1] > 1 else np.zeros(1)
    axes.scatter(
        scores, places[:, None] + spread, s=11, color=BLUE, alpha=0.6, linewidths=0, label="fold"
    )
    axes.scatter(
        scores.mean(axis=1), places, s=130, marker="|", color=INK, linewidths=2, label="mean"
    )
    _draw_dummy(axes.axvline, dummy, scores)
    _name_rows(axes, labels)
    finish(axes, f"{metric} of a fold", "")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    set_title(figure, f"Fold scores of the best {len(labels)}", subtitle)
    return figure


def difference_figure(
    labels: Sequence[str],
    mean: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    tied: np.ndarray,
    words: tuple[str, str],
) -> Figure:
    """Each run minus the best on shared folds, with 95 % intervals, shape (M,).

    Runs tied with the best are filled circles, the others open squares.
    """
    metric, subtitle = words
    figure = new_figure(_WIDTH, 1.5 + 0.27 * len(labels))
    axes = figure.add_subplot()
    places = np.arange(len(labels))
    groups = ((tied, "o", BLUE, BLUE, "tied with the best"), (~tied, "s", ORANGE, "white", "worse"))
    for mine, marker, colour, fill, name in groups:
        if mine.any():
            axes.errorbar(
                mean[mine], places[mine], xerr=[(mean - low)[mine], (high - mean)[mine]],
                fmt=marker, color=colour, markerfacecolor=fill, markersize=5, elinewidth=1.2,
                capsize=2, label=name,
            )  # fmt: skip
    axes.axvline(0, color=GREY, linewidth=1, linestyle=":")
    _name_rows(axes, labels)
    finish(axes, f"{metric} minus that of the best, 95 % interval", "")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    set_title(figure, f"{tied.sum()} of {len(labels)} shown are tied with the best", subtitle)
    return figure


def pareto_figure(
    labels: Sequence[str],
    values: np.ndarray,
    front: np.ndarray,
    objectives: Sequence[Objective],
    subtitle: str,
) -> Figure:
    """Trials by two objectives, `values` of shape (M, 2). The front, marked in `front` (M,), is
    joined and named: no trial beats one of it in everything.
    """
    pairs = zip(values.T, objectives, strict=True)
    near = np.all([_near(column, objective)[0] for column, objective in pairs], axis=0) | front
    figure = new_figure(_WIDTH, 4.0)
    axes = figure.add_subplot()
    x, y = values.T
    others, joined = near & ~front, np.flatnonzero(front)[np.argsort(x[front], kind="stable")]
    axes.scatter(x[others], y[others], s=16, color=GREY, alpha=0.6, linewidths=0, label="others")
    axes.plot(
        x[joined], y[joined], color=BLUE, marker="o", markersize=5, linewidth=1, label="front"
    )
    for place in joined[:_MOST_NAMED]:
        axes.annotate(
            short(labels[place]), values[place], fontsize=7, xytext=(4, 4),
            textcoords="offset points",
        )  # fmt: skip
    finish(axes, *(f"{one.label}, {one.aim}" for one in objectives))
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    more = f"; {(~near).sum()} far worse, not shown" if not near.all() else ""
    title = f"Pareto front: none of these {front.sum()} trials is beaten in everything"
    set_title(figure, title, subtitle + more)
    return figure


def parameter_importance_figure(shares: Mapping[str, float], subtitle: str) -> Figure:
    """How much of the variation each parameter explains; the shares add up to 1."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])[:20]
    figure = new_figure(_WIDTH, 1.3 + 0.27 * len(ranked))
    axes = figure.add_subplot()
    places = np.arange(len(ranked))
    axes.barh(places, [share for _, share in ranked], height=0.6, color=BLUE)
    for place, (_, share) in enumerate(ranked):
        axes.text(share, place, f" {share:.0%}", va="center", fontsize=9)
    axes.set_xlim(0, 1.12)
    _name_rows(axes, [name for name, _ in ranked])
    finish(axes, "share of the importance (PED-ANOVA)", "")
    set_title(figure, "Which parameters mattered", subtitle)
    return figure


def parallel_figure(
    dimensions: Sequence[Dimension], values: np.ndarray, metric: Metric, subtitle: str
) -> Figure:
    """Parallel coordinates: a horizontal axis for each parameter, and each trial a line through
    them, coloured by its value, the best on top.

    Of many trials, the best and an even choice of the others are drawn.
    """
    chosen = _spread_choice(metric.sign * values)
    across = np.array([_unit(dimension)[chosen] for dimension in dimensions])
    down = np.arange(len(dimensions))
    lines = [np.column_stack([across[:, i], down]) for i in range(len(chosen))]
    figure = new_figure(_WIDTH, 1.6 + 0.62 * len(dimensions))
    axes = figure.add_subplot()
    scale = Normalize(*np.percentile(values[chosen], [5, 95] if len(chosen) > 20 else [0, 100]))
    colours = _COLOURS if metric.maximizes else f"{_COLOURS}_r"
    collection = LineCollection(lines, cmap=colours, norm=scale, linewidths=1, alpha=0.7)
    collection.set_array(values[chosen])
    axes.add_collection(collection)
    for place, dimension in enumerate(dimensions):
        axes.axhline(place, color=GREY, linewidth=0.8)
        for at, label in zip(_unit_ticks(dimension), dimension.labels, strict=True):
            axes.plot(at, place, marker="|", color=INK, markersize=6)
            axes.text(
                at, place + 0.12, short(label, 12), fontsize=8, ha="center", va="top",
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5},
            )  # fmt: skip
    names = [short(dimension.name.removeprefix("model.")) for dimension in dimensions]
    if any(np.isnan(dimension.place[chosen]).any() for dimension in dimensions):
        axes.text(_NOT_SET, -0.3, "not set", fontsize=8, ha="center")
    axes.set_xlim(_NOT_SET - 0.06, 1.06)
    axes.set_xticks([])
    axes.set_yticks(down, names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.4)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        collection, ax=axes, orientation="horizontal", extend="both", shrink=0.7, aspect=35
    )
    bar.set_label(metric.label, fontsize=9)
    shown = f"; {len(chosen)} of them drawn" if len(chosen) < len(values) else ""
    set_title(figure, "All parameters of the trials, a line each", subtitle + shown)
    return figure


def slice_figure(
    dimensions: Sequence[Dimension], values: np.ndarray, metric: Metric, subtitle: str
) -> Figure:
    """The value over each parameter in its own small picture, later trials darker."""
    n_rows = -(-len(dimensions) // _COLUMNS)
    columns = min(_COLUMNS, len(dimensions))
    figure = new_figure(_WIDTH, 1.0 + 2.1 * n_rows)
    grid = figure.subplots(n_rows, columns, sharey=True, squeeze=False)
    step = -(-len(values) // _MOST_POINTS)
    rng = np.random.default_rng(0)
    for axes, dimension in zip(grid.flat, dimensions, strict=False):
        place = dimension.place[::step]
        if len(set(dimension.place[np.isfinite(dimension.place)])) <= _MOST_TICKS:
            place = place + _jitter(dimension, rng, len(place))
        axes.scatter(
            place, values[::step], s=11, c=np.arange(len(place)), cmap="Blues", vmin=-len(place),
            alpha=0.8, linewidths=0,
        )  # fmt: skip
        labels = [short(label, 10) for label in dimension.labels]
        crowded = sum(map(len, labels)) > 26
        axes.set_xticks(
            dimension.ticks, labels, fontsize=7, rotation=30 if crowded else 0,
            ha="right" if crowded else "center", rotation_mode="anchor",
        )  # fmt: skip
        axes.tick_params(axis="y", labelsize=7)
        finish(axes, "", "")
        axes.set_title(short(dimension.name.removeprefix("model.")), fontsize=9)
    near, more = _near(values, metric)
    if more:
        _limit(grid.flat[0], values[near])
    for axes in list(grid.flat)[len(dimensions) :]:
        axes.remove()
    figure.supylabel(f"{metric.label}, mean over folds", fontsize=9)
    set_title(figure, f"{metric.label} over each parameter, later trials darker", subtitle + more)
    return figure


def prediction_pair_figure(
    pairs: Mapping[str, tuple[np.ndarray, np.ndarray]], target: str, subtitle: str
) -> Figure:
    """True values over predicted ones, each of shape (n,), side by side on one scale."""
    figure = new_figure(_WIDTH, 3.6)
    grid = figure.subplots(1, len(pairs), sharex=True, sharey=True, squeeze=False)[0]
    everything = np.concatenate([part for pair in pairs.values() for part in pair])
    ends = [everything.min(), everything.max()]
    for axes, (title, (y_true, y_pred)) in zip(grid, pairs.items(), strict=True):
        axes.scatter(y_pred, y_true, s=9, color=BLUE, alpha=_alpha(len(y_true)), linewidths=0)
        axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=":")
        axes.set_title(short(title, 30), fontsize=9)
        finish(axes, f"predicted {short(target)}", "")
    grid[0].set_ylabel(f"true {short(target)}")
    set_title(figure, f"True over predicted {short(target)} on held-out rows", subtitle)
    return figure


def _choice_order(choice: str) -> tuple[bool, float, str]:
    """Sort numbers among the choices by size, then the words."""
    try:
        return False, float(choice), ""
    except ValueError:
        return True, 0.0, choice


def _draw_dummy(draw: Callable[..., Any], dummy: float, values: np.ndarray) -> None:
    """Draw the baseline as a line, unless it is so far off that it would squeeze the values."""
    if not np.isfinite(dummy):
        return
    off = max(values.min() - dummy, dummy - values.max())
    if off <= 1.5 * np.ptp(values):
        draw(dummy, color=GREY, linewidth=1, linestyle=":", label="dummy baseline")
    else:
        draw(np.nan, color=GREY, linewidth=1, linestyle=":", label=f"dummy {dummy:.3g}, not shown")


def _number_ticks(finite: np.ndarray, log: bool) -> tuple[list[float], list[str]]:
    distinct = np.unique(finite)
    if len(distinct) == 0:
        return [], []
    ticks = distinct if len(distinct) <= 5 else np.linspace(distinct[0], distinct[-1], 4)
    shown = 10**ticks if log else ticks
    return ticks.tolist(), [f"{value:.3g}" for value in shown]


def _unit(dimension: Dimension) -> np.ndarray:
    """Places from 0 to 1; a trial without the parameter lies before the axis."""
    low, width = _span(dimension)
    scaled = (dimension.place - low) / width if width else np.full(len(dimension.place), 0.5)
    return np.where(np.isnan(dimension.place), _NOT_SET, scaled)


def _unit_ticks(dimension: Dimension) -> np.ndarray:
    low, width = _span(dimension)
    ticks = np.asarray(dimension.ticks, dtype=np.float64)
    return (ticks - low) / width if width else np.full(len(ticks), 0.5)


def _span(dimension: Dimension) -> tuple[float, float]:
    finite = dimension.place[np.isfinite(dimension.place)]
    return (float(finite.min()), float(np.ptp(finite))) if len(finite) else (0.0, 0.0)


def _jitter(dimension: Dimension, rng: np.random.Generator, n: int) -> np.ndarray:
    """Small shifts, so that trials of the same choice do not hide each other."""
    distinct = np.unique(dimension.place[np.isfinite(dimension.place)])
    gap = np.diff(distinct).min() if len(distinct) > 1 else 1.0
    return rng.uniform(-0.12, 0.12, n) * gap


def _spread_choice(worth: np.ndarray) -> np.ndarray:
    """Trials to draw, the worst first, so that the best lie on top."""
    order = np.argsort(worth, kind="stable")
    if len(order) <= _MOST_LINES:
        return order
    half = _MOST_LINES // 2
    others = order[np.linspace(0, len(order) - half - 1, half).astype(int)]
    return np.concatenate([others, order[-half:]])


def _near(values: np.ndarray, metric: Objective) -> tuple[np.ndarray, str]:
    """Which values, shape (M,), to show, and what the subtitle says about the others: a few very
    bad trials must not squeeze all others into one line.
    """
    worth = metric.sign * values
    low, high = np.percentile(worth, [10, 90])
    near = (worth >= low - 3 * (high - low)) | (low == high)
    n_out = int((~near).sum())
    return near, f"; {n_out} far worse, not shown" if n_out else ""


def _limit(axes: Axes, shown: np.ndarray) -> None:
    margin = 0.08 * float(np.ptp(shown))
    axes.set_ylim(shown.min() - margin, shown.max() + margin)


def _name_rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [short(label) for label in labels], fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def _alpha(n: int) -> float:
    return float(np.clip(200 / max(n, 1), 0.08, 0.8))
