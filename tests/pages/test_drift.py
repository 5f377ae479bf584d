import re

import pandas as pd

from student_perf.drift.limits import Thresholds
from student_perf.drift.report import make_report
from student_perf.pages.drift import drift_page


def test_the_page_tells_everything_and_needs_nothing_else(tmp_path):
    reference = pd.DataFrame({"a<b": ["x", "y"] * 30, "n": range(60)})
    current = reference.replace({"a<b": {"x": "<script>"}})
    for name, table in (("r", reference), ("c", current)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    report = make_report(str(tmp_path / "r.csv"), str(tmp_path / "c.csv"), Thresholds())
    page = drift_page(report)
    assert "<h1>Alarm</h1>" in page
    assert "a&lt;b" in page
    assert "new: &#x27;&lt;script&gt;&#x27;" in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 2
    assert not re.search(r'(src|href)="(?!data:)', page)
