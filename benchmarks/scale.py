"""Long sweeps and many users: what a trial costs as a study grows, and one server under many runs.

    .venv/bin/python benchmarks/scale.py [--trials 1000] [--storages journal postgres]
        [--users 40] [--at-once 8]

A sweep of a stump on econmath in two folds, one parameter drawn at random, two workers, tracked in
MLflow's file. Of the first and last hundred trials, and those around 1,000: median milliseconds of
a worker for `ask` (the study gives a trial), `draw` (its values are drawn and claimed), `compose`,
`fit` (cross-validation), `write` (its record and predictions) and `tell`. `send` is processor time
of the process that sends to MLflow, a trial. Then disk and files a trial, and seconds from the last
trial to the end (`close`), of the same command again (`again`), and of `compare`. PostgreSQL is a
throw-away server of this machine.

`--users` runs of a dummy, `--at-once` of them at a time, go to one `mlflow server` on loopback: how
many arrived, and the seconds that sending one took, median and 95th percentile.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tests.servers import mlflow_server, postgres_server

_PARTS = {  # of a worker's trial, by functions of `sweep.worker`
    "next_trial": "ask",
    "settle_values": "draw",
    "start_trial": "write",
    "finish_trial": "write",
    "tell_complete": "tell",
}
_COLUMNS = ("ask", "draw", "compose", "fit", "write", "tell")
_EACH = 100
_STUDY = "scale"


def run_timed(folder: Path, arguments: list[str]) -> None:
    """A sweep of this process, whose workers leave a line for each trial in the folder."""
    from student_perf import train
    from student_perf.store import publisher
    from student_perf.sweep import evaluate, plan, publishing, worker

    took: dict[str, float] = {}

    def timed(function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                took[part] = took.get(part, 0.0) + time.perf_counter() - started

        return call

    for name, part in _PARTS.items():
        setattr(worker, name, timed(getattr(worker, name), part))
    for owner, name, part in (
        (plan.SweepPlan, "configs", "compose"),
        (evaluate.TrialEvaluator, "evaluate", "fit"),
    ):
        setattr(owner, name, timed(getattr(owner, name), part))
    end, follow = worker.Slot.end, publisher.follow_sweep

    def note(slot: worker.Slot, has_ended: bool = True) -> None:
        line = {"number": slot.trial, "ended": time.time(), **took}
        took.clear()
        with (folder / f"trials-{os.getpid()}").open("a") as file:
            file.write(json.dumps(line) + "\n")
        end(slot, has_ended)

    def followed(*args: Any) -> None:
        before = time.process_time()
        follow(*args)
        (folder / "sent").write_text(str(time.process_time() - before))

    setattr(worker.Slot, "end", note)  # noqa: B010
    setattr(publishing, "follow_sweep", followed)  # noqa: B010
    sys.argv = ["train.py", *arguments]
    sys.exit(train.main())


def run_user(file: Path, arguments: list[str]) -> None:
    """A run of this process, which leaves the seconds of its sending in a file."""
    from student_perf import train
    from student_perf.store import publisher

    publish = publisher.publish

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        result = publish(*args, **kwargs)
        file.write_text(str(time.perf_counter() - started))
        return result

    setattr(publisher, "publish", timed)  # noqa: B010
    sys.argv = ["train.py", *arguments]
    sys.exit(train.main())


def _command(*words: str) -> list[str]:
    return [sys.executable, __file__, *words]


def _seconds(command: list[str], workspace: Path) -> float:
    environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(workspace)}
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


@contextlib.contextmanager
def _storage(kind: str) -> Iterator[list[str]]:
    """The words for a kind of storage."""
    if kind == "journal":
        yield []
        return
    with postgres_server() as server:
        yield [f"hydra.sweeper.storage={server.add_database('studies')}"]


def sweep(kind: str, n_trials: int) -> None:
    """Run one long sweep and print its figures."""
    words = [
        "-m",
        "model=tree",
        "model.max_depth=1",
        "model.ccp_alpha=interval(0,0.1)",
        "split.n_splits=2",
        "report.importance=false",
        "hydra.sweeper.sampler=random",
        "hydra.sweeper.n_jobs=2",
        f"hydra.sweeper.n_trials={n_trials}",
        f"hydra.sweeper.study_name={_STUDY}",
    ]
    with tempfile.TemporaryDirectory() as place, _storage(kind) as storage:
        folder, workspace = Path(place), Path(place) / "workspace"
        workspace.mkdir()
        _seconds(_command("--timed", place, *words, *storage), workspace)
        ended = time.time()
        files = list(folder.glob("trials-*"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        trials = sorted(lines, key=lambda line: float(line["ended"]))
        assert len(trials) == n_trials
        _print_parts(kind, trials, float((folder / "sent").read_text()))
        _print_disk(workspace / "multirun" / _STUDY, n_trials)
        train = [sys.executable, "-m", "student_perf.train", *words, *storage]
        compare = [sys.executable, "-m", "student_perf", "compare", _STUDY]
        closing = ended - trials[-1]["ended"]
        again, comparing = _seconds(train, workspace), _seconds(compare, workspace)
        line = f"close {closing:.1f} s, again {again:.1f} s, compare {comparing:.1f} s"
        print(f"  {line}", flush=True)


def _print_parts(kind: str, trials: list[dict[str, float]], sent: float) -> None:
    print(f"{kind}: {len(trials):,} trials, milliseconds of a worker a trial")
    print(f"  {'trial':>8}" + "".join(f"{name:>9}" for name in _COLUMNS) + f"{'send':>9}")
    for last in sorted({_EACH, 1_000, 10_000, len(trials)}):
        if last > len(trials):
            continue
        part = trials[max(0, last - _EACH) : last]
        cells = [1000 * statistics.median(t.get(name, 0.0) for t in part) for name in _COLUMNS]
        shown = "".join(f"{cell:>9.1f}" for cell in cells)
        print(f"  {last:>8,}{shown}{1000 * sent / len(trials):>9.1f}")
    took = trials[-1]["ended"] - trials[0]["ended"]
    print(f"  {1000 * took / len(trials):.0f} ms a trial from the first end to the last")


def _print_disk(folder: Path, n_trials: int) -> None:
    files = [path for path in folder.glob("[0-9]*/**/*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    journal = folder / "study.journal"
    held = journal.stat().st_size / n_trials / 1000 if journal.is_file() else 0
    print(
        f"  {len(files) / n_trials:.1f} files and {size / n_trials / 1000:.1f} kB a trial, "
        f"and {held:.1f} kB in the journal"
    )


def users(n_users: int, at_once: int) -> None:
    """Send the runs of many users to one server, and print what arrived and how long it took."""
    from mlflow import MlflowClient

    words = ["model=dummy", "split.n_splits=2", "report.importance=false"]
    with tempfile.TemporaryDirectory() as place, mlflow_server(Path(place)) as address:

        def run(number: int) -> float:
            workspace = Path(place) / f"user{number}"
            workspace.mkdir()
            file = workspace / "seconds"
            to_server = [f"tracking.uri={address}", f"seed={number}"]
            _seconds(_command("--user", str(file), *words, *to_server), workspace)
            return float(file.read_text())

        with ThreadPoolExecutor(at_once) as pool:
            seconds = list(pool.map(run, range(n_users)))
        client = MlflowClient(tracking_uri=address)
        experiment = client.get_experiment_by_name("student_perf")
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id], max_results=10_000)
        there = sum(run.info.status == "FINISHED" for run in runs)
    low, high = np.quantile(seconds, [0.5, 0.95])
    print(
        f"{n_users} users, {at_once} at once: {there} runs arrived; sending one took {low:.2f} s "
        f"(median), {high:.2f} s (95th percentile)"
    )


def main() -> None:
    """Command line."""
    if sys.argv[1:2] == ["--timed"]:
        run_timed(Path(sys.argv[2]), sys.argv[3:])
    if sys.argv[1:2] == ["--user"]:
        run_user(Path(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--storages", nargs="*", default=["journal", "postgres"])
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--at-once", type=int, default=8)
    chosen = parser.parse_args()
    for kind in chosen.storages:
        sweep(kind, chosen.trials)
    if chosen.users:
        users(chosen.users, chosen.at_once)


if __name__ == "__main__":
    main()
