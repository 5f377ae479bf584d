import pandas as pd

from student_perf.drift.limits import Thresholds
from student_perf.drift.report import DriftReport, PerformanceChange, make_report
from student_perf.pages.drift import drift_page, drift_sentences, drift_verdict
from tests.pages.page_reader import Reader


def test_the_page_tells_everything_and_needs_nothing_else(tmp_path):
    reference = pd.DataFrame({"a<b": ["x", "y"] * 30, "n": [*range(30)] * 2})
    current = reference.replace({"a<b": {"x": "<script>"}})
    for name, table in (("r", reference), ("c", current)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    report = make_report(str(tmp_path / "r.csv"), str(tmp_path / "c.csv"), Thresholds())
    page = drift_page(report)
    reader = Reader(page)
    assert "<h1>Alarm in 1 of 2 columns</h1>" in page
    (table,) = reader.tables
    assert [row[:2] for row in table] == [
        ["column", "finding"],
        ["a<b", "alarm: new: '<script>'"],
        ["n", "ok"],
    ]
    assert "script" not in reader.tags
    assert len(reader.links) == 2
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert "default-src 'none'" in page
    assert "script-src" not in page
    assert "://" not in page


def test_the_sentences_say_when_a_column_alarms_and_how_the_model_does():
    change = PerformanceChange("accuracy", 0.61234, 0.5, -0.11234, -0.2, -0.02, 0.01)
    report = DriftReport("a", "b", 9, 9, Thresholds(alarm=0.3), [], change, ["few rows"], 0.7, 0.2)
    assert drift_verdict(report) == "No alarm"
    note, performance, seen, rule = drift_sentences(report)
    assert note == "few rows."
    assert "0.612 on the reference, 0.500 now; change -0.112" in performance
    assert "95 % interval -0.200 to -0.020" in performance
    assert seen.startswith("9 and 9 rows show a shift of a number by 0.7 standard deviations or of")
    assert "at least 0.3 above chance" in rule
