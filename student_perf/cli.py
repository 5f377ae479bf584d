"""`python -m student_perf <command>`: what is done around runs; training is `train.py`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from student_perf.errors import ConfigError, StudentPerfError
from student_perf.paths import workspace
from student_perf.terminal import Terminal, print_error, ui_command
from student_perf.tracking.record import METRICS_FILE, RECORD_FILE, RunRecord, load_record


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit code 0, or 1 with one line on standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m student_perf",
        description="Around the runs. To train: python -m student_perf.train --help",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    ui = commands.add_parser("ui", help="open MLflow's page on this machine")
    ui.add_argument("--store", help="tracking URI; default: MLFLOW_TRACKING_URI or the project's")
    ui.add_argument("--port", type=int, default=5000)
    report = commands.add_parser("report", help="show the result of a finished run again")
    report.add_argument("run", nargs="?", default="latest", help="a run folder, or: latest")
    sync = commands.add_parser("sync", help="send what a sweep recorded and MLflow lacks")
    sync.add_argument("folder", nargs="?", help="a sweep's folder; default: all of them")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "ui":
            return open_ui(chosen.store or default_store(), chosen.port)
        if chosen.command == "sync":
            sync_sweeps(chosen.folder)
        else:
            show_report(chosen.run)
    except KeyboardInterrupt:
        return 130
    except StudentPerfError as error:
        print_error(error)
        return 1
    return 0


def default_store() -> str:
    """MLFLOW_TRACKING_URI, or the project's own sqlite store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace()}/mlflow.db"


def open_ui(store: str, port: int) -> int:
    """Serve MLflow's page on loopback until Ctrl-C. Raises ConfigError where there is no store."""
    if store.startswith("http"):
        print(f"The store is a server already; open {store} in a browser.")
        return 0
    database = Path(store.removeprefix("sqlite:///"))
    if store.startswith("sqlite") and not database.is_file():
        raise ConfigError(f"--store {store}: no such database yet; run `make train` first")
    # Without the parameter MLflow's page starts in its view for generative AI.
    page = f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning"
    print(f"MLflow's page (Ctrl-C ends it): {page}", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    return subprocess.call([*command, "--host", "127.0.0.1", "--port", str(port)])


def show_report(run: str) -> None:
    """Print a finished run's metrics and places. Raises ConfigError where there is none."""
    record = latest_record() if run == "latest" else _record_of(Path(run))
    summary = json.loads((record.folder / METRICS_FILE).read_text(encoding="utf-8"))
    objective = summary["objective"]["metric"]
    rows = {
        name: {key: value for key, value in row.items() if key != "folds"}
        for name, row in summary["metrics"].items()
    }
    terminal = Terminal()
    terminal.console.print(f"[bold]{record.name}[/bold]")
    n_folds = len(summary["metrics"][objective]["folds"])
    terminal.metrics(rows, objective, f"held-out rows, {n_folds} folds")
    terminal.verdict(rows, objective)
    places = {"folder": str(record.folder)}
    if record.mlflow_run_id is not None:
        store = record.params["tracking.uri"]
        places |= {"mlflow": f"run {record.mlflow_run_id}", "open": ui_command(store)}
    terminal.places(places)


def sync_sweeps(folder: str | None) -> None:
    """Send the runs of one sweep, or of all, that are not in MLflow yet. Raises TrackingError."""
    from student_perf.config import TrackingConfig
    from student_perf.tracking.publisher import publish_sweep

    if folder is not None and not (Path(folder) / RECORD_FILE).is_file():
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a sweep")
    found = [Path(folder)] if folder else sorted((workspace() / "multirun").glob("*"))
    for one in found:
        if not (one / RECORD_FILE).is_file():
            continue
        params = load_record(one).params
        if params["tracking.enabled"] == "True":
            uri, experiment = params["tracking.uri"], params["tracking.experiment"]
            n_sent = publish_sweep(one, TrackingConfig(True, uri, experiment))
            print(f"{one.name}: {n_sent} trials in {uri}")


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


def _record_of(folder: Path) -> RunRecord:
    if not (folder / RECORD_FILE).is_file():
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a run, or: latest")
    record = load_record(folder)
    if record.status != "FINISHED":
        raise ConfigError(
            f"{folder}: the run is {record.status} ({record.error or 'not finished'}); "
            "there is no result to report"
        )
    return record
