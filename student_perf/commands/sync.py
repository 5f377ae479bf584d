"""`python -m student_perf sync`: send to MLflow what is recorded on disk and missing there."""

from __future__ import annotations

import argparse

from student_perf.errors import ConfigError, TrackingError
from student_perf.paths import workspace
from student_perf.terminal import print_error

HELP = "send runs and sweeps that are on disk and not in MLflow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument(
        "folder", nargs="?", help="a run or a sweep: folder, latest, id, study; default: all"
    )


def run(chosen: argparse.Namespace) -> int:
    """Send one run or sweep, or all that are pending. Raises TrackingError."""
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.store.pending import iter_recorded, send

    if chosen.folder is None:
        records = iter_recorded(workspace())
    else:
        record = find_run(chosen.folder)
        if not is_on_disk(record):
            raise ConfigError(f"{chosen.folder}: is in MLflow only, so there is nothing to send")
        records = iter([record])
    n_sent = n_failed = 0
    for record in records:
        try:
            line = send(record)
        except TrackingError as error:  # the others may go
            if chosen.folder is not None:
                raise
            n_failed += 1
            print_error(error)
            continue
        if line is not None:
            n_sent += 1
            print(line)
    if n_sent == n_failed == 0:
        print("Nothing is pending.")
    return 1 if n_failed else 0
