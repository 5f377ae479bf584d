"""The tables of an inspection as a person reads them: lines, figures and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA
from student_perf.terminal import GroupLine
from student_perf.text import format_number, format_p, plural

if TYPE_CHECKING:
    import pandas as pd


def group_lines(subgroups: pd.DataFrame | None) -> list[GroupLine]:
    """A line for each group of `subgroups.subgroup_table`: `name`, `n`, `note` and, for the first
    two metrics, `values` by metric, each with its bounds.
    """
    if subgroups is None:
        return []
    lines = []
    for (column, group), of_group in subgroups.groupby(["column", "group"], sort=False):
        first = of_group.iloc[0]
        values = list(zip(*(of_group[x] for x in ("metric", "value", "low", "high")), strict=True))
        lines.append(
            GroupLine(
                name=f"{column} = {group}" if group else str(column),
                n=int(first["n"]),
                note=str(first["note"]),
                values={
                    metric: (float(value), float(low), float(high))
                    for metric, value, low, high in values[:2]
                },
            )
        )
    return lines


def most_important(importance: pd.DataFrame | None) -> dict[str, float]:
    """Importance of the three most important columns, without those that do not help."""
    if importance is None:
        return {}
    first = importance[importance["importance"] > 0].head(3)
    return dict(zip(first["column"], first["importance"].astype(float), strict=True))


def about_groups(table: pd.DataFrame | None) -> str:
    """What `subgroup_table` shows in one sentence: which groups differ, by numbers, or that none
    does; empty if there is nothing to compare.
    """
    if table is None or (tested := table[table["p"].notna()]).empty:
        return ""
    everything = table[table["metric"] == tested["metric"].iloc[0]].iloc[0]
    label = METRICS[everything["metric"]].label
    of_all = f"corrected for {plural(len(tested), 'group')}"
    differ = tested[tested["p"] < ALPHA]
    if differ.empty:
        smallest = format_p(tested["p"].min())
        return (
            f"No group differs in {label} from the other rows beyond chance: smallest p "
            f"{smallest}, {of_all}."
        )
    named = ", ".join(
        f"{one['column']} = {one['group']} ({format_number(one['value'])}, p {format_p(one['p'])})"
        for _, one in differ.iterrows()
    )
    return (
        f"Beyond chance in {label} these differ from the other rows: {named}; all rows have "
        f"{format_number(everything['value'])}, p is {of_all}."
    )
