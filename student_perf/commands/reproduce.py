"""`python -m student_perf reproduce`: run a recorded run again and compare."""

from __future__ import annotations

import argparse
import logging
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import CHECKS, add_data, add_run, reading
from student_perf.exit_codes import ExitCode
from student_perf.masking import logging_to
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.reproduction.differences import Difference
    from student_perf.reproduction.reproduce import Verdict
    from student_perf.reproduction.results import Comparison

HELP = "run a recorded run again: does the same come out, and if not, why"
GROUP = CHECKS
PARENTS = (reading(),)
CODES = {ExitCode.FINDING: "finding: different, or with --check-only not the same"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how far to go."""
    add_run(parser)
    parser.add_argument(
        "secrets",
        nargs="*",
        metavar="KEY=VALUE",
        help="what the run needs and its record hides, such as dataset.url=https://me:password@..",
    )
    parser.add_argument("--check-only", action="store_true", help="compare without running")
    add_data(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print checks, comparison and verdict; FINDING for a different result."""
    from student_perf.store.find import open_run

    terminal = Terminal()
    logging.captureWarnings(True)  # the run's own log has a library's warnings already
    try:
        with (
            open_run(chosen.run, chosen.store) as recorded,
            tempfile.TemporaryDirectory() as place,
            logging_to(Path(place) / "again.log"),  # as the first time, not on the terminal
        ):
            from student_perf.experiment.rebuild import with_secrets
            from student_perf.reproduction.reproduce import reproduce

            terminal.heading(f"{recorded.record.name}, {recorded.record.kind} run")
            whole = replace(recorded, composed=with_secrets(recorded.composed, chosen.secrets))
            with terminal.waiting("checking" if chosen.check_only else "running it again"):
                verdict = reproduce(whole, Path(place) / "again", chosen.check_only, chosen.data)
    finally:
        logging.captureWarnings(False)
    _show(terminal, verdict)
    return ExitCode.DONE if verdict.is_same else ExitCode.FINDING


def _show(terminal: Terminal, verdict: Verdict) -> None:
    """Each part and each comparison on its line, then the verdict."""
    harmless = {id(part) for part in verdict.differences} - {id(part) for part in verdict.causes}
    terminal.facts(
        {
            part.part: describe(
                part, "differs, with the same results" if id(part) in harmless else ""
            )
            for part in verdict.differences
        }
    )
    terminal.facts({one.what: f"{_nearness(one)}: {one.words}" for one in verdict.comparisons})
    terminal.heading(f"Verdict: {verdict.sentence}")


def _nearness(one: Comparison) -> str:
    """How near a result is; parts of a model have no tolerance, its predictions decide."""
    words = one.sameness.name.lower().replace("_", " ")
    return "not byte for byte" if one.what == "model" and one.sameness else words


def describe(part: Difference, differs: str = "") -> str:
    """One part of a comparison in words, with the lines that differ below."""
    words = {True: "same", False: differs or "differs", None: "not recorded"}[part.same]
    if part.part == "code" and part.same is None:
        words = "unknown"
    return "\n".join([words, *part.lines, *(f"({note})" for note in part.notes)])
