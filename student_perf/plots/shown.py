"""What the pictures of a run show; it travels to the process that draws them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from student_perf.evaluation.cross_validation import CVResult
    from student_perf.inspection.findings import Findings


@dataclass(frozen=True)
class Shown:
    """Held-out predictions, all as one set, and the tables of an inspection, with their words.

    Attributes:
        classes: Of the target, lowest first; empty for numbers.
        target: Its name.
        result: The held-out predictions.
        n_repeats: How often each row is among them.
        subtitle: What stands below the title of each picture.
        findings: The tables of the inspection.
    """

    classes: tuple[str | int, ...]
    target: str
    result: CVResult
    n_repeats: int
    subtitle: str
    findings: Findings

    @property
    def of_classes(self) -> tuple[tuple[str | int, ...], str, str]:
        """Classes, target and subtitle."""
        return self.classes, self.target, self.subtitle

    @property
    def numbers(self) -> tuple[np.ndarray, np.ndarray, str, str]:
        """True and predicted numbers, target and subtitle."""
        result, once = self.result, "; points and bins count each row once"
        subtitle = self.subtitle + ("" if result.weights is None else once)
        return result.y_true, result.y_pred, self.target, subtitle
