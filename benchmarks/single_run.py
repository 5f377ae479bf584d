"""One tracked run of ours beside a plain script that does the same work by hand.

    .venv/bin/python benchmarks/single_run.py [--repeats 5]

Each side runs in a process of its own, alternating, with a store that one unmeasured run has made.
Targets: wall time at most 1.3 times, peak memory at most 1.2 times the plain script's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGETS = {"wall time (s)": 1.3, "peak memory (MB)": 1.2}


@dataclass(frozen=True)
class Sample:
    """Seconds, megabytes and mean accuracy of one process."""

    seconds: float
    megabytes: float
    accuracy: float


def measure(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Wall seconds, peak megabytes and output of one child process."""
    environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(folder)}
    started = time.perf_counter()
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert child.stdout is not None
    output = child.stdout.read()
    # wait4 gives this child's own peak; RUSAGE_CHILDREN would give the highest of all so far.
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{output}")
    per_megabyte = 2**20 if sys.platform == "darwin" else 2**10
    return seconds, usage.ru_maxrss / per_megabyte, output


def ours(folder: Path) -> Sample:
    """`python -m student_perf.train model=xgb`."""
    seconds, megabytes, _ = measure(
        [sys.executable, "-m", "student_perf.train", "model=xgb", "tracking=sqlite"], folder
    )
    newest = max(folder.glob("outputs/*/*/metrics.json"), key=lambda path: path.stat().st_mtime)
    accuracy = json.loads(newest.read_text())["metrics"]["accuracy"]["mean"]
    return Sample(seconds, megabytes, accuracy)


def plain(folder: Path) -> Sample:
    """`plain_script.py`."""
    command = [sys.executable, str(HERE / "plain_script.py"), str(folder)]
    seconds, megabytes, output = measure(command, folder)
    return Sample(seconds, megabytes, float(output.split()[-1]))


def main() -> None:
    """Print the table; exit code 1 where the two sides did not compute the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    sides = {"ours": ours, "plain": plain}
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    with tempfile.TemporaryDirectory() as folder:
        folders = {name: Path(folder) / name for name in sides}
        for name, side in sides.items():
            folders[name].mkdir()
            side(folders[name])
        for _ in range(repeats):
            for name, side in sides.items():
                samples[name].append(side(folders[name]))
    accuracies = {round(s.accuracy, 9) for values in samples.values() for s in values}
    if len(accuracies) != 1:
        raise SystemExit(f"the sides disagree on the accuracy: {sorted(accuracies)}")
    show(samples, repeats)


def show(samples: dict[str, list[Sample]], repeats: int) -> None:
    """Medians, ranges and ratios."""
    print(f"medians of {repeats}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{'':<18}{'ours':>10}{'plain':>10}{'ratio':>8}{'target':>8}   range of ours, plain")
    for label, field in zip(TARGETS, ("seconds", "megabytes"), strict=True):
        values = {name: [getattr(s, field) for s in runs] for name, runs in samples.items()}
        mine, other = (statistics.median(values[name]) for name in ("ours", "plain"))
        ranges = ", ".join(f"{min(v):.4g}-{max(v):.4g}" for v in values.values())
        print(
            f"{label:<18}{mine:>10.2f}{other:>10.2f}{mine / other:>8.2f}"
            f"{TARGETS[label]:>8.1f}   {ranges}"
        )


if __name__ == "__main__":
    main()
