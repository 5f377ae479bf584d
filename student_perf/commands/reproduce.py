"""`python -m student_perf reproduce`: run a recorded run again and compare."""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.reproduction.differences import Difference
    from student_perf.reproduction.reproduce import Verdict
    from student_perf.reproduction.results import Comparison

HELP = "run a recorded run again and say whether it gives the same, and if not, why"
DIFFERENT = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how far to go."""
    add_run(parser, "run")
    parser.add_argument("--check-only", action="store_true", help="compare without running")
    parser.add_argument("--data", metavar="FILE", help="the data file, where it is elsewhere here")


def add_run(parser: argparse.ArgumentParser, *names: str) -> None:
    """Arguments that name runs, and the store they may be in."""
    for name in names:
        parser.add_argument(name, help="MLflow run id (or how it begins), a run folder, or: latest")
    parser.add_argument(
        "--store", help="tracking URI; default: MLFLOW_TRACKING_URI or the project's"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print checks, comparison and verdict; exit code 0 for the same, 2 for different."""
    from student_perf.reproduction.reproduce import reproduce
    from student_perf.store.find import open_run

    terminal = Terminal()
    logging.captureWarnings(True)  # the run's own log has a library's warnings already
    try:
        with open_run(chosen.run, chosen.store) as recorded, tempfile.TemporaryDirectory() as place:
            terminal.heading(f"{recorded.record.name}, {recorded.record.kind} run")
            verdict = reproduce(recorded, Path(place) / "again", chosen.check_only, chosen.data)
    finally:
        logging.captureWarnings(False)
    show(terminal, verdict)
    return 0 if verdict.is_same else DIFFERENT


def show(terminal: Terminal, verdict: Verdict) -> None:
    """Each part and each comparison on its line, then the verdict."""
    harmless = {id(part) for part in verdict.differences} - {id(part) for part in verdict.causes}
    terminal.facts(
        {
            part.part: told(part, "differs, with the same results" if id(part) in harmless else "")
            for part in verdict.differences
        }
    )
    terminal.facts({one.what: f"{nearness(one)}: {one.words}" for one in verdict.comparisons})
    terminal.heading(f"Verdict: {verdict.sentence}")


def nearness(one: Comparison) -> str:
    """How near a result is; parts of a model have no tolerance, what it predicts decides."""
    words = one.sameness.name.lower().replace("_", " ")
    return "not byte for byte" if one.what == "model" and one.sameness else words


def told(part: Difference, differs: str = "") -> str:
    """One part of a comparison in words, with the lines that differ below."""
    words = {True: "same", False: differs or "differs", None: "not recorded"}[part.same]
    if part.part == "code" and part.same is None:
        words = "cannot be told"
    return "\n".join([words, *part.lines, *(f"({note})" for note in part.notes)])
