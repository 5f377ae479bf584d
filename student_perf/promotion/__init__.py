"""Whether a model may take the champion's place, and the move.

>>> import numpy as np
>>> from student_perf.promotion.gate import check_calibration
>>> from student_perf.promotion.limits import GateLimits
>>> from student_perf.runs.predictions import Predictions
>>> rows = np.arange(4)
>>> sure = np.tile([0.0, 1.0], (4, 1))  # always certain, right half of the time
>>> answers = Predictions("classification", rows, rows, rows % 2, sure, ["fail", "pass"])
>>> check = check_calibration(answers, GateLimits())
>>> check.passed, round(check.value, 3)
(False, 0.408)
"""
