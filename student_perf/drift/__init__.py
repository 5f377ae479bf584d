"""Whether the data changed since the reference, column by column.

>>> import pandas as pd
>>> from student_perf.drift.columns import compare_tables, judge
>>> from student_perf.drift.limits import Thresholds
>>> before = pd.DataFrame({"school": ["GP", "MS"] * 40})
>>> now = pd.DataFrame({"school": ["GP"] * 79 + ["XX"]})
>>> (column,) = judge(compare_tables(before, now, Thresholds()), Thresholds())
>>> column.severity, column.reason
('alarm', "new: 'XX'")
"""
