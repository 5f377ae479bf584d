"""Cost of a trial in long sweeps: what surrounds a trivial objective at 100, 1,000, 5,000 trials.

    .venv/bin/python benchmarks/sweep_scale.py [--trials 100 1000 5000] [--samplers random tpe]
        [--profile FILE] [--asking 1000 10000]

Each line is a sweep of its own on econmath, one worker, tracked: a stump in 5 folds, one parameter
drawn. All calls of the sampler are timed; `sampler` and `other` are the medians in milliseconds of
the first and last 100 trials, from the end of one trial to the end of the next, `share` is the
sampler's over all trials; `after s` is what follows the last trial: winner, report, the rest of
publishing. `--asking` runs no sweep: it fills journals with as many finished trials, or queued ones
as a grid leaves them, and shows the processor time of one more `ask` with the random sampler, by
our journal and by Optuna's own. `--profile` writes cProfile's figures of the last sweep's worker.
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import write_after_worker

_SAMPLING = ("infer_relative_search_space", "sample_relative", "sample_independent", "before_trial")
_ENDS = 100


class Stopwatch:
    """Seconds in the sampler so far, noted with the time at the end of each trial."""

    def __init__(self) -> None:
        self.inside = 0.0
        self.trials: list[tuple[float, float]] = []
        self._depth = 0

    def timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, adding its time; calls inside of calls count once."""

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            started = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.inside += time.perf_counter() - started

        return call

    def noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """`after_trial`, which ends a trial."""
        timed = self.timed(method)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = timed(*args, **kwargs)
            if not self._depth:  # TPE ends its random sampler's trial too
                self.trials.append((time.time(), self.inside))
            return result

        return call


def run_timed(file: Path, profile: str, arguments: list[str]) -> None:
    """A sweep of this process; leaves the stopwatch's figures in `file` and, unless it is empty,
    cProfile's in `profile`.
    """
    from optuna.samplers import RandomSampler, TPESampler

    from student_perf import train

    watch = Stopwatch()
    for sampler in (RandomSampler, TPESampler):
        for name in _SAMPLING:
            setattr(sampler, name, watch.timed(getattr(sampler, name)))
        setattr(sampler, "after_trial", watch.noting(sampler.after_trial))  # noqa: B010
    profiler = cProfile.Profile()

    def write() -> None:
        file.write_text(json.dumps(watch.trials))
        if profile:
            profiler.dump_stats(profile)

    write_after_worker(write)
    sys.argv = ["train.py", *arguments]
    if profile:
        profiler.enable()
    train.main()


def sweep(sampler: str, n_trials: int, profile: Path | None) -> list[tuple[float, float, float]]:
    """Time of end, seconds in the sampler, and other seconds of each trial but the first; one more
    entry for the end of the command.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "times.json"
        command = [sys.executable, __file__, "--timed", str(file), str(profile or ""), "-m"]
        options = [
            "model=tree",
            "model.max_depth=1",
            "model.ccp_alpha=interval(0,0.1)",
            f"hydra.sweeper.sampler={sampler}",
            f"hydra.sweeper.n_trials={n_trials}",
        ]
        subprocess.run(
            [*command, *options],
            env=os.environ | {"STUDENT_PERF_WORKSPACE": folder},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        ended = time.time()
        found = json.loads(file.read_text())
    assert len(found) == n_trials
    pairs = itertools.pairwise(found)
    trials = [(t1, s1 - s0, t1 - t0 - (s1 - s0)) for (t0, s0), (t1, s1) in pairs]
    return [*trials, (ended, 0.0, 0.0)]


def show(sampler: str, trials: list[tuple[float, float, float]]) -> None:
    """One line of the table."""
    *trials, (ended, _, _) = trials
    cells = []
    for part in (trials[:_ENDS], trials[-_ENDS:]):
        inside, other = (1000 * statistics.median(t[i] for t in part) for i in (1, 2))
        cells.append(f"{inside:>9.1f}{other:>8.1f}")
    took = sum(inside + other for _, inside, other in trials)
    share = sum(inside for _, inside, _ in trials) / took
    print(
        f"{sampler:<8}{len(trials) + 1:>7}{''.join(cells)}{share:>8.0%}{took:>9.1f}"
        f"{ended - trials[-1][0]:>9.1f}",
        flush=True,
    )


def asking(n_trials: int, is_queued: bool, storage_class: type) -> float:
    """Median milliseconds of processor time for an `ask` after so many trials."""
    import optuna
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState, create_trial

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    scale = optuna.distributions.FloatDistribution(0, 1)
    ended = create_trial(params={"x": 0.5}, distributions={"x": scale}, value=0.5)
    trial = create_trial(state=TrialState.WAITING) if is_queued else ended
    with tempfile.TemporaryDirectory() as folder:
        storage = storage_class(JournalFileBackend(f"{folder}/journal"))
        study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler())
        study.add_trials([trial] * n_trials)
        times = []
        for _ in range(_ENDS):
            started = time.process_time()
            study.ask()
            times.append(time.process_time() - started)
    return 1000 * statistics.median(times)


def show_asking(n_trials: int) -> None:
    """Two lines: after finished trials, and with as many in the queue."""
    from optuna.storages import JournalStorage

    from student_perf.sweep.journal import IndexedJournal

    for is_queued, name in ((False, "finished"), (True, "queued")):
        ours, theirs = (asking(n_trials, is_queued, c) for c in (IndexedJournal, JournalStorage))
        print(f"{n_trials:>7} {name:<9}{ours:>8.2f}{theirs:>8.2f}", flush=True)


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--timed"]:
        run_timed(Path(sys.argv[2]), sys.argv[3], sys.argv[4:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--samplers", nargs="+", default=["random", "tpe"])
    parser.add_argument("--profile", type=Path)
    parser.add_argument("--asking", type=int, nargs="+", help="finished or queued trials")
    chosen = parser.parse_args()
    if chosen.asking:
        print(f"{'trials':>7}{'':<10}{'ours ms':>8}{'Optuna':>8}")
        for n_trials in chosen.asking:
            show_asking(n_trials)
        return
    load = os.getloadavg()[0]
    print(f"{os.cpu_count()} cores, load {load:.1f}; ms a trial{'first 100':>18}{'last 100':>17}")
    print(
        f"{'sampler':<8}{'trials':>7}{'sampler':>9}{'other':>8}{'sampler':>9}{'other':>8}"
        f"{'share':>8}{'trials s':>9}{'after s':>9}"
    )
    for sampler in chosen.samplers:
        for n_trials in chosen.trials:
            show(sampler, sweep(sampler, n_trials, chosen.profile))


if __name__ == "__main__":
    main()
