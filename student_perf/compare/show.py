"""A leaderboard as people and programs read it: on the terminal, as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from student_perf.compare.leaderboard import Leaderboard, Line, recommendation
from student_perf.runs.record import to_json
from student_perf.scoring.metric import METRICS
from student_perf.terminal import format_number, markdown_table

FORMATS = ("csv", "json", "markdown")
_HEADINGS = ("mean", "std", "95 % interval", "dummy", "best", "p", "worse", "s")


def show_boards(boards: Sequence[Leaderboard], top: int, console: Console) -> None:
    """Every leaderboard with what it says; several of them with the reason."""
    for number, board in enumerate(boards):
        console.print(Text(heading(board), style="bold"), soft_wrap=False)
        for line in about(board, boards[0] if number else None):
            console.print(Padding(line, (0, 2)), soft_wrap=False)
        console.print(Padding(_table(board, top), (1, 0)), soft_wrap=False)
        for line in closing(board, top):
            console.print(Padding(line, (0, 2)), soft_wrap=False)
        console.print()


def heading(board: Leaderboard) -> str:
    """What is compared, in one line."""
    n = len(board.lines)
    folds = f"{board.n_folds} fold{'s' if board.n_folds > 1 else ''}"
    runs = f"{n} run{'s' if n > 1 else ''}"
    return f"{runs} on {board.dataset}, {METRICS[board.metric].label}, {board.split}, {folds}"


def closing(board: Leaderboard, top: int) -> list[str]:
    """Sentences below the table: what was left out, who is tied, what to take, what to doubt."""
    lines = []
    if len(board.lines) > top:
        lines.append(f"and {len(board.lines) - top} more; --top {len(board.lines)} shows all.")
    if board.left_out:
        told = ", ".join(f"{n} {why}" for why, n in board.left_out.items())
        lines.append(f"Not compared: {told}.")
    if board.n_folds > 1:
        n_tied = sum(line.tied for line in board.lines)
        lines.append(
            f"{n_tied} of {len(board.lines)} tied with the best (=): p, corrected for shared "
            "training rows (Nadeau and Bengio) and for the number of tests (Holm), is above 0.05."
        )
    lines.append(recommendation(board))
    best = board.lines[0]
    maximize = METRICS[board.metric].direction == "maximize"
    if not math.isnan(board.dummy) and not math.isnan(best.low):
        better = best.low > board.dummy if maximize else best.high < board.dummy
        if not better:
            lines.append("The best is not shown to be better than the dummy baseline.")
    if board.n_looked_at > 1:
        lines.append(
            f"The best of {board.n_looked_at} looked at flatters itself: choosing by a figure "
            "makes that figure too good."
        )
    return lines


def about(board: Leaderboard, first: Leaderboard | None) -> list[str]:
    """Which rows the runs share, and why they are apart from those of `first`."""
    dummy = "not recorded by these runs" if math.isnan(board.dummy) else format_number(board.dummy)
    lines = [
        f"data {board.data_sha256[:12]}, folds {board.split_sha256[:12]}, dummy baseline {dummy}"
    ]
    if first is not None:
        data, folds = (
            first.data_sha256 != board.data_sha256,
            first.split_sha256 != board.split_sha256,
        )
        what = " and ".join(name for name, differs in (("data", data), ("folds", folds)) if differs)
        lines.append(f"Not paired with the runs above: other {what}.")
    return lines


def _table(board: Leaderboard, top: int) -> Table:
    table = Table(
        box=None, padding=(0, 1), collapse_padding=True, header_style="bold", pad_edge=False
    )
    table.add_column("")
    table.add_column("run", overflow="ellipsis", no_wrap=True, max_width=18)
    names = {"dummy": "-dummy", "best": "-best"}
    for column in _HEADINGS:
        table.add_column(names.get(column, column), justify="right", no_wrap=True)
    shown = list(board.lines[:top])
    if board.recommended is not None and board.recommended not in shown:
        shown.append(board.recommended)
    for line in shown:
        chosen = line is board.recommended
        mark = ">" if chosen else "=" if line.tied else ""
        table.add_row(mark, line.label, *_cells(line), style="bold" if chosen else "")
    return table


def _cells(line: Line) -> list[str]:
    return [
        format_number(line.mean),
        format_number(line.std),
        f"{format_number(line.low)} to {format_number(line.high)}",
        _signed(line.to_dummy),
        _signed(line.to_best),
        "-" if math.isnan(line.p_value) else f"{line.p_value:.2f}",
        "-" if math.isnan(line.worse) else f"{line.worse:.2f}",
        "-" if math.isnan(line.seconds) else f"{line.seconds:.2g}",
    ]


def _signed(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:+.3f}" if abs(value) < 100 else f"{value:+,.0f}"


def rows(board: Leaderboard) -> list[dict[str, Any]]:
    """Every line with all its figures in full precision, for programs."""
    return [
        {
            "rank": rank,
            "run": line.label,
            "model": line.record.params.get("model.name"),
            "mlflow_run_id": line.record.mlflow_run_id,
            "folder": str(line.record.folder),
            "metric": board.metric,
            "mean": line.mean,
            "std": line.std,
            "ci95_low": line.low,
            "ci95_high": line.high,
            "minus_dummy": line.to_dummy,
            "minus_best": line.to_best,
            "minus_best_ci95_low": line.to_best_low,
            "minus_best_ci95_high": line.to_best_high,
            "p_holm": line.p_value,
            "tied": line.tied,
            "probability_worse": line.worse,
            "probability_equivalent": line.equivalent,
            "probability_better": line.better,
            "fit_seconds": line.seconds,
            "recommended": line is board.recommended,
            "data_sha256": board.data_sha256,
            "split_sha256": board.split_sha256,
        }
        for rank, line in enumerate(board.lines, start=1)
    ]


def formatted(boards: Sequence[Leaderboard], kind: str, top: int) -> str:
    """All leaderboards as text of one of `FORMATS`; CSV and JSON hold every run."""
    if kind == "json":
        content = [_summary(board) | {"runs": rows(board)} for board in boards]
        return to_json({"leaderboards": content})
    if kind == "csv":
        return _csv([row for board in boards for row in rows(board)])
    return "\n".join(_markdown(board, top) for board in boards)


def _summary(board: Leaderboard) -> dict[str, Any]:
    return {
        "metric": board.metric,
        "dataset": board.dataset,
        "data_sha256": board.data_sha256,
        "split_sha256": board.split_sha256,
        "n_folds": board.n_folds,
        "dummy": board.dummy,
        "rope": board.rope,
        "n_looked_at": board.n_looked_at,
        "left_out": board.left_out,
        "recommendation": recommendation(board),
    }


def _csv(table: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def _grid(board: Leaderboard, top: int) -> tuple[list[str], list[list[str]]]:
    header = ["run", "mean", "std", "95 % interval", "minus dummy", "minus best"]
    header += ["p (Holm)", "P(worse)", "seconds", "tied"]
    body = [[line.label, *_cells(line), "yes" if line.tied else "no"] for line in board.lines[:top]]
    return header, body


def _markdown(board: Leaderboard, top: int) -> str:
    header, body = _grid(board, top)
    table = markdown_table(header, body)
    said = (f"- {line}" for line in closing(board, top))
    return "\n".join([f"### {heading(board)}", "", table, "", *said, ""])
