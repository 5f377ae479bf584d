"""`python -m student_perf sync`: send to MLflow what is recorded on disk and missing there."""

from __future__ import annotations

import argparse

from student_perf.commands.arguments import RUN, TRACKING, accepting, in_workspace
from student_perf.errors import ChangedError, ConfigError, TrackingError
from student_perf.exit_codes import ExitCode
from student_perf.terminal import print_error

HELP = "send to MLflow what is on disk only"
GROUP = TRACKING
PARENTS = (in_workspace(), accepting())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "run",
        nargs="?",
        help=f"{RUN} (default: all that are pending; one made with tracking=off goes if named)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Send one run or sweep, or all that are pending; FINDING if one of those was changed.

    Raises ChangedError or TrackingError for one that is named.
    """
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.store.publisher import iter_tracked, publish_later

    refused: list[Exception] = []

    def refuse(error: Exception) -> None:
        refused.append(error)
        print_error(error)

    if chosen.run is None:
        records = iter_tracked(refuse)
    else:
        record = find_run(chosen.run)
        if not is_on_disk(record):
            raise ConfigError(f"{chosen.run}: is in MLflow only; there is nothing to send")
        records = iter([record])
    n_sent = 0
    for record in records:
        try:
            line = publish_later(record, is_named=chosen.run is not None)
        except (ChangedError, TrackingError) as error:  # the others may go
            if chosen.run is not None:
                raise
            refuse(error)
            continue
        if line is not None:
            n_sent += 1
            print(line)
    if n_sent == len(refused) == 0:
        print("Nothing is pending." if chosen.run is None else f"{record.name}: is in MLflow")
    if any(isinstance(error, TrackingError) for error in refused):
        return ExitCode.ERROR
    return ExitCode.FINDING if refused else ExitCode.DONE
