"""`python -m student_perf <command>`: what is done around runs; training is `train.py`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Protocol

from student_perf.commands import (
    check,
    compare,
    drift,
    evidence,
    explain,
    export,
    predict,
    promote,
    report,
    reproduce,
    rollback,
    serve,
    sync,
    ui,
    verify,
    why,
)
from student_perf.errors import StudentPerfError
from student_perf.terminal import print_error


class Command(Protocol):
    """What a module of `commands` offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, chosen: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


COMMANDS: dict[str, Command] = {
    "check": check,
    "compare": compare,
    "drift": drift,
    "evidence": evidence,
    "explain": explain,
    "export": export,
    "predict": predict,
    "promote": promote,
    "report": report,
    "reproduce": reproduce,
    "rollback": rollback,
    "serve": serve,
    "sync": sync,
    "ui": ui,
    "verify": verify,
    "why": why,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit code 0, that of the command, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m student_perf",
        description="Around the runs. To train: python -m student_perf.train --help",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, module in COMMANDS.items():
        module.add_arguments(commands.add_parser(name, help=module.HELP, description=module.HELP))
    chosen = parser.parse_args(arguments)
    try:
        return COMMANDS[chosen.command].run(chosen)
    except KeyboardInterrupt:
        return 130
    except StudentPerfError as error:
        print_error(error)
        return 1
