"""`python -m student_perf sync`: send to MLflow what is recorded on disk and missing there."""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.errors import ConfigError, TrackingError
from student_perf.paths import workspace
from student_perf.runs.record import RECORD_FILE, load_record
from student_perf.terminal import print_error

HELP = "send runs and sweeps that are on disk and not in MLflow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs."""
    parser.add_argument("folder", nargs="?", help="folder of a run or a sweep; default: all")


def run(chosen: argparse.Namespace) -> int:
    """Send one run or sweep, or all that are pending. Raises TrackingError."""
    from student_perf.store.pending import iter_recorded, send

    if chosen.folder is None:
        records = iter_recorded(workspace())
    else:
        folder = Path(chosen.folder).absolute()
        if not (folder / RECORD_FILE).is_file():
            raise ConfigError(
                f"{chosen.folder}: holds no {RECORD_FILE}; name the folder of a run or a sweep"
            )
        records = iter([load_record(folder)])
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
