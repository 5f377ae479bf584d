"""`python -m student_perf drift`: has the data changed since the reference?"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from student_perf.atomic import check_place, write_atomic
from student_perf.commands.arguments import (
    MODELS,
    PAGE,
    RUN,
    add_html,
    add_limits,
    add_read,
    formats,
    named_options,
    reading,
    store_of,
)
from student_perf.config.search_path import find_config
from student_perf.config.typed import load_limits
from student_perf.drift.limits import DRIFT_CONFIG, Thresholds
from student_perf.exit_codes import ExitCode
from student_perf.runs.record import to_json
from student_perf.terminal import Terminal, words
from student_perf.text import format_number, format_short

if TYPE_CHECKING:
    from student_perf.config.schema import TrackingConfig
    from student_perf.drift.columns import ColumnDrift
    from student_perf.drift.report import DriftReport

HELP = "compare two sets of rows, column by column"
GROUP = MODELS
PARENTS = (reading(), formats("text", "json"))
CODES = {
    ExitCode.FINDING: "finding: drift alarm",
    ExitCode.UNDECIDED: "undecided: no alarm, but too few rows to tell",
}
_SIDE = f"a CSV or parquet file, 'DATASET [overrides]' of conf/dataset, or {RUN}"
_STYLES = {"alarm": "bold red", "warn": "yellow", "ok": ""}
_HEADINGS = (words("column", 21), "PSI", "p (Holm)", "distance", "missing", words("finding"))
_MOST_COLUMNS = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Both sides, the model, limits and where the report goes."""
    parser.add_argument("reference", help=_SIDE)
    parser.add_argument("current", help="the same, for the rows to judge")
    parser.add_argument("--model", metavar="RUN", help="compare the predictions of this run, too")
    parser.add_argument("--target", help="the target's column if both sides are files")
    add_read(parser)
    add_html(parser)
    parser.add_argument("--no-tracking", action="store_true", help="record nothing")
    add_limits(parser, Thresholds, DRIFT_CONFIG)


def run(chosen: argparse.Namespace) -> int:
    """Compare, show, record; FINDING on an alarm, UNDECIDED if there are too few rows to tell.
    Raises StudentPerfError.
    """
    limits = load_limits(Thresholds, find_config(DRIFT_CONFIG), vars(chosen))
    if chosen.html:
        check_place(chosen.html, "--html", PAGE)
    from student_perf.drift.named import named_side

    for side in (chosen.reference, chosen.current):  # before the imports of what reads them
        named_side(side, chosen.store)
    with Terminal(quiet=chosen.format != "text").waiting("comparing"):
        from student_perf.pages.drift import drift_page
        from student_perf.store.address import default_tracking

        report = _compared(chosen, limits)
    html = drift_page(report) if chosen.html or not chosen.no_tracking else ""
    if chosen.html:
        write_atomic(chosen.html, html)
    if chosen.format == "json":
        print(to_json(report.to_dict()), end="")
    else:
        _show(Terminal(), report)
    if not chosen.no_tracking:
        tracking = replace(default_tracking(), uri=store_of(chosen))
        _record(report, html, tracking, Terminal(quiet=chosen.format != "text"))
    if report.has_alarm:
        return ExitCode.FINDING
    return ExitCode.UNDECIDED if report.is_undecided else ExitCode.DONE


def _compared(chosen: argparse.Namespace, limits: Thresholds) -> DriftReport:
    from student_perf.drift.report import make_report

    return make_report(
        chosen.reference,
        chosen.current,
        limits,
        named=named_options(chosen),
        target=chosen.target,
        model=chosen.model,
        store=chosen.store,
    )


def _show(terminal: Terminal, report: DriftReport) -> None:
    terminal.facts(
        {
            "reference": f"{report.reference}: {report.n_reference} rows",
            "current": f"{report.current}: {report.n_current} rows",
        }
    )
    from student_perf.pages.drift import drift_sentences, drift_verdict

    shown = report.columns[:_MOST_COLUMNS]
    styles = [_STYLES[column.severity] for column in shown]
    terminal.console.print()
    terminal.table(_HEADINGS, map(_cells, shown), styles)
    if more := len(report.columns) - len(shown):
        terminal.console.print(f"and {more} more; --format json has all")
    terminal.console.print()
    terminal.heading(drift_verdict(report))
    terminal.lines(*drift_sentences(report), indent=0)


def _cells(column: ColumnDrift) -> tuple[str, ...]:
    role = " (target)" if column.role == "target" else ""
    gaps = f"{column.missing_reference:.0%}", f"{column.missing_current:.0%}"
    return (
        column.name + role,
        format_number(column.psi),
        format_short(column.p_holm),
        format_number(column.distance),
        " > ".join(gaps) if gaps[0] != gaps[1] else gaps[0],
        f"{column.severity}: {column.reason}" if column.reason else column.severity,
    )


def _record(report: DriftReport, html: str, tracking: TrackingConfig, terminal: Terminal) -> None:
    """Keep the report as a run. A store that does not answer changes nothing about the finding."""
    from student_perf.drift.record import record_report
    from student_perf.store.address import ui_command
    from student_perf.store.publisher import try_publish

    record = record_report(report, html, tracking)
    places = {"folder": str(record.folder)}
    with terminal.waiting("sending to MLflow"):
        pending = try_publish(record, tracking)
    if pending is None:
        places["mlflow"] = f"experiment {tracking.experiment}, run {record.mlflow_run_id}"
        places["open"] = ui_command(tracking.uri)
    terminal.places(places)
    terminal.pending(pending, record.folder)
