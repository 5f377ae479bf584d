"""Exact repeats: runs of one configuration on the same rows with the same scores are one candidate.

Whoever takes the best of many has chosen among so many configurations, not among so many runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from student_perf.runs.record import RunRecord


def distinct(records: Sequence[RunRecord], ranked: bool = False) -> list[tuple[RunRecord, int]]:
    """One run of each configuration, with the number of its exact repeats and itself, in the order
    in which configurations first come.

    Args:
        records: The runs.
        ranked: Whether they come best first, so that the first stands for its repeats. Otherwise
            the earliest one does, but no reference.
    """
    same: dict[tuple[object, ...], list[RunRecord]] = {}
    for record in records:
        same.setdefault(identity(record), []).append(record)
    return [(runs[0] if ranked else min(runs, key=_place), len(runs)) for runs in same.values()]


def times_mark(times: int) -> str:
    """How a table marks a run that stands for several: `x3`; empty for a single one."""
    return "" if times == 1 else f"x{times}"


def n_distinct(records: Sequence[RunRecord]) -> int:
    """Number of configurations among runs."""
    return len({identity(record) for record in records})


def identity(record: RunRecord) -> tuple[object, ...]:
    """What exact repeats share: rows, config, scores. A run of an unknown config repeats none."""
    if not record.config_sha256:
        return (id(record),)
    scores = record.fold_scores(record.objective) if record.objective else ()
    return (*record.rows, record.config_sha256, *map(float, scores))


def _place(record: RunRecord) -> tuple[bool, int, float]:
    return bool(record.outside), record.trial_number or 0, record.started
