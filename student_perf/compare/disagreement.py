"""What the choice among tied runs costs: how many rows get another answer from another of them.

Equal figures do not mean equal answers. The share of rows whose class depends on the run is what
Marx, Calmon and Ustun (2020, "Predictive multiplicity in classification", ICML) call ambiguity, the
largest share in which one run differs from the one that is taken discrepancy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from student_perf.runs.record import RunRecord
from student_perf.text import format_number, plural

MOST = 50  # runs whose answers are read; each takes a millisecond
_TENTH = 0.9


@dataclass(frozen=True)
class Disagreement:
    """How far the answers of tied runs to the same held-out rows lie apart.

    Attributes:
        n_runs: The runs whose answers were read.
        n_tied: All runs that are tied, those without answers here and references among them.
        n_rows: The rows.
        is_class: Whether they answer classes.
        any_two: Of classes the share of rows that do not get the same from all runs; of numbers the
            mean distance between the lowest and the highest answer to a row.
        from_taken: The same between the run that is taken and the one farthest from it.
        tenth: Of numbers, the distance that a tenth of the rows exceed; of classes the same share
            as `any_two`.
    """

    n_runs: int
    n_tied: int
    n_rows: int
    is_class: bool
    any_two: float
    from_taken: float
    tenth: float

    def sentence(self) -> str:
        """What it means for a row, in one sentence."""
        which = f"which of {self._runs()} is taken"
        if self.is_class:
            return (
                f"The answer to {self.any_two:.0%} of {plural(self.n_rows, 'held-out row')} "
                f"depends on {which}; the recommended one differs from another in up to "
                f"{self.from_taken:.0%}."
            )
        return (
            f"How much the answer depends on {which}: {format_number(self.any_two)} between the "
            f"lowest and the highest for a held-out row on average, above "
            f"{format_number(self.tenth)} for a tenth of {plural(self.n_rows, 'row')}."
        )

    def _runs(self) -> str:
        if self.n_runs == self.n_tied:
            return f"the {self.n_tied} tied runs"
        first = "the first " if self.n_runs == MOST else ""
        return f"{first}{self.n_runs} of {self.n_tied} tied runs"


def disagreement(records: Sequence[RunRecord], n_tied: int) -> Disagreement | None:
    """How far the answers of tied runs lie apart; None if the run that is taken has no predictions
    here, or no other one has.

    Args:
        records: Runs with the same data, classes and folds that can be taken, the one that is
            taken first. Beyond `MOST` they are not read.
        n_tied: How many are tied, with those that cannot be taken.
    """
    answers = [record.predictions() for record in records[:MOST]]
    taken = answers[0] if answers else None
    if taken is None:
        return None
    alike = [one for one in answers if one is not None and np.array_equal(one.row, taken.row)]
    if len(alike) < 2:
        return None
    is_class = alike[0].task == "classification"
    table = np.array([one.output.argmax(axis=1) if is_class else one.output for one in alike])
    apart = np.ptp(table, axis=0)
    from_taken = np.abs(table - table[0])
    if is_class:
        apart, from_taken = (apart > 0).astype(float), (from_taken > 0).astype(float)
    return Disagreement(
        n_runs=len(alike),
        n_tied=n_tied,
        n_rows=len(np.unique(alike[0].row)),
        is_class=is_class,
        any_two=float(apart.mean()),
        from_taken=float(from_taken.mean(axis=1).max()),
        tenth=float(np.quantile(apart, _TENTH)) if not is_class else float(apart.mean()),
    )
