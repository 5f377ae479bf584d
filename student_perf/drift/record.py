"""A drift report kept as a run of kind drift: a folder, and a record that can be sent."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import asdict

from student_perf.atomic import write_atomic
from student_perf.config.schema import TrackingConfig
from student_perf.drift.report import DriftReport
from student_perf.masking import masked
from student_perf.runs import layout, tags
from student_perf.runs.record import RunRecord, write_json


def record_report(report: DriftReport, page: str, tracking: TrackingConfig) -> RunRecord:
    """Write the report with its HTML `page` into a new folder of the workspace, finished."""
    stamp = time.strftime("%Y-%m-%d_%H-%M-%S")
    folder = layout.drift_folder(f"{stamp}_{secrets.token_hex(4)}")
    folder.mkdir(parents=True)
    facts = {
        tags.KIND: "drift",
        tags.ALARM: "unknown" if report.is_undecided else str(report.has_alarm).lower(),
        tags.RECORD_ID: uuid.uuid4().hex,
    }
    record = RunRecord(
        folder, f"drift-{folder.name}", "drift", _params(report, tracking), facts, _metrics(report)
    )
    write_json(folder / layout.DRIFT_REPORT_FILE, report.to_dict())
    write_atomic(folder / layout.DRIFT_PAGE_FILE, page)
    record.finish()
    return record


def _params(report: DriftReport, tracking: TrackingConfig) -> dict[str, str]:
    groups = {
        "drift": {"reference": report.reference, "current": report.current},
        "tracking": {name: masked(str(value)) for name, value in asdict(tracking).items()},
    }
    groups["drift"] |= {name: str(value) for name, value in asdict(report.thresholds).items()}
    return {f"{group}.{name}": text for group, one in groups.items() for name, text in one.items()}


def _metrics(report: DriftReport) -> dict[str, float | list[float]]:
    severities = [column.severity for column in report.columns]
    metrics: dict[str, float | list[float]] = {
        "drift_alarms": float(severities.count("alarm")),
        "drift_warnings": float(severities.count("warn")),
    }
    for column in report.columns:
        metrics |= {f"psi.{column.name}": column.psi, f"p_holm.{column.name}": column.p_holm}
    if report.performance is not None:
        metrics["performance_change"] = report.performance.change
    return metrics
