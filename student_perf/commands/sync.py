"""`python -m student_perf sync`: send to MLflow what is recorded on disk and missing there."""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.config import TrackingConfig
from student_perf.errors import ConfigError
from student_perf.paths import workspace
from student_perf.tracking.record import RECORD_FILE, load_record

HELP = "send what a sweep recorded and MLflow lacks"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which sweep."""
    parser.add_argument("folder", nargs="?", help="a sweep's folder; default: all of them")


def run(chosen: argparse.Namespace) -> int:
    """Send the runs of one sweep, or of all, that are not in MLflow yet. Raises TrackingError."""
    from student_perf.tracking.publisher import publish_sweep

    folder = chosen.folder
    if folder is not None and not (Path(folder) / RECORD_FILE).is_file():
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a sweep")
    found = [Path(folder)] if folder else sorted((workspace() / "multirun").glob("*"))
    for one in found:
        if not (one / RECORD_FILE).is_file():
            continue
        record = load_record(one)
        params = record.params
        if record.kind == "sweep" and params["tracking.enabled"] == "True":
            uri, experiment = params["tracking.uri"], params["tracking.experiment"]
            n_sent = publish_sweep(one, TrackingConfig(True, uri, experiment))
            print(f"{one.name}: {n_sent} trials in {uri}")
    return 0
