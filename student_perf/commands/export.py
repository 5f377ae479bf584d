"""`python -m student_perf export RUN [FILE.zip]`: everything of a run in one zip."""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.commands.arguments import CHECKS, add_run, reading
from student_perf.exit_codes import ExitCode
from student_perf.shell import own_line
from student_perf.terminal import Terminal

HELP = "put a run into one zip with checksums and a model card"
GROUP = CHECKS
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    add_run(parser)
    parser.add_argument("file", nargs="?", help="default: in the run's folder")
    parser.add_argument(
        "--sign",
        type=Path,
        metavar="KEY",
        help="sign the checksums by your ssh key, such as ~/.ssh/id_ed25519",
    )


def run(chosen: argparse.Namespace) -> int:
    """Write the bundle and say how to check it."""
    from student_perf.reproduction.bundle import default_target, export_run
    from student_perf.store.find import open_run

    with open_run(chosen.run, chosen.store) as recorded:
        target = Path(chosen.file) if chosen.file else default_target(recorded)
        digest = export_run(recorded, target, chosen.sign)
    Terminal().places(
        {
            "bundle": f"{target} ({target.stat().st_size / 1e6:.1f} MB)",
            "manifest": f"SHA-256 {digest}",
            "check": own_line("verify", str(target)),
        }
    )
    return ExitCode.DONE
