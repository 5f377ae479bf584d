"""Reproduce many runs of different models, datasets and splits, and count the verdicts.

python studies/reproduce.py           # every model and a choice of datasets and splits: 31 runs
python studies/reproduce.py --last 5  # only the last five of them

The runs are made by one process and reproduced by another, in a fresh workspace.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hydra import compose, initialize_config_dir

from student_perf.config.load import register_resolvers, validate
from student_perf.experiment.run import run_experiment
from student_perf.paths import CONF_DIR, WORKSPACE_VARIABLE
from student_perf.reproduction.reproduce import reproduce
from student_perf.store.find import open_run
from student_perf.terminal import Terminal

FEW_TREES = ["model.n_estimators=20"]
RUNS: list[list[str]] = [
    ["model=calibrated", "split=holdout"],
    ["model=catboost", "model.iterations=30"],
    ["model=dummy"],
    ["model=elastic_net"],
    ["model=extra_trees", *FEW_TREES],
    ["model=gp", "split=holdout"],
    ["model=hist_gb"],
    ["model=knn"],
    ["model=lightgbm", *FEW_TREES],
    ["model=logreg"],
    ["model=mlp"],
    ["model=naive_bayes"],
    ["model=ordinal"],
    ["model=ordinal_logit"],
    ["model=rf", *FEW_TREES],
    ["model=ridge"],
    ["model=stacking", "split=holdout"],
    ["model=svm", "split.n_splits=3"],
    ["model=tree"],
    ["model=voting", "split.n_splits=3"],
    ["model=xgb"],
    ["model=xgb", "dataset=econmath_score", *FEW_TREES],
    ["model=ridge", "dataset=econmath_score", "split=repeated_kfold", "split.n_repeats=2"],
    ["model=catboost", "dataset=econmath_score", "model.iterations=30", "split=holdout"],
    ["model=elastic_net", "dataset=attend"],
    ["model=rf", "dataset=attend", *FEW_TREES, "split=holdout"],
    ["model=hist_gb", "dataset=gpa2", "split.n_splits=3"],
    ["model=tree", "dataset=gpa2", "split=repeated_kfold", "split.n_repeats=2"],
    ["model=ridge", "dataset=synthetic", "seed=7"],
    ["model=lightgbm", "dataset=synthetic", *FEW_TREES, "split.random_state=3"],
    ["model=knn", "dataset=gpa2", "split.test_size=0.5", "seed=11"],
]
QUICK = ["tracking=off", "report.importance=false"]


def main() -> int:
    """Exit code 0 if every verdict is `identical`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--last", type=int, default=len(RUNS))
    parser.add_argument("--in-folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.in_folder is not None:
        make_runs(RUNS[-chosen.last :], chosen.in_folder)
        return 0
    with tempfile.TemporaryDirectory() as place:
        os.environ[WORKSPACE_VARIABLE] = place
        words = [sys.executable, __file__, "--last", str(chosen.last), "--in-folder", place]
        subprocess.run(words, check=True)
        return count_verdicts(RUNS[-chosen.last :], Path(place))


def make_runs(runs: list[list[str]], place: Path) -> None:
    """Run each below `place`, under its number."""
    register_resolvers()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        for number, overrides in enumerate(runs):
            config = validate(compose("config", [*QUICK, *overrides]))
            run_experiment(config, place / str(number), Terminal(quiet=True))


def count_verdicts(runs: list[list[str]], place: Path) -> int:
    """Reproduce each and print what came of it."""
    n_identical = 0
    for number, overrides in enumerate(runs):
        started = time.perf_counter()
        with open_run(str(place / str(number))) as recorded:
            verdict = reproduce(recorded, place / "again" / str(number)).sentence
        n_identical += verdict == "identical"
        seconds = time.perf_counter() - started
        print(f"{verdict:<40} {seconds:5.1f} s  {' '.join(overrides)}", flush=True)
    print(f"{n_identical} of {len(runs)} identical")
    return 0 if n_identical == len(runs) else 1


if __name__ == "__main__":
    sys.exit(main())
