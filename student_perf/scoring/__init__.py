"""What is measured and how sure it is: metrics, intervals, bootstrap, paired tests, objectives.

>>> import numpy as np
>>> from student_perf.scoring.answers import Answers
>>> from student_perf.scoring.intervals import fold_interval
>>> from student_perf.scoring.metrics import METRICS
>>> metric = METRICS["mean_absolute_error"]
>>> truth, predicted = np.array([10.0, 12.0, 9.0, 15.0]), np.array([11.0, 12.0, 9.5, 13.0])
>>> metric.of(Answers(truth, predicted))
0.875
>>> estimate = fold_interval(np.array([0.875, 0.9, 0.8]), 0.5, metric)
>>> print(f"{estimate.mean:.2f}, {estimate.low:.2f} to {estimate.high:.2f}")
0.86, 0.65 to 1.06
"""
