"""A drift report as one HTML page that needs nothing beside itself, and its sentences."""

from __future__ import annotations

import math

from student_perf.drift.report import DriftReport
from student_perf.plots.drift import drift_figure
from student_perf.plots.style import png
from student_perf.render import render
from student_perf.text import format_change, format_interval, format_number

_MOST_PICTURES = 40


def drift_page(report: DriftReport) -> str:
    """The page: verdict, table of all columns, and the distributions of the worst ones."""
    pictured = [column for column in report.columns if column.bins][:_MOST_PICTURES]
    pictures = [
        (c, png(drift_figure(c.bins, c.shares_reference, c.shares_current))) for c in pictured
    ]
    return render(
        "drift.html.j2",
        report=report,
        verdict=drift_verdict(report),
        sentences=drift_sentences(report),
        pictures=pictures,
    )


def drift_verdict(report: DriftReport) -> str:
    """`Alarm in 2 of 4 columns`, `No alarm`, or `Too few rows to tell`."""
    alarms = sum(column.severity == "alarm" for column in report.columns)
    if alarms:
        return f"Alarm in {alarms} of {len(report.columns)} columns"
    return "Too few rows to tell" if report.is_undecided else "No alarm"


def drift_sentences(report: DriftReport) -> list[str]:
    """What the table does not say: notes, the model's performance, and when a column alarms."""
    lines = [f"{note}." for note in report.notes]
    if change := report.performance:
        lines.append(
            f"{change.metric}: {format_number(change.reference)} on the reference, "
            f"{format_number(change.current)} now; change {format_change(change.change)}, "
            f"95 % interval {format_interval(change.low, change.high, format_change)}."
        )
    limits = report.thresholds
    if not report.has_alarm:
        lines.append(_visible(report))
    lines.append(
        f"A column alarms if its p (Holm) is below {limits.alpha:g} and its PSI is at least "
        f"{limits.alarm:g} above chance, or if it has a new category or spelling, is gone, or "
        "changed its kind."
    )
    return lines


def _visible(report: DriftReport) -> str:
    """What these rows could have shown."""
    rows = f"{report.n_reference:,} and {report.n_current:,} rows"
    if math.isinf(report.smallest_shift):
        return f"{rows} show no shift of a number, however large: collect more."
    points = 100 * report.smallest_share_change
    categories = "" if math.isinf(points) else f" or of a category's share by {points:.0f} points"
    return (
        f"{rows} show a shift of a number by {report.smallest_shift:.2g} standard "
        f"deviations{categories} in four of five cases, smaller ones more rarely."
    )
