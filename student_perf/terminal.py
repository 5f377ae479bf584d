"""What a person sees: the composed experiment, progress over folds, the result, where it is.

On a terminal with colour and a progress bar; into a file or a pipe as plain text without either.

>>> terminal = Terminal()
>>> terminal.table([words("run"), "mean"], [("ridge", "0.430"), ("tree", "0.391")])
run     mean
ridge  0.430
tree   0.391
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.control import Control
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from student_perf.config.search_path import unused_conf
from student_perf.errors import one_line
from student_perf.masking import masked
from student_perf.scoring.metrics import ABOUT_FEW, METRICS
from student_perf.shell import own_line
from student_perf.text import format_change, format_interval, format_number, format_p, visible

if TYPE_CHECKING:
    from student_perf.data.cleaning import LineageStep

MetricRow = dict[str, float | None]
_MOST_GROUPS = 12
_RELATIVE = "mean_absolute_percentage_error"
_LARGE = 1e6  # figures from here on leave less space between columns
# What is to be typed and holds blanks, and what a blank in it is while lines are wrapped.
_TYPED = re.compile(
    r"""(?<!\S)(?:'[\w.@+~/]+=[^']*'|"[\w.@+~/]+=[^"]*"|[\w.@+~/]+="[^"]*"|"""
    r"""\S*python -m student_perf\S*(?: [\w./@:-]+){0,3})"""
)
_FIXED_BLANK = "\ue000"
_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


@dataclass(frozen=True)
class GroupLine:
    """One group of rows: `values` maps a metric to its value and the bounds of its interval; `note`
    says why there are none.
    """

    name: str
    n: int
    note: str
    values: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Column:
    """A column of a table. By default it holds figures: they stand right and are never wrapped.

    Beyond `width` a cell that does not wrap ends with an ellipsis.
    """

    heading: str = ""
    right: bool = True
    wraps: bool = False
    width: int | None = None


def words(heading: str = "", width: int | None = None) -> Column:
    """A column of text: wrapped, or cut at `width`."""
    return Column(heading, right=False, wraps=width is None, width=width)


def make_table(
    columns: Sequence[Column | str],
    rows: Iterable[Sequence[str]],
    styles: Sequence[str] = (),
    dense: bool = False,
) -> Table:
    """A table without rules; a plain heading is that of figures. `styles` are those of the rows,
    `dense` halves the space between columns.
    """
    table = Table(box=None, padding=(0, 1), collapse_padding=dense, pad_edge=False)
    for column in columns:
        column = Column(column) if isinstance(column, str) else column
        table.add_column(
            visible(column.heading),
            justify="right" if column.right else "left",
            overflow="fold" if column.wraps else "ellipsis",
            no_wrap=not column.wraps,
            max_width=column.width,
        )
    for cells, style in zip_longest(rows, styles, fillvalue=""):
        table.add_row(*(Text(visible(cell)) for cell in cells), style=style)
    return table


def print_error(error: BaseException) -> None:
    """One line on standard error."""
    print(f"student_perf: {masked(visible(one_line(error)))}", file=sys.stderr)


def say_unused_conf() -> None:
    """One line on standard error if the `conf` of the current folder is not used."""
    if (why := unused_conf()) is not None:
        print(f"student_perf: {why}", file=sys.stderr)


def print_warning(text: str) -> None:
    """One line on standard error about what does not stop the command."""
    print(f"student_perf: warning: {masked(visible(text))}", file=sys.stderr)


@contextmanager
def silent(is_silent: bool = True) -> Iterator[None]:
    """Have nothing printed by what is called within; holds for this thread."""
    token = _is_silent.set(is_silent)
    try:
        yield
    finally:
        _is_silent.reset(token)


def make_console(quiet: bool = False, soft_wrap: bool = False) -> Console:
    """A console on standard output; in a notebook it draws there."""
    # Names and values come from data and configs: [brackets] in them are not markup.
    quiet = quiet or _is_silent.get()
    console = Console(quiet=quiet, highlight=False, markup=False, soft_wrap=soft_wrap)
    console.push_render_hook(_Trimming())
    return console


class _Trimming(RenderHook):
    """Takes the blanks from the ends of lines, with which Rich fills wrapped text and tables."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """What is printed, each part trimmed; codes that move the cursor stay as they are."""
        return [one if isinstance(one, Control) else _Trimmed(one) for one in renderables]


@dataclass(frozen=True)
class _Trimmed:
    content: ConsoleRenderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line: list[Segment] = []
        for segment in console.render(self.content, options):
            if segment.control:
                line.append(segment)
                continue
            *ended, rest = segment.text.split("\n")
            for text in ended:
                yield from _without_end([*line, Segment(text, segment.style)])
                yield Segment.line()
                line = []
            line.append(Segment(rest, segment.style))
        yield from line


def _without_end(line: list[Segment]) -> list[Segment]:
    """A line without the blanks at its end."""
    while line and not line[-1].control:
        last = line.pop()
        if text := last.text.rstrip(" "):
            return [*line, Segment(text, last.style)]
    return line


def print_lines(console: Console, *lines: str | Text, indent: int = 2, margin: int = 0) -> None:
    """Sentences, each wrapped below itself, but not within what is to be typed; `margin` stays free
    at the right.
    """
    width = max(1, console.width - indent - margin)
    for line in lines:
        text = Text(visible(line)) if isinstance(line, str) else line.copy()
        text.plain = _TYPED.sub(lambda m: m[0].replace(" ", _FIXED_BLANK), text.plain)
        for part in _wrapped(text, width):
            part.plain = part.plain.replace(_FIXED_BLANK, " ")
            console.print(Text.assemble(" " * indent, part), soft_wrap=True)


def _wrapped(text: Text, width: int) -> Iterator[Text]:
    """Its lines of `width` at most, but for longer words, which a terminal wraps itself: so they
    are copied as one.
    """
    for paragraph in text.split("\n", allow_blank=True):
        breaks, start = [], 0
        for word in re.finditer(r"\S+", paragraph.plain):
            if word.start() > start and cell_len(paragraph.plain[start : word.end()]) > width:
                start = word.start()
                breaks.append(start)
        for part in paragraph.divide(breaks):
            part.rstrip()
            yield part


class Terminal:
    """Prints one run. `quiet` prints nothing, for trials and tests."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = make_console(quiet, soft_wrap=True)

    def title(self, model: str, dataset: str, split: str, seed: int | str) -> None:
        """First line, printed before the slow imports."""
        names = (visible(model), "bold"), " on ", (visible(dataset), "bold")
        self.console.print(Text.assemble(*names, f", split {split}, seed {seed}"))

    def heading(self, text: str) -> None:
        """One line that stands out."""
        self.console.print(visible(text), style="bold")

    def lines(self, *lines: str | Text, indent: int = 2) -> None:
        """Sentences, each wrapped below itself, but not within what is to be typed."""
        print_lines(self.console, *lines, indent=indent, margin=indent)

    def facts(self, facts: dict[str, str]) -> None:
        """Aligned lines of name and text; long texts wrap below themselves."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for name, text in facts.items():
            table.add_row(f"  {visible(name)}", visible(text))
        self.console.print(table, soft_wrap=False)

    def table(
        self,
        columns: Sequence[Column | str],
        rows: Iterable[Sequence[str]],
        styles: Sequence[str] = (),
        dense: bool = False,
    ) -> None:
        """Print the table of `make_table`."""
        self.console.print(make_table(columns, rows, styles, dense), soft_wrap=False)

    def lineage(self, steps: Sequence[LineageStep]) -> None:
        """What each cleaning step did to rows and cells, and the table's hash after it."""
        if len(steps) < 2:
            return
        self.table(
            [words("  cleaning"), "rows before", "after", "cells changed", "sha256"],
            [
                (
                    f"  {s.step}",
                    *map(str, (s.rows_before, s.rows_after, s.cells_changed)),
                    s.sha256[:8],
                )
                for s in steps
            ],
        )

    def notes(self, lines: Sequence[str]) -> None:
        """What reading and cleaning have decided by themselves."""
        self.lines(*(f"note: {line}" for line in lines))

    def warnings(self, lines: Sequence[str]) -> None:
        """What the guards found and were set to let pass."""
        self.lines(*(Text.assemble(("warning", "yellow"), f": {visible(line)}") for line in lines))

    @contextmanager
    def folds(self, total: int) -> Iterator[Callable[[int, object], None] | None]:
        """Progress bar over folds; yields the callback that moves it, None if there is no bar."""
        is_drawn = self.console.is_terminal or self.console.is_jupyter
        if self.console.quiet or not is_drawn:
            yield None
            return
        columns = (
            TextColumn("  folds"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task("folds", total=total)
            yield lambda done, _: progress.update(bar, completed=done)

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A line that moves while something takes seconds; only on a terminal."""
        if self.console.quiet or not self.console.is_terminal:
            yield
            return
        with self.console.status(Text(text)):
            yield

    def metrics(self, rows: dict[str, MetricRow], objective: str, heading: str) -> None:
        """Table of metrics with uncertainty beside the dummy baseline; the objective stands out.

        `rows` maps a metric to its `mean`, `std`, `low`, `high`, the mean over the `train` rows of
        each fold, and `dummy`.
        """
        self.console.print()
        is_wide = any(abs(row["mean"] or 0.0) >= _LARGE for row in rows.values())
        self.table(
            [words(), words(heading), "mean", "std", "95 % interval", "train", "dummy"],
            [
                (
                    " >" if name == objective else "",
                    METRICS[name].label,
                    format_number(row["mean"]),
                    format_number(row["std"]),
                    METRICS[name].interval(row["mean"], row["low"], row["high"]),
                    format_number(row.get("train")),
                    format_number(row.get("dummy")),
                )
                for name, row in rows.items()
            ],
            ["bold" if name == objective else "" for name in rows],
            dense=is_wide,
        )
        of_few = (METRICS[k].rests_on_few(v["mean"], v["low"], v["high"]) for k, v in rows.items())
        if any(of_few):
            self.lines(ABOUT_FEW)
        if _RELATIVE in rows and math.isnan(_number(rows[_RELATIVE]["mean"])):
            self.lines(f"{METRICS[_RELATIVE].label} is not defined: a true value is 0.")
        self.console.print()

    def test_rows(self, row: MetricRow, metric: str, n_rows: int, n_looks: int) -> None:
        """The figure on the test rows, and a warning if they were opened before."""
        text = Text.assemble(
            ("Test rows", "bold"),
            f" (n = {n_rows}), opened once for this model: "
            f"{METRICS[metric].label} {format_number(row['mean'])}, 95 % interval "
            f"{METRICS[metric].interval(row['mean'], row['low'], row['high'])}.",
        )
        if n_looks > 1:
            text.append(" warning", "yellow")
            text.append(
                f": look number {n_looks} at these rows; choosing by them makes the figure too "
                "good."
            )
        self.lines(text)

    def groups(self, lines: list[GroupLine], about: str = "") -> None:
        """Table of subgroups: the deciding metric with its interval, and the one beside it; below
        it what the table shows.
        """
        if not lines:
            return
        first, second = lines[0].values
        self.table(
            [
                words(),
                words("groups of held-out rows", 32),
                # A long label gives way, the figures stay whole.
                Column("n", wraps=True),
                Column(_label(first), wraps=True),
                "95 % together",
                Column(_label(second), wraps=True),
            ],
            [
                (
                    "  ",
                    line.name,
                    str(line.n),
                    format_number(line.values[first][0]),
                    line.note or _interval(first, *line.values[first]),
                    format_number(line.values[second][0]),
                )
                for line in lines[:_MOST_GROUPS]
            ],
        )
        if len(lines) > _MOST_GROUPS:
            self.console.print(f"    and {len(lines) - _MOST_GROUPS} more in subgroups.csv")
        self.console.print()
        if about:
            self.lines(about)

    def important(self, columns: dict[str, float], metric: str) -> None:
        """The most important columns in one sentence, with what the metric loses without them."""
        if columns:
            sign = "-" if METRICS[metric].maximizes else "+"
            changes = ", ".join(f"{n} {sign}{format_number(v)}" for n, v in columns.items())
            self.lines(f"Permuted, {_label(metric)} changes: {changes}.")

    def verdict(self, rows: dict[str, MetricRow], objective: str, n_tries: int = 1) -> None:
        """One sentence or two: what is gained over the dummy baseline, and whether it is shown."""
        self.lines(verdict(rows[objective], objective, n_tries))

    def places(self, places: dict[str, str]) -> None:
        """Where things were written; never wrapped, so that they can be copied."""
        self.console.print()
        for name, text in places.items():
            self.console.print(Text.assemble("  ", (f"{name:<9}", "dim"), masked(visible(text))))

    def pending(self, reason: str | None, folder: Path) -> None:
        """Why a run is not in MLflow yet, and the command that sends it."""
        if reason is None:
            return
        self.console.print(f"  Not in MLflow yet: {masked(reason)}")
        self.console.print(f"  Send it with: {own_line('sync', str(folder))}")


def verdict(row: MetricRow, objective: str, n_tries: int = 1) -> str:
    """What the model gains over the dummy baseline on the same rows and, where that is not shown,
    what these rows could have shown. Of `n_tries` configurations tried on them each is a chance to
    look better, for which `scoring.paired.for_tries` corrects p.
    """
    # Imported here, as in all light modules: it brings scipy.
    from student_perf.scoring.paired import ALPHA, for_tries, times_of_tries
    from student_perf.scoring.power import shown_by

    metric = METRICS[objective]
    figures = ("mean", "dummy", "gain", "gain_low", "gain_high", "gain_p")
    mean, dummy, gain, low, high, p = (_number(row.get(key)) for key in figures)
    if math.isnan(mean):
        return f"{metric.label} is not defined on these folds."
    if math.isnan(dummy):
        return (
            f"The dummy baseline has no {metric.label}, so the model is not shown to be better or "
            "worse."
        )
    if math.isnan(p):
        return "This record does not compare the model with the dummy baseline row by row."
    if low == high == 0:
        return f"Its {metric.label} is that of the dummy baseline on every row."
    known = (
        f"{metric.label} {format_number(abs(gain))} {'better' if gain >= 0 else 'worse'} on the "
        f"same rows, 95 % interval of the gain {format_interval(low, high, format_change)}, "
        f"p {format_p(p)}"
    )
    corrected = for_tries(p, n_tries)
    if n_tries > 1:
        tried = f"{n_tries} configurations tried on these rows"
        times = times_of_tries(n_tries)
        known += f"; corrected for {tried} ({times}), p {format_p(corrected)}"
    if corrected < ALPHA:
        return f"{'Better' if gain > 0 else 'Worse'} than the dummy baseline: {known}."
    if low > 0 and p >= ALPHA:
        return (
            f"Not shown to be better than the dummy baseline: {known}. The same answers dealt to "
            "the rows by chance would gain as much."
        )
    return (
        f"Not shown to be better than the dummy baseline: {known}. These rows show a true gain of "
        f"{format_number(shown_by(low, high))} in 4 of 5 cases."
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _label(metric: str) -> str:
    """What a metric is called on screen; the bias of subgroups is not in `METRICS`."""
    return METRICS[metric].label if metric in METRICS else metric


def _interval(metric: str, mean: float, low: float, high: float) -> str:
    known = METRICS.get(metric)
    return format_interval(low, high) if known is None else known.interval(mean, low, high)
