"""`python -m student_perf report`: the result of a finished run, again."""

from __future__ import annotations

import argparse
from typing import Any

from student_perf.runs.layout import METRICS_FILE
from student_perf.runs.record import RunRecord
from student_perf.terminal import Terminal

HELP = "show the result of a finished run again, or write a sweep's report.html again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument(
        "run", nargs="?", default="latest", help="a run or a sweep: folder, latest, id, study"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print a finished run's metrics and places; of a sweep, write its page and print its path.

    Raises ConfigError if there is no such run.
    """
    from student_perf.store.find import find_run, is_on_disk, open_run

    found = find_run(chosen.run)
    if found.kind == "sweep" and is_on_disk(found):
        from student_perf.sweep.page import write_page

        print(write_page(found.folder.resolve())[0])
        return 0
    with open_run(chosen.run) as recorded:
        _show(recorded.record, recorded.json(METRICS_FILE))
    return 0


def _show(record: RunRecord, summary: dict[str, Any]) -> None:
    from student_perf.store.address import ui_command

    objective = summary["objective"]["metric"]
    rows = {
        name: {key: value for key, value in row.items() if key != "folds"}
        for name, row in summary["metrics"].items()
    }
    terminal = Terminal()
    terminal.heading(record.name)
    n_folds = len(summary["metrics"][objective]["folds"])
    terminal.metrics(rows, objective, f"held-out rows, {n_folds} folds")
    terminal.verdict(rows, objective)
    places = {"folder": str(record.folder)}
    if record.mlflow_run_id is not None:
        places["mlflow"] = f"run {record.mlflow_run_id}"
        places["open"] = ui_command(record.tracking_uri)
    terminal.places(places)
