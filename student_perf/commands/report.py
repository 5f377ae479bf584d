"""`python -m student_perf report`: the result of a finished run, again."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from student_perf.errors import ConfigError
from student_perf.paths import workspace
from student_perf.runs.record import METRICS_FILE, RECORD_FILE, RunRecord, load_record
from student_perf.terminal import Terminal, ui_command

HELP = "show the result of a finished run again, or write a sweep's report.html again"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument(
        "run", nargs="?", default="latest", help="a run's or a sweep's folder, or: latest"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print a finished run's metrics and places; of a sweep, write its page and print its path.

    Raises ConfigError where there is no such run.
    """
    if chosen.run != "latest" and _is_sweep(Path(chosen.run)):
        from student_perf.pages.report import write_report
        from student_perf.pages.section import PAGE_FILE
        from student_perf.sweep.study import read_outcome

        folder = Path(chosen.run).resolve()
        print(write_report(folder / PAGE_FILE, read_outcome(folder)))
        return 0
    record = latest_record() if chosen.run == "latest" else finished_record(Path(chosen.run))
    summary = json.loads((record.folder / METRICS_FILE).read_text(encoding="utf-8"))
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
        store = record.params["tracking.uri"]
        places |= {"mlflow": f"run {record.mlflow_run_id}", "open": ui_command(store)}
    terminal.places(places)
    return 0


def _is_sweep(folder: Path) -> bool:
    return (folder / RECORD_FILE).is_file() and load_record(folder).kind == "sweep"


def latest_record() -> RunRecord:
    """Record of the finished run that started last. Raises ConfigError where there is none."""
    files = (workspace() / "outputs").glob(f"*/*/{RECORD_FILE}")
    finished = (r for r in (load_record(file.parent) for file in files) if r.status == "FINISHED")
    newest = max(finished, key=lambda record: record.started, default=None)
    if newest is None:
        raise ConfigError(
            f"latest: no finished run below {workspace() / 'outputs'}; run `make train` first"
        )
    return newest


def finished_record(folder: Path) -> RunRecord:
    """Record of the finished run in `folder`. Raises ConfigError where there is none."""
    if not (folder / RECORD_FILE).is_file():
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a run, or: latest")
    record = load_record(folder)
    if record.status != "FINISHED":
        raise ConfigError(
            f"{folder}: the run is {record.status} ({record.error or 'not finished'}); "
            "there is no result to report"
        )
    return record
