"""A drift report as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
from html import escape

from student_perf.drift.columns import ColumnDrift
from student_perf.drift.report import DriftReport
from student_perf.plots.drift import drift_figure
from student_perf.plots.style import png
from student_perf.terminal import format_number

_MOST_PICTURES = 40
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: .2em .6em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, th:last-child, td:last-child { text-align: left; }
.alarm { color: #b00020; font-weight: 600; } .warn { color: #8a5a00; } figure { margin: 1.5em 0; }
img { max-width: 100%; }
"""


def drift_page(report: DriftReport) -> str:
    """The page: verdict, table of all columns, and the distributions of the worst ones."""
    verdict = "Alarm" if report.has_alarm else "No alarm"
    limits = report.thresholds
    rule = (
        f"A column alarms when its corrected p-value is below {limits.alpha:g} and its PSI is at "
        f"least {limits.alarm:g} above what chance gives; also at a new category, a column gone, "
        "or a kind changed."
    )
    pictures = [column for column in report.columns if column.bins][:_MOST_PICTURES]
    return "".join(
        [
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Drift report</title>',
            f"<style>{_STYLE}</style><h1>{verdict}</h1>",
            f"<p>Reference: {escape(report.reference)} ({report.n_reference} rows).<br>",
            f"Current: {escape(report.current)} ({report.n_current} rows).</p>",
            f"<p>{rule} {' '.join(escape(f'{note}.') for note in report.notes)}</p>",
            _performance(report),
            "<table><tr><th>column<th>kind<th>PSI<th>by chance<th>test<th>p (Holm)<th>distance"
            "<th>missing before<th>missing now<th>finding</tr>",
            *map(_row, report.columns),
            "</table>",
            *map(_picture, pictures),
            "</html>\n",
        ]
    )


def _performance(report: DriftReport) -> str:
    change = report.performance
    if change is None:
        return ""
    return (
        f"<p>{escape(change.metric)}: {change.reference:.3f} on the reference, "
        f"{change.current:.3f} now; change {change.change:+.3f}, 95 % interval {change.low:+.3f} "
        f"to {change.high:+.3f}.</p>"
    )


def _row(column: ColumnDrift) -> str:
    finding = f"{column.severity}: {column.reason}" if column.reason else column.severity
    cells = [
        escape(column.name),
        column.kind,
        format_number(column.psi),
        format_number(column.psi_by_chance),
        column.test,
        f"{column.p_holm:.2g}",
        format_number(column.distance),
        f"{column.missing_reference:.1%}",
        f"{column.missing_current:.1%}",
        escape(finding),
    ]
    return f'<tr class="{column.severity}"><td>' + "<td>".join(cells) + "</tr>"


def _picture(column: ColumnDrift) -> str:
    figure = drift_figure(column.bins, column.shares_reference, column.shares_current)
    data = base64.b64encode(png(figure)).decode("ascii")
    name = escape(column.name)
    return (
        f'<figure><figcaption class="{column.severity}"><b>{name}</b>, PSI '
        f'{format_number(column.psi)}</figcaption><img alt="shares of {name}" '
        f'src="data:image/png;base64,{data}"></figure>'
    )
