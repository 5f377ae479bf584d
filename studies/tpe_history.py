"""TPE with all trials for its history beside TPE with a bounded one: quality and time.

    .venv/bin/python studies/tpe_history.py [--trials 1000] [--history 500] [--seeds 5]

Optuna's in-memory studies on three functions of known minimum, the same seeds for both. `gap` is
the best value's distance from the minimum (median over seeds); `ms` the sampler's time for each of
the last hundred trials; `late` the median gap of the last quarter of trials, which says whether the
sampler still looks at the right place.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import optuna
from optuna.samplers import TPESampler

from student_perf.sweep.bounded_tpe import BoundedTPESampler


def sphere(trial: optuna.Trial) -> float:
    """Five numbers, one hollow."""
    return sum(trial.suggest_float(f"x{i}", -5, 5) ** 2 for i in range(5))


def rastrigin(trial: optuna.Trial) -> float:
    """Four numbers, many hollows."""
    values = np.array([trial.suggest_float(f"x{i}", -5.12, 5.12) for i in range(4)])
    return float(10 * len(values) + (values**2 - 10 * np.cos(2 * np.pi * values)).sum())


def mixed(trial: optuna.Trial) -> float:
    """A scale, a whole number and a choice, as a model's parameters are."""
    rate = trial.suggest_float("rate", 1e-4, 1, log=True)
    depth = trial.suggest_int("depth", 1, 12)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    far = {"a": 0.3, "b": 0.0, "c": 0.5}[kind]
    return float((np.log10(rate) + 2) ** 2 + 0.1 * abs(depth - 5) + far)


def measure(
    make: Callable[[int], TPESampler], function: Callable[[optuna.Trial], float], n: int, seed: int
) -> tuple[float, float, float]:
    """Best gap, median gap of the last quarter, milliseconds of a late trial."""
    study = optuna.create_study(sampler=make(seed))
    times = []
    for _ in range(n):
        started = time.perf_counter()
        trial = study.ask()
        value = function(trial)
        times.append(time.perf_counter() - started)
        study.tell(trial, value)
    late = [t.value for t in study.trials[-n // 4 :] if t.value is not None]
    return study.best_value, statistics.median(late), 1000 * statistics.median(times[-100:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--history", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers = {
        "all trials": lambda seed: TPESampler(seed=seed),
        f"history {chosen.history}": lambda seed: BoundedTPESampler(chosen.history, seed=seed),
    }
    print(f"{chosen.trials} trials, medians of {chosen.seeds} seeds")
    print(f"{'function':<12}{'sampler':<14}{'gap':>10}{'late':>10}{'ms':>8}")
    for function in (sphere, rastrigin, mixed):
        for name, make in samplers.items():
            found = [measure(make, function, chosen.trials, s) for s in range(chosen.seeds)]
            gap, late, ms = (statistics.median(column) for column in zip(*found, strict=True))
            cells = f"{gap:>10.4f}{late:>10.4f}{ms:>8.1f}"
            print(f"{function.__name__:<12}{name:<14}{cells}", flush=True)


if __name__ == "__main__":
    main()
