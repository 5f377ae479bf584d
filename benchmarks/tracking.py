"""What recording and tracking add to a trial: nothing sent, MLflow on sqlite, on a local server.

    .venv/bin/python benchmarks/tracking.py [--trials 100] [--repeats 3] [--models logreg xgb]

Each line is a sweep on econmath at one worker, in a copy of a workspace that has been used before;
medians over alternating repeats, in milliseconds a trial. `evaluate` is cross-validation alone,
fits and metrics; `wall` runs from the first trial's start to the last one's end; `added` is `wall`
less the `evaluate` of the sweep that sends nothing, so it holds all of asking, composing,
recording, telling, and what the publisher takes from the trials. `after s` is what follows the
last trial: winner, report, the rest of publishing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processes import run_measured, write_after_worker
from sweep import SPACES, make_workspace

Row = dict[str, float]
COLUMNS = ("wall", "evaluate", "added", "after s")


def run_timed(file: Path, arguments: list[str]) -> None:
    """A sweep of this process; leaves the seconds of each evaluation in `file`."""
    from student_perf import train
    from student_perf.sweep.evaluate import TrialEvaluator

    seconds: list[float] = []
    evaluate = TrialEvaluator.evaluate

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return evaluate(*args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - started)

    setattr(TrialEvaluator, "evaluate", timed)  # noqa: B010 (mypy refuses a plain assignment)
    write_after_worker(lambda: file.write_text(json.dumps(seconds)))
    sys.argv = ["train.py", *arguments]
    train.main()


def run_sweep(model: str, n_trials: int, used: Path, tracking: str) -> Row:
    """One sweep; `tracking` is an override."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, file = Path(folder) / "workspace", Path(folder) / "seconds.json"
        shutil.copytree(used, workspace)
        space = [f"{key}={value}" for key, value in SPACES[model].items()]
        command = [sys.executable, __file__, "--timed", str(file), "-m", f"model={model}", *space]
        options = [f"hydra.sweeper.n_trials={n_trials}", tracking]
        environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(workspace)}
        measured = run_measured([[*command, *options]], environment)
        records = [
            json.loads(f.read_text()) for f in workspace.glob("multirun/*/[0-9]*/record.json")
        ]
        seconds = json.loads(file.read_text())
    assert len(records) == n_trials == len(seconds)
    last = max(record["ended"] for record in records)
    first = min(record["started"] for record in records)
    return {
        "wall": 1000 * (last - first) / n_trials,
        "evaluate": 1000 * sum(seconds) / n_trials,
        "after s": measured.ended - last,
    }


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Address of an `mlflow server` on loopback that keeps its runs in `folder`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--backend-store-uri", f"sqlite:///{folder}/server.db", "--port", str(port)]
    words += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with (folder / "server.log").open("w") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(running.pid, 9)
        running.wait()


def show(model: str, runs: dict[str, list[Row]]) -> None:
    """Lines of one model."""
    alone = statistics.median(row["evaluate"] for row in runs["nothing sent"])
    for name, rows in runs.items():
        row = {key: statistics.median(r[key] for r in rows) for key in rows[0]}
        row["added"] = row["wall"] - alone
        print(f"{model:<8}{name:<16}{''.join(f'{row[key]:>10.1f}' for key in COLUMNS)}", flush=True)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--timed"]:
        run_timed(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=SPACES, default=["logreg", "xgb"])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        used, place = Path(name) / "used", Path(name) / "server"
        place.mkdir()
        make_workspace(used)
        with server(place) as address:
            sides = {
                "nothing sent": "tracking=off",
                "sqlite": "tracking=sqlite",
                "local server": f"tracking.uri={address}",
            }
            load = os.getloadavg()[0]
            print(f"{chosen.trials} trials, medians of {chosen.repeats}, load {load:.1f}")
            print(f"{'':<24}{''.join(f'{key:>10}' for key in COLUMNS)}")
            for model in chosen.models:
                runs: dict[str, list[Row]] = {side: [] for side in sides}
                for _ in range(chosen.repeats):
                    for side, tracking in sides.items():
                        runs[side].append(run_sweep(model, chosen.trials, used, tracking))
                show(model, runs)


if __name__ == "__main__":
    main()
