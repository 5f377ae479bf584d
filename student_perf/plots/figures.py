"""The pictures that a run leaves, one row each: file, drawing function, words, pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from student_perf.inspection.calibration import reliability_of
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
from student_perf.plots.shapes import shape_figure
from student_perf.plots.shown import PRECISION_RECALL, ROC, Shown
from student_perf.plots.style import Figure

Page = Literal["sweep", "board"]


@dataclass(frozen=True)
class RunFigure:
    """A picture that a run leaves as `<name>.png`.

    Attributes:
        name: Name of the file; for findings also of their table in `inspection.Findings`.
        caption: What a page says of it to those who do not see it.
        of: The task whose held-out predictions it shows, or `findings`.
        draw: Makes it from `Shown`, or from a table of findings, the metric and a subtitle.
        pages: The pages that show it: of a sweep for the winner, of a leaderboard for the best.
    """

    name: str
    caption: str
    of: Literal["classification", "regression", "findings"]
    draw: Callable[..., Figure]
    pages: tuple[Page, ...] = ()

    @property
    def file(self) -> str:
        """Its file in the run's folder."""
        return f"{self.name}.png"


def _confusion(run: Shown) -> Figure:
    return confusion_figure(run.answers.counts.table, *run.of_classes)


def _roc(run: Shown) -> Figure:
    return roc_figure(run.curves[ROC], *run.of_classes)


def _precision_recall(run: Shown) -> Figure:
    return precision_recall_figure(run.curves[PRECISION_RECALL], *run.of_classes)


def _reliability(run: Shown) -> Figure:
    return reliability_figure(reliability_of(run.answers, run.n_repeats), *run.of_classes)


def _predicted_actual(run: Shown) -> Figure:
    return predicted_actual_figure(*run.numbers)


def _residuals(run: Shown) -> Figure:
    return residual_figure(*run.numbers, run.n_repeats)


RUN_FIGURES = (
    RunFigure("confusion_matrix", "Confusion matrix", "classification", _confusion),
    RunFigure(ROC, "ROC curves", "classification", _roc),
    RunFigure(PRECISION_RECALL, "Precision and recall", "classification", _precision_recall),
    RunFigure("reliability", "Calibration", "classification", _reliability, ("sweep",)),
    RunFigure("predicted_actual", "True over predicted values", "regression", _predicted_actual),
    RunFigure("residuals", "Residuals", "regression", _residuals, ("sweep",)),
    RunFigure("subgroups", "Scores of subgroups", "findings", subgroup_figure, ("sweep", "board")),
    RunFigure(
        "importance",
        "Permutation importance of the columns",
        "findings",
        importance_figure,
        ("sweep", "board"),
    ),
    RunFigure("learning_curve", "Learning curve", "findings", learning_curve_figure, ("sweep",)),
    RunFigure(
        "shapes", "What each value of a column adds", "findings", shape_figure, ("sweep", "board")
    ),
)


def figures_of(what: str) -> list[RunFigure]:
    """The pictures of a task's held-out predictions, or of `findings`."""
    return [figure for figure in RUN_FIGURES if figure.of == what]


def figures_on(page: Page) -> list[RunFigure]:
    """The pictures of a run that a page shows."""
    return [figure for figure in RUN_FIGURES if page in figure.pages]
