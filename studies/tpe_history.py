"""TPE with all trials for its history beside TPE with a bounded one: quality and time.

    .venv/bin/python studies/tpe_history.py [--trials 1000] [--history 500] [--seeds 5]
        [--functions sphere rastrigin mixed]

Optuna's in-memory studies on three functions of known minimum, the same seeds for both. `gap` is
the best value's distance from the minimum (median over seeds); `ms` the processor time of each of
the last hundred trials; `late` the median gap of the last quarter of trials, which says whether the
sampler still looks at the right place. Where `rustuna` is installed, its TPE comes third.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import optuna
from optuna.samplers import BaseSampler, TPESampler

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
    make: Callable[[int], BaseSampler], function: Callable[[optuna.Trial], float], n: int, seed: int
) -> tuple[float, float, float]:
    """Best gap, median gap of the last quarter, milliseconds of a late trial."""
    study = optuna.create_study(sampler=make(seed))
    times = []
    for _ in range(n):
        started = time.process_time()
        trial = study.ask()
        value = function(trial)
        times.append(time.process_time() - started)
        study.tell(trial, value)
    late = [t.value for t in study.trials[-n // 4 :] if t.value is not None]
    return study.best_value, statistics.median(late), 1000 * statistics.median(times[-100:])


def rusts(seed: int) -> BaseSampler:
    """The TPE of Optuna's project in Rust, as a sampler of Optuna's."""
    sampler = import_module("rustuna.samplers").TPESampler(seed=seed)
    adapted: BaseSampler = import_module("rustuna.converter").ToOptunaSampler(sampler)
    return adapted


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--history", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=5)
    functions = {function.__name__: function for function in (sphere, rastrigin, mixed)}
    parser.add_argument("--functions", nargs="+", choices=functions, default=list(functions))
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers: dict[str, Callable[[int], BaseSampler]] = {
        "all trials": lambda seed: TPESampler(seed=seed),
        f"history {chosen.history}": lambda seed: BoundedTPESampler(chosen.history, seed=seed),
    }
    if find_spec("rustuna") is not None:
        samplers["rustuna"] = rusts
    print(f"{chosen.trials} trials, medians of {chosen.seeds} seeds")
    print(f"{'function':<12}{'sampler':<14}{'gap':>10}{'late':>10}{'ms':>8}")
    for word in chosen.functions:
        for name, make in samplers.items():
            found = [measure(make, functions[word], chosen.trials, s) for s in range(chosen.seeds)]
            gap, late, ms = (statistics.median(column) for column in zip(*found, strict=True))
            cells = f"{gap:>10.4f}{late:>10.4f}{ms:>8.1f}"
            print(f"{word:<12}{name:<14}{cells}", flush=True)


if __name__ == "__main__":
    main()
