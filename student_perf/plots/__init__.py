"""Pictures of a result: data in, figure out; nothing is shown or saved here."""

from student_perf.plots.classification import (
    confusion_figure,
    precision_recall_figure,
    reliability_figure,
    roc_figure,
)
from student_perf.plots.inspection import (
    importance_figure,
    learning_curve_figure,
    subgroup_figure,
)
from student_perf.plots.regression import predicted_actual_figure, residual_figure
from student_perf.plots.style import png

__all__ = [
    "confusion_figure",
    "importance_figure",
    "learning_curve_figure",
    "png",
    "precision_recall_figure",
    "predicted_actual_figure",
    "reliability_figure",
    "residual_figure",
    "roc_figure",
    "subgroup_figure",
]
