"""What the pictures of a run show; it travels to the process that draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from student_perf.scoring.answers import Answers

if TYPE_CHECKING:
    import pandas as pd

    from student_perf.inspection.curves import Curve

ROC, PRECISION_RECALL = "roc_curves", "precision_recall"  # pictures of curves


@dataclass(frozen=True)
class Shown:
    """Held-out predictions, all as one set, and the tables of an inspection, with their words.

    Nothing in it needs scikit-learn, which the process that draws does not import.

    Attributes:
        classes: Of the target, lowest first; empty for numbers.
        target: Its name.
        answers: The held-out predictions.
        curves: Those of classes, by the name of their picture.
        n_repeats: How often each row is among the predictions.
        subtitle: What stands below the title of each picture.
        metric: By which importance and learning curve are measured.
        tables: Those of the inspection, by name.
    """

    classes: tuple[str | int, ...]
    target: str
    answers: Answers
    curves: Mapping[str, Sequence[Curve]]
    n_repeats: int
    subtitle: str
    metric: str
    tables: Mapping[str, pd.DataFrame]

    @property
    def of_classes(self) -> tuple[tuple[str | int, ...], str, str]:
        """Classes, target and subtitle."""
        return self.classes, self.target, self.subtitle

    @property
    def numbers(self) -> tuple[np.ndarray, np.ndarray, str, str]:
        """True and predicted numbers, target and subtitle."""
        answers, once = self.answers, "; points and bins count each row once"
        subtitle = self.subtitle + ("" if answers.weights is None else once)
        return answers.y_true, answers.output, self.target, subtitle
