"""The report of sweeps and comparisons as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from student_perf.atomic import write_atomic
from student_perf.compare.leaderboard import Leaderboard
from student_perf.compare.outcome import SweepOutcome
from student_perf.pages.board_section import board_section
from student_perf.pages.section import Section
from student_perf.pages.sweep_section import sweep_section
from student_perf.render import render


@dataclass(frozen=True)
class Comparison:
    """Leaderboards, those of their sweeps that are on disk, and sentences about their tuning."""

    boards: Sequence[Leaderboard]
    sweeps: Sequence[SweepOutcome]
    notes: Sequence[str] = ()
    top: int = 20
    store: str = ""


def sweep_page(sweep: SweepOutcome) -> str:
    """The page of one sweep as text."""
    return _page(sweep.record.name, [sweep_section(sweep)])


def comparison_page(comparison: Comparison) -> str:
    """The page of a comparison as text: its leaderboards, then each sweep.

    If the leaderboards hold just the trials of its only sweep, the sweep's section shows them.
    """
    boards, sweeps = comparison.boards, comparison.sweeps
    only = len(sweeps) == 1 and _sizes(boards) == _sizes(sweeps[0].boards)
    sections = [
        board_section(board, boards[0] if number else None, comparison.top, comparison.store)
        for number, board in enumerate(() if only else boards)
    ]
    sections += [sweep_section(sweep) for sweep in sweeps]
    names = [sweep.record.name for sweep in sweeps] or [sections[0].name]
    return _page(f"Comparison: {' and '.join(names)}", sections, comparison.notes)


def _sizes(boards: Sequence[Leaderboard]) -> list[int]:
    return sorted(len(board.lines) for board in boards)


def write_report(file: Path, sweep: SweepOutcome) -> Path:
    """Write the page of a sweep. Returns the file."""
    write_atomic(file, sweep_page(sweep))
    return file


def _page(title: str, sections: Sequence[Section], notes: Sequence[str] = ()) -> str:
    return render("report.html.j2", title=title, sections=sections, notes=notes)
