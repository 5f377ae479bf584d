"""What is said of the predictions for a file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from student_perf.data.outside import Outside
from student_perf.text import plural

_MOST_OUTSIDE = 5  # columns that are named


@dataclass
class Summary:
    """What came of a file of new rows.

    Attributes:
        rows: Rows of the file.
        refused: Those without an answer.
        flagged: Those with an answer and a reason.
        problems: How often each problem refused or flagged a row.
        read_as: How the file was read, if not as the training file.
        written_as: How the output was written, if not as a plain CSV.
        left_out: What was left out at the end of the file.
        outside: Columns with numbers far outside of the training, the worst first.
        first_line: Line of the file with its first row; None if that is not known, or no column
            lies outside.
        is_training_file: Whether the model has learned from this very file.
    """

    rows: int = 0
    refused: int = 0
    flagged: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    read_as: str = ""
    written_as: str = ""
    left_out: str = ""
    outside: list[Outside] = field(default_factory=list)
    first_line: int | None = None
    is_training_file: bool = False

    def __str__(self) -> str:
        words = ", ".join(f"{name} {n:,}" for name, n in self.problems.most_common())
        flagged = f", {self.flagged:,} flagged" if self.flagged else ""
        reasons = f" ({words})" if words else ""
        predicted = self.rows - self.refused
        return (
            f"{self._all_rows}, {predicted:,} predicted, {self.refused:,} refused{flagged}{reasons}"
        )

    @property
    def _all_rows(self) -> str:
        return f"{self.rows:,} {'row' if self.rows == 1 else 'rows'}"

    def form_lines(self) -> list[str]:
        """How the files are written, where that is not taken for granted."""
        lines = [f"read as {self.read_as}"] if self.read_as else []
        return [*lines, f"written as {self.written_as}"] if self.written_as else lines

    def notes(self) -> list[str]:
        """What a reader of the predictions should know."""
        learned = (
            "this is the file that the model was trained on: its answers to these rows do not show "
            "how good it is, the run's held-out scores do"
        )
        return [learned, *self._outside()] if self.is_training_file else self._outside()

    def _outside(self) -> list[str]:
        lines = [self._about(one) for one in self.outside[:_MOST_OUTSIDE]]
        if more := len(self.outside) - len(lines):
            lines.append(f"and {plural(more, 'more column')} with rows far outside of the training")
        return lines

    def _about(self, one: Outside) -> str:
        verb = "is" if one.n_rows == 1 else "are"
        line = "" if self.first_line is None else f", line {self.first_line + one.row} of the file"
        return (
            f"{one.column}: {one.n_rows:,} of {self._all_rows} {verb} outside "
            f"{one.lowest:g} to {one.highest:g} of the training (farthest: {one.farthest:g}, row "
            f"{one.row}{line})"
        )
