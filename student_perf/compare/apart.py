"""What came of a sweep without one best, in words: repeats over seeds, or trials side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

from student_perf.compare.comparable import differing, varied
from student_perf.compare.leaderboard import Leaderboard, Line, recommendation
from student_perf.compare.show import ABOUT_INTERVALS, repeat_line
from student_perf.runs.record import RunRecord
from student_perf.scoring.metrics import METRICS
from student_perf.text import format_number, plural, short_value

_MOST_SETS = 20
NO_WINNER = "No winner was fitted, and nobody has looked at the test rows."


def apart_lines(trials: Sequence[RunRecord], boards: Sequence[Leaderboard]) -> list[str]:
    """What can be said of the trials of a sweep that has no best trial.

    Args:
        trials: Its finished trials.
        boards: What of them can be compared, a leaderboard for each set.
    """
    repeats = any(board.n_repeats > 1 for board in boards)
    last = [ABOUT_INTERVALS] if repeats else []
    if len(boards) == 1:
        return [*_set_lines(boards[0]), *last]
    keys = deciding_keys(boards)
    named = f" ({', '.join(keys)})" if keys else ""
    lines = [
        f"Side by side: the trials differ in {' and '.join(differing(trials))}{named}, so there is "
        "no best among them all."
    ]
    for board in boards[:_MOST_SETS]:
        first, *more = _set_lines(board)
        name = set_name(board, keys)
        lines += [f"{name}: {first}" if name else first, *(f"  {line}" for line in more)]
    if len(boards) > _MOST_SETS:
        lines.append(f"and {len(boards) - _MOST_SETS} more.")
    return [*lines, *last]


def deciding_keys(boards: Sequence[Leaderboard]) -> list[str]:
    """The swept keys that tell the leaderboards of a sweep apart: the same within each of them."""
    every = [line.record for board in boards for line in board.lines]
    within = {key for board in boards for key in varied([line.record for line in board.lines])}
    return [key for key in varied(every) if key not in within]


def set_name(board: Leaderboard, keys: Sequence[str]) -> str:
    """`split.n_splits=5`; empty if no key tells the leaderboard from the others."""
    values = board.lines[0].record.swept
    return ", ".join(f"{key}={short_value(values[key])}" for key in keys if key in values)


def _set_lines(board: Leaderboard) -> list[str]:
    """The one configuration, or the best of several and which one to take."""
    best = board.lines[0]
    if len(board.lines) == 1:
        return [repeat_line(best, board.metric) if board.n_repeats > 1 else _figure(best, board)]
    over = f" over {board.n_repeats} seeds" if board.n_repeats > 1 else ""
    n_others = len(board.lines) - 1
    tied = sum(line.tied for line in board.lines) - 1
    ties = (
        "" if math.isnan(best.p_value) else f"; {tied} of {plural(n_others, 'other')} tied with it"
    )
    lines = [f"Best{over}: {_figure(best, board)[:-1]}{ties}."]
    return lines if board.recommended is best else [*lines, recommendation(board)]


def _figure(line: Line, board: Leaderboard) -> str:
    text = f"{line.label}, {METRICS[board.metric].label} {format_number(line.mean)}"
    if math.isnan(line.low):
        return f"{text}."
    interval = METRICS[board.metric].interval(line.mean, line.low, line.high)
    return f"{text} (95 % interval {interval})."
