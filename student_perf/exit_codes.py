"""What a command's exit code means; `--help` and the docs list the same codes.

A command that SIGTERM ends has no code of its own: the shell shows 143; `train` and `sweep`, which
first put things in order, return it.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One meaning for each code, the same in every command."""

    DONE = 0
    ERROR = 1
    USAGE = 2  # argparse's own
    FINDING = 3
    ROWS_REFUSED = 4
    UNDECIDED = 5
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done",
    ExitCode.ERROR: "error, in one line on standard error",
    ExitCode.USAGE: "wrong usage of the command line",
    ExitCode.FINDING: "finding: drift, closed gate; a model, file, sweep or runs that differ",
    ExitCode.ROWS_REFUSED: "rows refused",
    ExitCode.UNDECIDED: "undecided: too few rows to tell whether the data have drifted",
    ExitCode.INTERRUPTED: "Ctrl-C",
}
OF_EVERY_COMMAND = (ExitCode.DONE, ExitCode.ERROR, ExitCode.USAGE, ExitCode.INTERRUPTED)
