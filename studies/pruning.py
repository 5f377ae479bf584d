"""What pruners save, and what it costs in the best score: the same sweeps with each of them.

    .venv/bin/python studies/pruning.py [--entrance-exam FILE] [--trials 50] [--seeds 0 1 2]
        [--model xgb] [--sampler random] [--split kfold] [overrides]

FILE is the published table of the entrance examination (CEE_DATA.arff or its CSV form); without it
only econmath is measured. The random sampler draws the same configurations under every pruner, so
that `best` differs only if the best one was pruned; with tpe the draws after a pruned trial
differ too. The space is that of conf/search, one worker, nothing tracked; further overrides are
given to every sweep (`'hydra.sweeper.pruner_options={n_warmup_steps: 2}'`).

`pruned` trials, `folds` computed, `trial s` in trials and `best` complete score are means over the
seeds, `x` their ratio to no pruner; `loss` is how far the best falls behind on average, `worst` on
the least lucky seed (both positive: worse).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PRUNERS = ("none", "median", "percentile", "hyperband", "wilcoxon")
Row = dict[str, float]


def sweep(pruner: str, seed: int, options: list[str]) -> Row:
    """One sweep; its figures come from the records of its trials."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "student_perf.train", "-m", "tracking=off"]
        done = subprocess.run(
            [*command, *options, f"hydra.sweeper.pruner={pruner}", f"hydra.sweeper.seed={seed}"],
            env=os.environ | {"STUDENT_PERF_WORKSPACE": folder},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        files = Path(folder).glob("multirun/*/[0-9]*/record.json")
        records = [json.loads(file.read_text()) for file in files]
    return figures(records)


def figures(records: list[dict[str, Any]]) -> Row:
    """Counts, seconds and the best score over the records of a sweep's trials."""
    metric = records[0]["params"]["objective.metric"]
    sign = 1 if records[0]["params"]["objective.direction"] == "maximize" else -1
    complete = [r for r in records if r["status"] == "FINISHED"]
    return {
        "trials": len(records),
        "pruned": sum(r["status"] == "PRUNED" for r in records),
        "folds": sum(len(r["metrics"][f"fold_{metric}"]) for r in records),
        "seconds": sum(r["ended"] - r["started"] for r in records),
        "best": max(sign * r["metrics"][f"cv_{metric}_mean"] for r in complete),
    }


def show(data: str, runs: dict[str, list[Row]]) -> None:
    """Lines of one dataset. Scores to be minimized are shown with their sign turned."""
    none = runs["none"]
    base = {key: statistics.mean(r[key] for r in none) for key in none[0]}
    for pruner, rows in runs.items():
        row = {key: statistics.mean(r[key] for r in rows) for key in rows[0]}
        losses = [b["best"] - r["best"] for b, r in zip(none, rows, strict=True)]
        print(
            f"{data:<14}{pruner:<11}{row['trials']:>6.0f}{row['pruned']:>8.1f}{row['folds']:>7.0f}"
            f"{row['folds'] / base['folds']:>6.2f}{row['seconds']:>9.1f}"
            f"{row['seconds'] / base['seconds']:>6.2f}{row['best']:>9.4f}"
            f"{statistics.mean(losses):>9.4f}{max(losses):>9.4f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entrance-exam", type=Path, metavar="FILE")
    parser.add_argument("--trials", type=int, default=50)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--model", default="xgb", help="of conf/search")
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--split", default="kfold")
    chosen, more = parser.parse_known_args()
    datasets = {"econmath": ["dataset=econmath"]}
    if chosen.entrance_exam is not None:
        file = chosen.entrance_exam.absolute()
        datasets["entrance_exam"] = ["dataset=entrance_exam", f"dataset.path={file}"]
    else:
        print("entrance_exam skipped: give its file with --entrance-exam")
    print(
        f"search={chosen.model}, split={chosen.split}, sampler {chosen.sampler}, "
        f"means over {len(chosen.seeds)} seeds"
    )
    print(
        f"{'data':<14}{'pruner':<11}{'trials':>6}{'pruned':>8}{'folds':>7}{'x':>6}{'trial s':>9}"
        f"{'x':>6}{'best':>9}{'loss':>9}{'worst':>9}"
    )
    for data, overrides in datasets.items():
        options = [
            *overrides,
            f"search={chosen.model}",
            f"split={chosen.split}",
            f"hydra.sweeper.sampler={chosen.sampler}",
            f"hydra.sweeper.n_trials={chosen.trials}",
            *more,
        ]
        runs: dict[str, list[Row]] = {pruner: [] for pruner in PRUNERS}
        for seed in chosen.seeds:
            for pruner in PRUNERS:
                runs[pruner].append(sweep(pruner, seed, options))
        show(data, runs)


if __name__ == "__main__":
    main()
