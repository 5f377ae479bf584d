"""A million rows by 30 columns loaded, cleaned, checked, fingerprinted and split, beside the bare
read of the same file.

    .venv/bin/python benchmarks/data.py [--rows 1000000] [--repeats 5]

Each side runs in a process of its own, alternating. Targets: at most 2 times the time of
`pandas.read_csv(engine="pyarrow")` (`pandas.read_parquet` for parquet), and a peak of at most 2.5
times the memory of the loaded frame.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

OVERRIDES = ["dataset=csv", "dataset.target=score", "dataset.task=regression", "model=dummy"]


def make_file(path: Path, rows: int) -> None:
    """The table of `dataset=synthetic` as a file of the kind its ending says."""
    config = composed("dataset=synthetic", f"dataset.rows={rows}")
    from student_perf.data.sources import read_table

    table = read_table(config.dataset)
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)


def composed(*overrides: str):
    """The valid config of these overrides."""
    from hydra import compose, initialize_config_dir

    from student_perf.config import register_resolvers, validate
    from student_perf.paths import CONF_DIR

    register_resolvers()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return validate(compose("config", ["tracking=off", *overrides]))


def bare(path: Path) -> int:
    """Read the file; returns the frame's bytes."""
    csv = path.suffix == ".csv"
    table = pd.read_csv(path, engine="pyarrow") if csv else pd.read_parquet(path)
    return int(table.memory_usage(deep=True).sum())


def ours(path: Path) -> int:
    """Everything that happens before the first fit; returns the frame's bytes."""
    from student_perf.experiment import prepare

    prepared = prepare(composed(*OVERRIDES, f"dataset.path={path}"))
    return int(prepared.dataset.features.memory_usage(deep=True).sum())


def child(side: str, path: Path) -> None:
    """Time one side after its imports, in this process; print seconds and megabytes."""
    # Imports and first calls of the libraries are no part of what is compared.
    small = path.with_stem("small")
    sides = {"bare": bare, "ours": ours}
    sides[side](small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    frame = sides[side](path)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"seconds": seconds, "peak_mb": peak / 1024, "frame_mb": frame / 2**20}))


def measure(side: str, path: Path) -> dict[str, float]:
    """One run of a side in a fresh process."""
    command = [sys.executable, __file__, "--child", side, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    """Print a table for CSV and parquet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--child", nargs=2)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child[0], Path(chosen.child[1]))
        return
    print(
        f"{chosen.rows:,} rows by 30 columns, medians of {chosen.repeats}, "
        f"Python {platform.python_version()}, pandas {pd.__version__}, {os.cpu_count()} cores"
    )
    print(
        f"{'':<9}{'bare s':>8}{'ours s':>8}{'ratio':>7}{'frame MB':>10}{'peak MB':>9}{'ratio':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("csv", "parquet"):
            path = Path(folder) / f"table.{kind}"
            make_file(path, chosen.rows)
            make_file(path.with_stem("small"), 1000)
            runs: dict[str, list[dict[str, float]]] = {"bare": [], "ours": []}
            for _ in range(chosen.repeats):
                for side, results in runs.items():
                    results.append(measure(side, path))
            show(kind, runs)


def show(kind: str, runs: dict[str, list[dict[str, float]]]) -> None:
    """One line: times, their ratio, and our peak against the frame as the bare read holds it."""
    seconds = {side: statistics.median(r["seconds"] for r in rs) for side, rs in runs.items()}
    frame = statistics.median(r["frame_mb"] for r in runs["bare"])
    peak = statistics.median(r["peak_mb"] for r in runs["ours"])
    print(
        f"{kind:<9}{seconds['bare']:>8.2f}{seconds['ours']:>8.2f}"
        f"{seconds['ours'] / seconds['bare']:>7.2f}{frame:>10.0f}{peak:>9.0f}{peak / frame:>7.2f}"
    )


if __name__ == "__main__":
    main()
