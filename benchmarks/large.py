"""One run on many rows beside a script of thirty lines that does the same work.

    .venv/bin/python benchmarks/large.py [--rows 10000 100000 1000000] [--repeats 1]

The table is made: 24 numbers, 6 columns of 5 words, two classes, as parquet. Both sides read it,
divide it into the same 5 folds, fit xgboost with the same parameters and all cores, compute the
metrics of each fold, and fit the model once more on all rows. `native`: xgboost takes the
categories as they are; `default`: numbers imputed and scaled, words one-hot. Ours also writes its
record, pictures and predictions and sends them to MLflow. Wall and CPU in seconds, peak memory of
the largest process in GB, and ours as a multiple of the script.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
FORMS = ("native", "default")
N_NUMBERS, N_WORDS = 24, 6
MODEL = {
    "n_estimators": 150,
    "max_depth": 3,
    "learning_rate": 0.05,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "max_bin": 256,
    "tree_method": "hist",
    "random_state": 0,
}
COLUMNS = ("wall", "CPU", "memory")
Row = dict[str, float]


def write_table(file: Path, n_rows: int) -> None:
    """A table whose target depends on three of its columns."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{i}": rng.normal(size=n_rows) for i in range(N_NUMBERS)}
    for i in range(N_WORDS):
        columns[f"word{i}"] = rng.choice(np.array(list("abcde")), n_rows)
    latent = columns["x0"] + columns["x1"] / 2 + (columns["word0"] == "a")
    noisy = latent + rng.normal(0, 1.5, n_rows)
    columns["grade"] = np.where(noisy > 0.3, "pass", "fail")
    pd.DataFrame(columns).to_parquet(file, index=False)


def script(file: Path, form: str) -> None:
    """The run as one would write it by hand."""
    import numpy as np
    import pandas as pd
    from sklearn import metrics
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler
    from xgboost import XGBClassifier

    table = pd.read_parquet(file)
    target = (table.pop("grade") == "pass").to_numpy().astype(int)
    words = [f"word{i}" for i in range(N_WORDS)]
    model = XGBClassifier(**MODEL, n_jobs=os.cpu_count(), enable_categorical=form == "native")
    if form == "native":
        table[words] = table[words].astype("category")
        pipeline = model
    else:
        numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
        parts = [
            ("numbers", numbers, [name for name in table if name not in words]),
            ("words", OneHotEncoder(sparse_output=False), words),
        ]
        pipeline = make_pipeline(ColumnTransformer(parts), model)
    scores = []
    for train, held_out in StratifiedKFold(5, shuffle=True, random_state=0).split(table, target):
        pipeline.fit(table.iloc[train], target[train])
        chances, truth = pipeline.predict_proba(table.iloc[held_out]), target[held_out]
        said = chances.argmax(axis=1)
        scores.append([metrics.accuracy_score(truth, said)])
        scores[-1] += [metrics.balanced_accuracy_score(truth, said)]
        for average in ("macro", "weighted"):
            averaged = metrics.precision_recall_fscore_support(truth, said, average=average)
            scores[-1] += averaged[:3]
        scores[-1] += [metrics.roc_auc_score(truth, chances[:, 1])]
        scores[-1] += [metrics.log_loss(truth, chances)]
    pipeline.fit(table, target)
    print(np.mean(scores, axis=0)[0])


def measured(command: list[str], environment: dict[str, str]) -> tuple[Row, str]:
    """A command's figures and what it printed; raises RuntimeError if it fails."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        pid = os.posix_spawn(
            command[0],
            command,
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), place) for place in (1, 2)],
        )
        _, status, used = os.wait4(pid, 0)
        wall = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if status:
        raise RuntimeError(f"{' '.join(command)}: {text}")
    kilobytes = used.ru_maxrss / (1 if sys.platform == "linux" else 1024)
    return {
        "wall": wall,
        "CPU": used.ru_utime + used.ru_stime,
        "memory": kilobytes / 1e6,
    }, text


def commands(file: Path, form: str) -> dict[str, list[str]]:
    """What is compared."""
    words = [f"dataset.path={file}", f"preprocess={form}", "dataset=parquet"]
    words += ["dataset.target=grade", "model=xgb", "split.test_size=0"]
    return {
        "script": [sys.executable, __file__, "--script", str(file), form],
        "ours": [sys.executable, "-m", "student_perf.train", *words],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--script", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.script:
        script(Path(chosen.script[0]), chosen.script[1])
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {chosen.repeats}")
    print(f"{'rows':>9}  {'form':<9}{'':<8}" + "".join(f"{name:>9}{'x':>6}" for name in COLUMNS))
    with tempfile.TemporaryDirectory() as name:
        environment = os.environ | {"STUDENT_PERF_WORKSPACE": name, "PYTHONPATH": str(PROJECT)}
        for n_rows in chosen.rows:
            file = Path(name) / f"{n_rows}.parquet"
            # In a process of its own: what this one holds would count as its children's memory.
            if (pid := os.fork()) == 0:
                write_table(file, n_rows)
                os._exit(0)
            os.waitpid(pid, 0)
            for form in FORMS:
                show(n_rows, form, compare(file, form, environment, chosen.repeats))
            file.unlink()


def compare(
    file: Path, form: str, environment: dict[str, str], repeats: int
) -> dict[str, list[Row]]:
    """Both sides in turns. Raises AssertionError unless they find the same accuracy."""
    found: dict[str, list[Row]] = {"script": [], "ours": []}
    for _ in range(repeats):
        said = {}
        for side, command in commands(file, form).items():
            row, said[side] = measured(command, environment)
            found[side].append(row)
        accuracy = float(said["script"].split()[-1])
        ours = next(line for line in said["ours"].splitlines() if " accuracy " in line)
        assert abs(float(ours.split()[2]) - accuracy) < 0.002, (accuracy, ours)
    return found


def show(n_rows: int, form: str, found: dict[str, list[Row]]) -> None:
    """Two lines, ours with its ratios."""
    median = {
        side: {name: statistics.median(row[name] for row in rows) for name in COLUMNS}
        for side, rows in found.items()
    }
    for side, row in median.items():
        cells = "".join(
            f"{row[name]:>9.2f}{row[name] / median['script'][name]:>6.2f}" for name in COLUMNS
        )
        print(f"{n_rows:>9}  {form:<9}{side:<8}{cells}", flush=True)


if __name__ == "__main__":
    main()
