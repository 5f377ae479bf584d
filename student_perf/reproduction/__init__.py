"""Run a recorded run again and compare; find why two runs differ; hand a run over.

>>> from student_perf.reproduction.results import Sameness, compare_figures
>>> (one,) = compare_figures({"cv_accuracy_mean": 0.5}, {"cv_accuracy_mean": 0.5})
>>> one.sameness is Sameness.IDENTICAL
True
"""
