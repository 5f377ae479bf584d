"""Leaderboard and report of one experiment with many runs in sqlite: time and memory.

    .venv/bin/python benchmarks/compare.py [--runs 1250 2500 5000]

One real run is tracked; its rows are then copied in the database under new ids with fold scores of
their own, so that every run has the params, tags and metrics that a sweep's trial leaves. Each
size is measured in a process of its own, with all imports, as `python -m student_perf compare`.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

EXPERIMENT = "many"
_COPIED = {"params": "key, value", "tags": "key, value"}


def make_store(folder: Path, n_runs: int) -> None:
    """A store with one real run and `n_runs` - 1 copies of it, each with scores of its own."""
    environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(folder)}
    command = [sys.executable, "-m", "student_perf.train", "model=logreg"]
    command += ["tracking=sqlite", f"tracking.experiment={EXPERIMENT}"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    rng = np.random.default_rng(0)
    with sqlite3.connect(folder / "mlflow.db") as db:
        (origin,) = db.execute("SELECT run_uuid FROM runs").fetchone()
        for _ in range(n_runs - 1):
            copy_run(db, origin, uuid.uuid4().hex, rng)


def copy_run(db: sqlite3.Connection, origin: str, run_id: str, rng: np.random.Generator) -> None:
    """One more run with the rows of `origin` and other fold scores."""
    columns = [row[1] for row in db.execute("PRAGMA table_info(runs)")]
    named = ", ".join(columns)
    values = ", ".join("?" if name == "run_uuid" else name for name in columns)
    db.execute(
        f"INSERT INTO runs ({named}) SELECT {values} FROM runs WHERE run_uuid = ?",
        (run_id, origin),
    )
    for table, kept in _COPIED.items():
        db.execute(
            f"INSERT INTO {table} ({kept}, run_uuid) "
            f"SELECT {kept}, ? FROM {table} WHERE run_uuid = ?",
            (run_id, origin),
        )
    better = float(rng.normal(0, 0.02))
    for table in ("metrics", "latest_metrics"):
        kept = "key, value, timestamp, step, is_nan"
        rows = db.execute(f"SELECT {kept} FROM {table} WHERE run_uuid = ?", (origin,)).fetchall()
        changed = [
            (key, value + better + rng.normal(0, 0.01) * key.startswith("fold_"), *rest, run_id)
            for key, value, *rest in rows
        ]
        db.executemany(
            f"INSERT INTO {table} ({kept}, run_uuid) VALUES (?, ?, ?, ?, ?, ?)",
            changed,
        )


def measure(folder: Path, *more: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak megabytes of a leaderboard, or with `more` a report."""
    store = f"sqlite:///{folder}/mlflow.db"
    command = [sys.executable, "-m", "student_perf", "compare", "--store", store]
    command += ["--experiment", EXPERIMENT, *more]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        raise RuntimeError(f"compare ended with {status}")
    cpu = used.ru_utime + used.ru_stime
    return time.perf_counter() - started, cpu, used.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, nargs="+", default=[1250, 2500, 5000])
    parser.add_argument("--keep", type=Path, help="make the stores in this folder and keep them")
    chosen = parser.parse_args()
    print(f"{'runs':>6}{'store MB':>10}  {'what':<12}{'seconds':>9}{'CPU s':>7}{'peak MB':>9}")
    for n_runs in chosen.runs:
        with tempfile.TemporaryDirectory() as temporary:
            folder = (chosen.keep or Path(temporary)) / str(n_runs)
            if not folder.is_dir():
                folder.mkdir(parents=True)
                make_store(folder, n_runs)
            size = (folder / "mlflow.db").stat().st_size / 2**20
            report = ["--html", str(folder / "report.html")]
            for what, more in (("leaderboard", []), ("report", report)):
                found = (measure(folder, *more) for _ in range(3))
                times, cpu, peaks = map(np.median, zip(*found, strict=True))
                print(
                    f"{n_runs:>6}{size:>10.0f}  {what:<12}{times:>9.1f}{cpu:>7.1f}{peaks:>9.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
