"""Pictures of a result: data in, figure out; nothing is shown or saved here.

>>> from student_perf.plots.figures import figures_of
>>> [figure.file for figure in figures_of("regression")]
['predicted_actual.png', 'residuals.png']
"""
