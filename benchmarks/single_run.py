"""One tracked run beside a hand-written script that does the same work.

    .venv/bin/python benchmarks/single_run.py [--repeats 5] [--bytecode-cache] [--json FILE]

Compares `python -m student_perf.train model=xgb` with `plain_script.py`, each in a fresh
process, in turns. Both inherit the environment as it is. One unmeasured run of each makes its store
in a temporary folder, so that MLflow's migrations are not measured. Exit code 1 if a run fails
or the two disagree on the mean accuracy, which would mean that they do not do the same work.

With PYTHONDONTWRITEBYTECODE set and packages installed without compiled modules, every process
compiles all libraries anew, which takes most of the time. `--bytecode-cache` lets both sides keep
compiled modules in the temporary folder, as an ordinary installation does.
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
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

# Nothing heavy is imported: Linux counts the starting process into a child's peak memory.

PROJECT = Path(__file__).resolve().parents[1]
PLAIN_SCRIPT = Path(__file__).with_name("plain_script.py")
WALL_TARGET = 0.75
MEMORY_TARGET = 1.2
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Sample:
    """Wall time, peak memory and mean accuracy of one process."""

    seconds: float
    megabytes: float
    accuracy: float


def main() -> int:
    """Command line; returns the exit code."""
    options = parse_options()
    samples: dict[str, list[Sample]] = {"ours": [], "plain": []}
    with tempfile.TemporaryDirectory(prefix="single_run_") as temporary:
        root = Path(temporary)
        environment = child_environment(root, options.bytecode_cache)
        sides: dict[str, Callable[[Path, dict[str, str]], Sample]] = {"ours": ours, "plain": plain}
        for name, run in sides.items():
            (root / name).mkdir()
            run(root / name, environment)  # makes the store; not measured
        for _ in range(options.repeats):
            for name, run in sides.items():
                samples[name].append(run(root / name, environment))
    print_table(samples, options.bytecode_cache)
    if options.json is not None:
        write_json(options.json, samples, options.bytecode_cache)
    return 0 if spread_of_accuracy(samples) <= TOLERANCE else 1


def parse_options() -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="measured runs of each (default 5)")
    parser.add_argument(
        "--bytecode-cache", action="store_true", help="let both sides keep compiled modules"
    )
    parser.add_argument("--json", type=Path, help="also write every measurement to this file")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats must be 1 or more")
    return options


def child_environment(root: Path, bytecode_cache: bool) -> dict[str, str]:
    """The inherited environment, without what would send a run to another store."""
    environment = dict(os.environ)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        environment.pop(name, None)
    if bytecode_cache:
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        environment["PYTHONPYCACHEPREFIX"] = str(root / "bytecode")
    return environment


def ours(folder: Path, environment: dict[str, str]) -> Sample:
    """`python -m student_perf.train model=xgb` with its workspace in `folder`."""
    before = set(folder.glob("outputs/*/*/metrics.json"))
    seconds, megabytes, _ = measure(
        ["-m", "student_perf.train", "model=xgb"],
        environment | {"STUDENT_PERF_WORKSPACE": str(folder)},
    )
    (written,) = set(folder.glob("outputs/*/*/metrics.json")) - before
    content = json.loads(written.read_text(encoding="utf-8"))
    return Sample(seconds, megabytes, content["metrics"]["accuracy"]["mean"])


def plain(folder: Path, environment: dict[str, str]) -> Sample:
    """`plain_script.py` with its workspace in `folder`."""
    seconds, megabytes, output = measure([str(PLAIN_SCRIPT), str(folder)], environment)
    return Sample(seconds, megabytes, float(output.split()[-1]))


def measure(arguments: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Wall seconds, peak megabytes and standard output of one Python process."""
    with tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert child.stdout is not None
        output = child.stdout.read()
        # wait4 gives this child's own peak; RUSAGE_CHILDREN would give the highest of all so far.
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.stdout.close()
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            errors.seek(0)
            raise SystemExit(f"{' '.join(arguments)} failed:\n{output}{errors.read()}")
    per_megabyte = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return seconds, usage.ru_maxrss / per_megabyte, output


def spread_of_accuracy(samples: dict[str, list[Sample]]) -> float:
    """Largest difference of mean accuracy between any two runs of either side."""
    values = [sample.accuracy for runs in samples.values() for sample in runs]
    return max(values) - min(values)


def print_table(samples: dict[str, list[Sample]], bytecode_cache: bool) -> None:
    """Medians with their ranges, ratios and targets, within 80 columns."""
    print("One tracked run: python -m student_perf.train model=xgb / plain script")
    print(f"medians (lowest-highest) of {len(samples['ours'])} runs each, in turns")
    print(f"{machine_facts()}, {bytecode_words(bytecode_cache)}\n")
    print(f"{'':<15}{'ours':>20}{'plain':>20}{'ratio':>7}{'target':>8}")
    print(table_row("wall time, s", samples, "seconds", ".2f", WALL_TARGET))
    print(table_row("peak memory, MB", samples, "megabytes", ".0f", MEMORY_TARGET))
    spread = spread_of_accuracy(samples)
    verdict = "equal" if spread <= TOLERANCE else "NOT EQUAL: the work differs"
    mine, other = samples["ours"][0].accuracy, samples["plain"][0].accuracy
    print(f"{'mean accuracy':<15}{mine:>20.10f}{other:>20.10f}   {verdict}")


def table_row(
    label: str, samples: dict[str, list[Sample]], field: str, form: str, target: float
) -> str:
    """One measure of both sides."""
    cells, medians = [], []
    for name in ("ours", "plain"):
        values = [getattr(sample, field) for sample in samples[name]]
        medians.append(statistics.median(values))
        cells.append(f"{medians[-1]:{form}} ({min(values):{form}}-{max(values):{form}})")
    ratio = medians[0] / medians[1]
    verdict = "met" if ratio <= target else "MISSED"
    wanted = f"<= {target}"
    return f"{label:<15}{cells[0]:>20}{cells[1]:>20}{ratio:>7.2f}{wanted:>8} {verdict}"


def machine_facts() -> str:
    """Python, system and cores."""
    system = f"{platform.system()} {platform.machine()}"
    return f"Python {platform.python_version()}, {system}, {os.cpu_count()} cores"


def bytecode_words(bytecode_cache: bool) -> str:
    """How compiled modules were treated."""
    return "bytecode cached by both" if bytecode_cache else "environment as inherited"


def write_json(path: Path, samples: dict[str, list[Sample]], bytecode_cache: bool) -> None:
    """Every measurement, with what is needed to read it later."""
    content = {
        "machine": machine_facts(),
        "bytecode": bytecode_words(bytecode_cache),
        "targets": {"seconds": WALL_TARGET, "megabytes": MEMORY_TARGET},
        "samples": {name: [asdict(sample) for sample in runs] for name, runs in samples.items()},
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
