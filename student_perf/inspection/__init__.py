"""What a result shows beyond its metrics; arrays and tables only, pictures are in `plots`.

>>> import numpy as np
>>> from student_perf.inspection.calibration import reliability
>>> sure = np.tile([0.1, 0.9], (10, 1))  # 90 % sure of the second class, right in 7 of 10 rows
>>> bins = reliability(np.array([1] * 7 + [0] * 3), sure)
>>> print(f"{bins.confidence[0]:.1f} predicted, {bins.frequency[0]:.1f} observed")
0.9 predicted, 0.7 observed
>>> round(bins.error, 3)
0.2
"""
