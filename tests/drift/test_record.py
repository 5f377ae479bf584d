import json

from student_perf.drift.limits import Thresholds
from student_perf.drift.record import record_report
from student_perf.drift.report import make_report
from student_perf.runs.record import load_record


def test_a_report_is_a_finished_run_with_its_figures(compose_config, grades, workspace):
    report = make_report(str(grades), str(grades), Thresholds(), target="grade")
    tracking = compose_config().tracking
    record = record_report(report, "<p>page</p>", tracking)
    assert record.folder.parent == workspace / "drift"
    known = load_record(record.folder)
    assert (known.kind, known.status, known.is_tracked) == ("drift", "FINISHED", True)
    assert known.metrics["drift_alarms"] == 0.0
    assert known.metrics["psi.hours"] == next(
        column.psi for column in report.columns if column.name == "hours"
    )
    assert (known.params["drift.reference"], known.tracking_uri) == (str(grades), tracking.uri)
    assert (record.folder / "drift.html").read_text() == "<p>page</p>"
    content = json.loads((record.folder / "drift.json").read_text())
    assert content["n_reference"] == report.n_reference
