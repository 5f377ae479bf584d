"""100 trials of 5-fold cross-validation on econmath: a bare Optuna loop beside our tracked sweep.

    .venv/bin/python benchmarks/sweep.py [--trials 100] [--repeats 3]

(a) is what people write without a framework: Optuna in one process, `cross_validate` with the same
metrics as scorers, nothing tracked. (b) is `-m` with one and two workers, every trial on disk and
in MLflow on sqlite. Each side runs in a process of its own, alternating. `ms a trial` is the time
from the first trial's start to the last one's end over the number of trials; `whole s` includes
imports, plan, the winner with its test rows, and the end of publishing; `CPU s` is that of the
trials for (a), of all processes from start to end for (b).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from evaluate import CLASS_SCORERS

SPACES = {
    "xgb": {
        "model.n_estimators": "range(40,81)",
        "model.max_depth": "range(2,5)",
        "model.learning_rate": "tag(log,interval(0.02,0.3))",
        "model.subsample": "interval(0.6,1.0)",
    },
    "logreg": {"model.C": "tag(log,interval(0.001,100))"},
}


def bare(model: str, n_trials: int) -> None:
    """The usual loop; prints the seconds of its trials."""
    import optuna
    from evaluate import prepared
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from sklearn.base import clone
    from sklearn.model_selection import cross_validate

    from student_perf.sweep.space import parse_parameter

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    case = prepared(model, [])
    parser = OverridesParser.create()
    space = [parse_parameter(parser.parse_override(f"{k}={v}")) for k, v in SPACES[model].items()]
    folds = [(fold.train, fold.validation) for fold in case.split.folds]

    def objective(trial: optuna.Trial) -> float:
        values = {p.key.removeprefix("model."): p.suggest(trial) for p in space}
        pipeline = clone(case.pipeline).set_params(**{f"model__{k}": v for k, v in values.items()})
        features, target = case.dataset.features, case.dataset.target
        scored = cross_validate(pipeline, features, target, cv=folds, scoring=CLASS_SCORERS)
        return float(scored["test_accuracy"].mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=0))
    started, cpu = time.perf_counter(), time.process_time()
    study.optimize(objective, n_trials=n_trials)
    wall = time.perf_counter() - started
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu}))


def ours(model: str, n_trials: int, n_jobs: int) -> dict[str, float]:
    """One tracked sweep; seconds of its trials from their records."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STUDENT_PERF_WORKSPACE": folder}
        space = [f"{key}={value}" for key, value in SPACES[model].items()]
        options = [f"hydra.sweeper.n_trials={n_trials}", f"hydra.sweeper.n_jobs={n_jobs}"]
        command = [sys.executable, "-m", "student_perf.train", "-m", f"model={model}"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        started = time.perf_counter()
        subprocess.run(
            [*command, *space, *options], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        whole = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        files = Path(folder).glob("multirun/*/[0-9]*/record.json")
        records = [json.loads(file.read_text()) for file in files]
    assert len(records) == n_trials
    wall = max(r["ended"] for r in records) - min(r["started"] for r in records)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": wall, "cpu": cpu, "whole": whole}


def run_bare(model: str, n_trials: int) -> dict[str, float]:
    """One bare loop in a fresh process."""
    command = [sys.executable, __file__, "--bare", model, "--trials", str(n_trials)]
    started = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result | {"whole": time.perf_counter() - started}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bare")
    chosen = parser.parse_args()
    if chosen.bare:
        bare(chosen.bare, chosen.trials)
        return
    n = chosen.trials
    print(f"{n} trials, medians of {chosen.repeats}, {os.cpu_count()} cores")
    print(f"{'':<26}{'ms a trial':>11}{'ratio':>7}{'whole s':>9}{'ratio':>7}{'CPU s':>8}")
    for model in SPACES:
        sides = {
            "(a) bare, untracked": lambda m=model: run_bare(m, n),
            "(b) ours, 1 worker": lambda m=model: ours(m, n, 1),
            "(b) ours, 2 workers": lambda m=model: ours(m, n, 2),
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in sides}
        for _ in range(chosen.repeats):
            for name, run in sides.items():
                runs[name].append(run())
        show(model, runs, n)


def show(model: str, runs: dict[str, list[dict[str, float]]], n_trials: int) -> None:
    """Lines of one model, with ratios to the bare loop."""
    medians = {
        name: {key: statistics.median(r[key] for r in rs) for key in rs[0]}
        for name, rs in runs.items()
    }
    base = next(iter(medians.values()))
    for name, row in medians.items():
        print(
            f"{model + ' ' + name:<26}{1000 * row['wall'] / n_trials:>11.0f}"
            f"{row['wall'] / base['wall']:>7.2f}{row['whole']:>9.1f}"
            f"{row['whole'] / base['whole']:>7.2f}{row['cpu']:>8.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
