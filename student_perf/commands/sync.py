"""`python -m student_perf sync`: send to MLflow what is recorded on disk and missing there."""

from __future__ import annotations

import argparse

from student_perf.commands.arguments import RUN, TRACKING, in_workspace
from student_perf.errors import ConfigError, TrackingError
from student_perf.exit_codes import ExitCode
from student_perf.terminal import print_error

HELP = "send to MLflow what is on disk only"
GROUP = TRACKING
PARENTS = (in_workspace(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "run",
        nargs="?",
        help=f"{RUN} (default: all that are pending; one made with tracking=off goes if named)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Send one run or sweep, or all that are pending. Raises TrackingError."""
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.store.publisher import iter_tracked, publish_later

    if chosen.run is None:
        records = iter_tracked()
    else:
        record = find_run(chosen.run)
        if not is_on_disk(record):
            raise ConfigError(f"{chosen.run}: is in MLflow only, so there is nothing to send")
        records = iter([record])
    n_sent = n_failed = 0
    for record in records:
        try:
            line = publish_later(record, is_named=chosen.run is not None)
        except TrackingError as error:  # the others may go
            if chosen.run is not None:
                raise
            n_failed += 1
            print_error(error)
            continue
        if line is not None:
            n_sent += 1
            print(line)
    if n_sent == n_failed == 0:
        print("Nothing is pending.")
    return ExitCode.ERROR if n_failed else ExitCode.DONE
