"""What a person sees: the composed experiment, progress over folds, the result, where it is.

On a terminal with colour and a progress bar; into a file or a pipe as plain text without either.
"""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from student_perf.config.schema import ExperimentConfig
from student_perf.errors import one_line
from student_perf.masking import masked
from student_perf.scoring.metric import METRICS

if TYPE_CHECKING:
    from student_perf.data.cleaning import LineageStep

NO_VALUE = "-"

MetricRow = dict[str, float | None]
_MOST_GROUPS = 12


@dataclass(frozen=True)
class GroupLine:
    """One group of rows: `values` maps a metric to its value and the bounds of its interval; `note`
    says why there are none.
    """

    name: str
    n: int
    note: str
    values: dict[str, tuple[float, ...]]


def print_error(error: BaseException) -> None:
    """One line on standard error."""
    print(f"student_perf: {masked(one_line(error))}", file=sys.stderr)


class Terminal:
    """Prints one run. `quiet` prints nothing, for trials and tests."""

    def __init__(self, quiet: bool = False) -> None:
        # Names and values come from data and configs: [brackets] in them are no markup.
        self.console = Console(quiet=quiet, highlight=False, markup=False, soft_wrap=True)

    def title(self, config: ExperimentConfig) -> None:
        """First line, printed before the slow imports."""
        self.console.print(
            Text.assemble(
                (str(config.model.get("name")), "bold"),
                " on ",
                (config.dataset.name, "bold"),
                f", split {config.split.kind}, seed {config.seed}",
            )
        )

    def heading(self, text: str) -> None:
        """One line that stands out."""
        self.console.print(text, style="bold")

    def facts(self, facts: dict[str, str]) -> None:
        """Aligned lines of name and text; long texts wrap below themselves."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True, min_width=9)
        table.add_column(overflow="fold")
        for name, text in facts.items():
            table.add_row(f"  {name}", text)
        self.console.print(table, soft_wrap=False)

    def table(self, headings: Sequence[str], rows: Sequence[tuple[Sequence[str], str]]) -> None:
        """Rows of cells with their style: the first column is cut where it is long, those between
        are figures, the last wraps.
        """
        table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
        table.add_column(headings[0], overflow="ellipsis", no_wrap=True, max_width=21)
        for heading in headings[1:-1]:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column(headings[-1], overflow="fold")
        for cells, style in rows:
            table.add_row(*map(Text, cells), style=style)
        self.console.print(table, soft_wrap=False)

    def lineage(self, steps: Sequence[LineageStep]) -> None:
        """What each cleaning step did to rows and cells, and the table's hash after it."""
        if len(steps) < 2:
            return
        table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
        table.add_column("  cleaning")
        for column in ("rows before", "after", "cells changed", "sha256"):
            table.add_column(column, justify="right", no_wrap=True)
        for step in steps:
            counts = (step.rows_before, step.rows_after, step.cells_changed)
            table.add_row(f"  {step.step}", *map(str, counts), step.sha256[:8])
        self.console.print(table, soft_wrap=False)

    def warnings(self, lines: list[str]) -> None:
        """What the guards found and were told to let pass."""
        for line in lines:
            text = Text.assemble(("warning", "yellow"), f": {line}")
            self.console.print(Padding(text, (0, 2)), soft_wrap=False)

    @contextmanager
    def folds(self, total: int) -> Iterator[Callable[[int, object], None] | None]:
        """Progress bar over folds; yields the callback that moves it, None where none is shown."""
        if not self.console.is_terminal or self.console.quiet:
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

    def metrics(self, rows: dict[str, MetricRow], objective: str, heading: str) -> None:
        """Table of metrics with uncertainty beside the dummy baseline; the objective stands out.

        `rows` maps a metric to its `mean`, `std`, `low`, `high`, the mean over the `train` rows of
        each fold, and `dummy`.
        """
        table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
        table.add_column("")
        table.add_column(heading, no_wrap=True)
        for column in ("mean", "std", "95 % interval", "train", "dummy"):
            table.add_column(column, justify="right", no_wrap=True)
        for name, row in rows.items():
            decides = name == objective
            table.add_row(
                " >" if decides else "",
                METRICS[name].label,
                format_number(row["mean"]),
                format_number(row["std"]),
                f"{format_number(row['low'])} to {format_number(row['high'])}",
                format_number(row.get("train")),
                format_number(row["dummy"]),
                style="bold" if decides else "",
            )
        self.console.print()
        self.console.print(table, soft_wrap=False)
        self.console.print()

    def test_rows(self, row: MetricRow, metric: str, n_rows: int, n_looks: int) -> None:
        """The figure on the test rows, and a warning where they have been opened before."""
        text = Text.assemble(
            ("Test rows", "bold"),
            f" (n = {n_rows}), opened once for this model: "
            f"{METRICS[metric].label} {format_number(row['mean'])}, 95 % interval "
            f"{format_number(row['low'])} to {format_number(row['high'])}.",
        )
        if n_looks > 1:
            text.append(" warning", "yellow")
            text.append(
                f": look number {n_looks} at these rows; choosing by them makes the figure too "
                "good."
            )
        self.console.print(Padding(text, (0, 2)), soft_wrap=False)

    def groups(self, lines: list[GroupLine]) -> None:
        """Table of subgroups: the deciding metric with its interval, and the one beside it."""
        if not lines:
            return
        first, second = lines[0].values
        table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
        table.add_column("")
        table.add_column("groups of held-out rows", overflow="ellipsis", no_wrap=True, max_width=32)
        for column in ("n", _label(first), "95 % interval", _label(second)):
            # A long label gives way, the figures stay whole.
            table.add_column(column, justify="right", no_wrap=column == "95 % interval")
        for line in lines[:_MOST_GROUPS]:
            value, low, high = line.values[first]
            table.add_row(
                "  ",
                line.name,
                str(line.n),
                format_number(value),
                line.note or f"{format_number(low)} to {format_number(high)}",
                format_number(line.values[second][0]),
            )
        self.console.print(table, soft_wrap=False)
        if len(lines) > _MOST_GROUPS:
            self.console.print(f"    and {len(lines) - _MOST_GROUPS} more in subgroups.csv")
        self.console.print()

    def important(self, columns: dict[str, float], metric: str) -> None:
        """The most important columns in one sentence, with what the metric loses without them."""
        if columns:
            sign = "-" if METRICS[metric].direction == "maximize" else "+"
            changes = ", ".join(f"{n} {sign}{format_number(v)}" for n, v in columns.items())
            text = f"Permuted, {_label(metric)} changes: {changes}."
            self.console.print(Padding(text, (0, 2)), soft_wrap=False)

    def verdict(self, rows: dict[str, MetricRow], objective: str) -> None:
        """One sentence: does the objective's interval leave the dummy baseline behind?"""
        sentence = Padding(verdict(rows[objective], objective), (0, 2))
        self.console.print(sentence, soft_wrap=False)

    def places(self, places: dict[str, str]) -> None:
        """Where things were written; never wrapped, so that they can be copied."""
        self.console.print()
        for name, text in places.items():
            self.console.print(Text.assemble("  ", (f"{name:<9}", "dim"), masked(text)))

    def pending(self, reason: str | None, folder: Path) -> None:
        """Why a run is not in MLflow yet, and the command that sends it."""
        if reason is None:
            return
        self.console.print(f"  Not in MLflow yet: {masked(reason)}")
        self.console.print(f"  Send it with: {python_command()} -m student_perf sync {folder}")


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def verdict(row: MetricRow, objective: str) -> str:
    """Whether the interval of the objective lies on the better side of the dummy's mean."""
    info = METRICS[objective]
    low, high, dummy = row["low"], row["high"], row["dummy"]
    if low is None or high is None or dummy is None:
        return f"{info.label} is not defined on these folds."
    better = low > dummy if info.direction == "maximize" else high < dummy
    aim = "more is better" if info.direction == "maximize" else "less is better"
    if better:
        return f"Better than the dummy baseline by {info.label} ({aim})."
    return (
        f"Not shown to be better than the dummy baseline by {info.label} ({aim}): "
        "its interval holds the dummy's figure or lies on the worse side."
    )


def format_number(value: float | None) -> str:
    """Three decimals below 100, fewer above; a dash where there is no value."""
    if value is None or math.isnan(value):
        return NO_VALUE
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"


def _label(metric: str) -> str:
    """How a metric is called; the bias of subgroups is not one that could decide."""
    return METRICS[metric].label if metric in METRICS else metric


def python_command() -> str:
    """How this interpreter is called from the current folder."""
    found = shutil.which("python")
    if found and Path(found).absolute() == Path(sys.executable).absolute():
        return "python"
    executable = Path(sys.executable)
    here = Path.cwd()
    return str(executable.relative_to(here)) if executable.is_relative_to(here) else str(executable)
