"""What `hydra.sweeper.pruner=halving` saves and misses on large tables: writes a table into
docs/sweeps.md.

    python -m studies.halving [--rows 40000] [--trials 30] [--seeds 0] [--model xgb] [--rungs 2]
        [--tables friedman classes rare] [--add]

Three made tables. On each the same search with and without halving; the random sampler draws the
same configurations for both, one worker, three folds, nothing tracked, a winner without permutation
importances. The score of a trial that halving lets through is compared with that of the full
search: one that differs in any digit ends the study. With --add the lines of earlier runs stay.

`rows` are the training rows of all fits, beside those of the full search; `CPU s` are processor
seconds of the whole command with its winner. `rank` is the place that the choice of halving has in
the full search, and `loss` how much worse it is there, on all rows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification, make_friedman1

from student_perf.atomic import write_atomic
from student_perf.paths import PROJECT_DIR
from student_perf.text import format_number, plural

BEGIN, END = "<!-- halving: python -m studies.halving -->", "<!-- /halving -->"
Record = dict[str, Any]


def friedman(n_rows: int) -> pd.DataFrame:
    """Numbers: Friedman's first function, whose level two columns of categories move, and noise."""
    rng = np.random.default_rng(0)
    features, target = make_friedman1(n_rows, n_features=10, noise=2.0, random_state=0)
    table = _named(features)
    for name, n_categories in (("kind", 4), ("place", 30)):
        code = rng.integers(n_categories, size=n_rows)
        table[name] = [f"{name}{one}" for one in code]
        target = target + rng.normal(0, 1.5, n_categories)[code]
    return table.assign(target=target)


def classes(n_rows: int) -> pd.DataFrame:
    """Three classes in clusters, a tenth of them wrong; one column is cut into categories."""
    return _classes(n_rows, n_classes=3, n_clusters_per_class=3, flip_y=0.1, random_state=1)


def rare(n_rows: int) -> pd.DataFrame:
    """Two classes, one of them with every twentieth row."""
    return _classes(n_rows, weights=[0.95], n_clusters_per_class=4, flip_y=0.02, random_state=2)


TABLES: dict[str, tuple[Callable[[int], pd.DataFrame], str]] = {
    "friedman": (friedman, "rmse"),
    "classes": (classes, "log_loss"),
    "rare": (rare, "average_precision"),
}


def _classes(n_rows: int, **options: Any) -> pd.DataFrame:
    features, target = make_classification(n_rows, n_features=12, n_informative=8, **options)
    table = _named(features)
    table["x0"] = [f"k{one}" for one in pd.qcut(table["x0"], 12, labels=False)]
    return table.assign(target=[f"c{one}" for one in target])


def _named(features: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(features, columns=[f"x{i}" for i in range(features.shape[1])])


def sweep(file: Path, seed: int, options: Sequence[str]) -> tuple[dict[int, Record], float]:
    """The records of a sweep's trials by number, and the processor seconds of its command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "student_perf.train", "-m", "dataset=csv"]
        command += [f"dataset.path={file}", "dataset.target=target", "tracking=off"]
        command += ["report.importance=false", "split.n_splits=3", "hydra.sweeper.sampler=random"]
        done = subprocess.run(
            [*command, *options, f"hydra.sweeper.seed={seed}"],
            env=os.environ | {"STUDENT_PERF_WORKSPACE": folder},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stdout + done.stderr)
        files = Path(folder).glob("multirun/*/[0-9]*/record.json")
        records = {int(one.parent.name): json.loads(one.read_text()) for one in files}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return records, seconds


def scores_of(records: dict[int, Record]) -> dict[int, float]:
    """The mean over the folds of every trial that ran on all rows, more is better."""
    params = records[0]["params"]
    sign = 1 if params["objective.direction"] == "maximize" else -1
    name = f"cv_{params['objective.metric']}_mean"
    return {n: sign * r["metrics"][name] for n, r in records.items() if r["status"] == "FINISHED"}


def row_of(what: str, full: Any, halved: Any) -> str:
    """A line of the table; `what` fills its first columns."""
    (all_records, all_seconds), (records, seconds) = full, halved
    known, found = scores_of(all_records), scores_of(records)
    assert len(known) == len(all_records) == len(records)
    for number, score in found.items():
        swept = [
            {k: v for k, v in one[number]["params"].items() if k.startswith("swept.")}
            for one in (all_records, records)
        ]
        assert swept[0] == swept[1], f"trial {number} is another configuration"
        assert score == known[number], f"trial {number} has another figure"
    best, chosen = max(known, key=known.__getitem__), max(found, key=found.__getitem__)
    shares = [r["optuna"]["user_attrs"]["rungs"]["share"] for r in records.values()]
    work = (sum(shares) + len(found)) / len(records)
    rank = 1 + sum(score > known[chosen] for score in known.values())
    loss = known[best] - known[chosen]
    return (
        f"| {what} | {len(found)} of {len(records)} | {work:.2f} | "
        f"{all_seconds:.0f} | {seconds:.0f} | {format_number(abs(known[best]))} | "
        f"{format_number(abs(known[chosen]))} | {rank} | "
        f"{format_number(loss) if loss else 'none'} |"
    )


def block(lines: Sequence[str]) -> str:
    """What stands between the marks."""
    return "\n".join(
        [
            BEGIN,
            "| search | table | on all rows | rows | CPU s, full | halving | best, full | "
            "halving | rank | loss |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *lines,
            END,
        ]
    )


def main() -> None:
    """Measure all tables and write them into docs/sweeps.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--model", default="xgb", help="of conf/search")
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--rungs", type=int, default=2, help="samples before all rows")
    parser.add_argument("--add", action="store_true", help="keep the lines of earlier runs")
    chosen = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.tables:
            make, metric = TABLES[name]
            file = Path(folder) / f"{name}.csv"
            make(chosen.rows).to_csv(file, index=False)
            options = [f"search={chosen.model}", f"objective={metric}"]
            options += [f"hydra.sweeper.n_trials={chosen.trials}"]
            for seed in chosen.seeds:
                rungs = f"hydra.sweeper.pruner_options={{rungs: {chosen.rungs}}}"
                halved = sweep(file, seed, [*options, "hydra.sweeper.pruner=halving", rungs])
                full = sweep(file, seed, options)
                samples = plural(chosen.rungs, "sample")
                what = f"{chosen.model}, {samples} | {name}, {chosen.rows:,} rows, seed {seed}"
                lines.append(row_of(what, full, halved))
                print(lines[-1], flush=True)
    assert PROJECT_DIR is not None
    page = PROJECT_DIR / "docs" / "sweeps.md"
    text = page.read_text(encoding="utf-8")
    before, known, after = re.split(f"{BEGIN}(.*){END}", text, flags=re.DOTALL)
    earlier = known.split("\n")[3:-1] if chosen.add else []
    write_atomic(page, f"{before}{block([*earlier, *lines])}{after}".encode())


if __name__ == "__main__":
    main()
