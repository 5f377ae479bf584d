"""`python -m student_perf verify FILE.zip`: is an exported bundle unchanged?"""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.commands.arguments import CHECKS
from student_perf.exit_codes import ExitCode
from student_perf.terminal import Terminal

HELP = "check the checksums of an exported bundle"
GROUP = CHECKS
PARENTS: tuple[argparse.ArgumentParser, ...] = ()
USES_METRICS = False
CODES = {ExitCode.FINDING: "finding: bundle changed"}
_MOST_PROBLEMS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which bundle."""
    parser.add_argument("file", help="a zip written by: python -m student_perf export")


def run(chosen: argparse.Namespace) -> int:
    """Print every problem; FINDING if there is one."""
    from student_perf.reproduction.bundle import verify_bundle

    problems, digest = verify_bundle(Path(chosen.file))
    terminal = Terminal()
    for problem in problems[:_MOST_PROBLEMS]:
        terminal.console.print(f"  {problem}")
    if len(problems) > _MOST_PROBLEMS:
        terminal.console.print(f"  and {len(problems) - _MOST_PROBLEMS} more")
    if problems:
        terminal.heading(f"{chosen.file}: not as it was exported")
        return ExitCode.FINDING
    terminal.heading(f"{chosen.file}: unchanged")
    terminal.places({"manifest": f"SHA-256 {digest}"})
    return ExitCode.DONE
