"""A table as a file holds it, and what reading it has decided."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from student_perf.tables.numbers import TypedColumn
from student_perf.tables.options import ReadOptions


@dataclass(frozen=True)
class RawTable:
    """A table as a file holds it.

    Attributes:
        options: How it was read, everything named that its format needs.
        notes: What was decided about columns, in words.
        percents: Columns whose percent signs were taken off.
    """

    table: pd.DataFrame
    options: ReadOptions = field(default_factory=ReadOptions)
    notes: tuple[str, ...] = ()
    percents: tuple[str, ...] = ()


def table_of(columns: dict[str, TypedColumn], options: ReadOptions) -> RawTable:
    """The table of typed columns, with their notes."""
    table = pd.DataFrame({n: one.cells.to_pandas() for n, one in columns.items()}, copy=False)
    notes = [f"'{name}': {'; '.join(one.notes)}" for name, one in columns.items() if one.notes]
    percents = tuple(name for name, one in columns.items() if one.is_percent)
    return RawTable(table, options, tuple(notes), percents)
