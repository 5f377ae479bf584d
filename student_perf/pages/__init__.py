"""Every HTML page, and the words of the notes; `student_perf.render` fills the templates.

`report` makes the page of a sweep and of a comparison from sections: `sweep_section`, which also
holds the note on the sweep's page in MLflow, and `board_section`; `section` has what both share.
`drift` makes the page of a drift report and its sentences, `service` the `/docs` of a served model.

>>> from student_perf.drift.limits import Thresholds
>>> from student_perf.drift.report import DriftReport
>>> from student_perf.pages.drift import drift_page, drift_verdict
>>> report = DriftReport("2023.csv", "2024.csv", 80, 80, Thresholds(), [], None, [], 0.7, 0.2)
>>> drift_verdict(report)
'No alarm'
>>> "2023.csv" in drift_page(report)
True
"""
