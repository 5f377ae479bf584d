"""`python -m student_perf data`: a table before training, and what it can answer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.atomic import check_place, write_atomic
from student_perf.commands.arguments import PAGE, RESULTS, add_html, formats
from student_perf.exit_codes import ExitCode
from student_perf.runs.record import to_json
from student_perf.shell import train_line
from student_perf.terminal import Terminal, words
from student_perf.text import format_share

if TYPE_CHECKING:
    from student_perf.profile.columns import ColumnFacts
    from student_perf.profile.report import DataReport

HELP = "look at a table before training, and at what it can answer"
GROUP = RESULTS
PARENTS = (formats("text", "json"),)
_MOST_COLUMNS = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The table, overrides, and where page and dataset file go."""
    parser.add_argument("table", help="a file, or a dataset of conf/dataset")
    parser.add_argument(
        "overrides", nargs="*", help="as of a run: dataset.target=grade split.n_splits=10"
    )
    add_html(parser)
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help="write what was seen as a dataset file: conf/dataset/NAME.yaml",
    )


def run(chosen: argparse.Namespace) -> int:
    """Look, show, and write what was asked for. Raises StudentPerfError."""
    if chosen.html:
        check_place(chosen.html, "--html", PAGE)
    from student_perf.profile.named import named_table

    named_table(chosen.table)
    terminal = Terminal(quiet=chosen.format == "json")
    terminal.heading(chosen.table)  # before the imports of what reads it
    with terminal.waiting("reading"):
        from student_perf.pages.profile import data_page
        from student_perf.profile.declare import write_dataset
        from student_perf.profile.report import make_report

        report = make_report(chosen.table, chosen.overrides)
    if chosen.write:
        write_dataset(chosen.write, report)
    if chosen.html:
        write_atomic(chosen.html, data_page(report).encode())
    if chosen.format == "json":
        print(to_json(report.to_dict()), end="")
        return ExitCode.DONE
    _show(terminal, report)
    if chosen.write:
        terminal.places({"written": str(chosen.write), "try": _try(chosen.write)})
    return ExitCode.DONE


def _try(file: Path) -> str:
    """What uses a dataset file, wherever it was written."""
    from student_perf.config.search_path import config_folders

    group, command = file.resolve().parent, train_line()
    if group in [(folder / "dataset").resolve() for folder in config_folders()]:
        return f"{command} dataset={file.stem}"
    if group.name == "dataset":
        return f"{command} --config-dir {group.parent} dataset={file.stem}"
    return f"move it to conf/dataset, then {command} dataset={file.stem}"


def _show(terminal: Terminal, report: DataReport) -> None:
    from student_perf.pages.profile import answer_sentences, data_facts

    terminal.facts(data_facts(report))
    terminal.console.print()
    shown = report.columns[:_MOST_COLUMNS]
    terminal.table(
        [
            words("column", 22),
            words("kind", 8),
            "missing",
            "distinct",
            words("values"),
            "tells",
        ],
        map(_cells, shown),
        ["bold" if one.role == "target" else "" for one in shown],
        dense=True,
    )
    if more := len(report.columns) - len(shown):
        terminal.console.print(f"and {more} more; --format json has all")
    terminal.console.print()
    for line in report.problems:
        terminal.lines(f"stops a run: {line}")
    terminal.warnings(list(map(str, report.findings)))
    terminal.notes(report.notes)
    terminal.heading("What these data can answer")
    terminal.lines(*answer_sentences(report))


def _cells(column: ColumnFacts) -> tuple[str, ...]:
    from student_perf.pages.profile import told

    role = f" ({column.role})" if column.role != "feature" else ""
    missing = format_share(column.missing) if column.missing else ""
    return (
        column.name + role,
        column.kind,
        missing,
        str(column.n_distinct),
        column.values,
        told(column),
    )
