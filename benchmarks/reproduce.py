"""Reproduce many runs of different models, datasets and splits, and count the verdicts.

python benchmarks/reproduce.py           # every model and a choice of datasets and splits: 31 runs
python benchmarks/reproduce.py --last 5  # only the last five of them

Each run is made by `python -m student_perf.train` and reproduced by another process, as a user
would; the workspace is a fresh folder below the system's temporary one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW_TREES = ["model.n_estimators=20"]
RUNS: list[list[str]] = [
    ["model=calibrated"],
    ["model=catboost", "model.iterations=30"],
    ["model=dummy"],
    ["model=elastic_net"],
    ["model=extra_trees", *FEW_TREES],
    ["model=gp", "split.n_splits=3"],
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
    ["model=stacking", "split.n_splits=3"],
    ["model=svm"],
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
    ["model=logreg", "dataset=synthetic", "seed=7"],
    ["model=lightgbm", "dataset=synthetic", *FEW_TREES, "split.random_state=3"],
    ["model=knn", "dataset=gpa2", "split.test_size=0.5", "seed=11"],
]
QUICK = ["tracking=off", "report.importance=false"]


def main() -> int:
    """Exit code 0 if every verdict is `identical`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--last", type=int, default=len(RUNS))
    chosen = RUNS[-parser.parse_args().last :]
    n_identical = 0
    with tempfile.TemporaryDirectory() as place:
        for number, overrides in enumerate(chosen):
            folder = Path(place) / "outputs" / "runs" / str(number)
            started = time.perf_counter()
            verdict = reproduced(overrides, folder, {**os.environ, "STUDENT_PERF_WORKSPACE": place})
            n_identical += verdict == "identical"
            seconds = time.perf_counter() - started
            print(f"{verdict:<40} {seconds:5.1f} s  {' '.join(overrides)}", flush=True)
    print(f"{n_identical} of {len(chosen)} identical")
    return 0 if n_identical == len(chosen) else 1


def reproduced(overrides: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Train, reproduce; returns the verdict or the first error."""
    train = ["-m", "student_perf.train", *QUICK, *overrides, f"hydra.run.dir={folder}"]
    for words in (train, ["-m", "student_perf", "reproduce", str(folder)]):
        done = subprocess.run(
            [sys.executable, *words], env=environment, capture_output=True, text=True, check=False
        )
        lines = (done.stdout if "Verdict: " in done.stdout else done.stderr).strip().splitlines()
        if done.returncode != 0 and "Verdict: " not in done.stdout:
            return lines[-1] if lines else f"exit code {done.returncode}"
    return lines[-1].removeprefix("Verdict: ")


if __name__ == "__main__":
    sys.exit(main())
