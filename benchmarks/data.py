"""A million rows by 30 columns loaded, cleaned, checked, fingerprinted and split, beside the bare
read of the same file.

    .venv/bin/python benchmarks/data.py [--rows 1000000] [--repeats 5]

Each side runs in a process of its own, alternating. Targets: at most 2 times the time of
`pandas.read_csv(engine="pyarrow")` (`pandas.read_parquet` for parquet), and a peak of at most 2.5
times the memory of the loaded frame. Arrow's CSV reader alone takes more than that, so its peak
stands beside ours.
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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from student_perf.config.schema import ExperimentConfig

from student_perf.config.schema import ExperimentConfig

OVERRIDES = ["dataset=csv", "dataset.target=score", "dataset.task=regression", "model=dummy"]


def make_file(path: Path, rows: int) -> None:
    """The table of `dataset=synthetic` as a file of the kind its ending says."""
    config = composed("dataset=synthetic", f"dataset.rows={rows}")
    from student_perf.data.sources import read_source

    table = read_source(config.dataset).table
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)


def composed(*overrides: str) -> ExperimentConfig:
    """The valid config of these overrides."""
    from hydra import compose, initialize_config_dir

    from student_perf.config.load import register_resolvers, validate
    from student_perf.paths import CONF_DIR

    register_resolvers()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return validate(compose("config", ["tracking=off", *overrides]))


def bare(path: Path) -> int:
    """Read the file; returns the frame's bytes."""
    csv = path.suffix == ".csv"
    table = pd.read_csv(path, engine="pyarrow") if csv else pd.read_parquet(path)
    return int(table.memory_usage(deep=True).sum())


def ours(config: ExperimentConfig) -> int:
    """Everything that happens between a composed config and the first fit; returns the frame's
    bytes.
    """
    from student_perf.experiment.prepare import prepare

    return int(prepare(config).dataset.features.memory_usage(deep=True).sum())


def child(side: str, path: Path) -> None:
    """Time one side after its imports, in this process; print seconds and megabytes."""
    # Imports and first calls of the libraries are no part of what is compared.
    small = path.with_stem("small")
    run: Callable[[Any], int] = bare if side == "bare" else ours
    tables: list[Any] = [small, path]
    if side == "ours":
        tables = [composed(*OVERRIDES, f"dataset.path={one}") for one in tables]
    run(tables[0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    frame = run(tables[1])
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
        f"{'':<9}{'bare s':>8}{'ours s':>8}{'ratio':>7}"
        f"{'frame MB':>10}{'bare peak':>11}{'our peak':>11}"
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
    """One line: times and their ratio; peaks of both sides against the frame as the bare read
    holds it.
    """

    def median(side: str, key: str) -> float:
        return statistics.median(run[key] for run in runs[side])

    bare, ours, frame = (
        median("bare", "seconds"),
        median("ours", "seconds"),
        median("bare", "frame_mb"),
    )
    peaks = [median(side, "peak_mb") / frame for side in ("bare", "ours")]
    print(
        f"{kind:<9}{bare:>8.2f}{ours:>8.2f}{ours / bare:>7.2f}"
        f"{frame:>10.0f}{peaks[0]:>11.2f}{peaks[1]:>11.2f}"
    )


if __name__ == "__main__":
    main()
