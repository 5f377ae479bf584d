"""One fit of another AutoML framework, in an environment of its own: a script for a child process.

    python studies/field_rival.py JOB

It stands alone, since that environment holds nothing of this project. JOB is JSON: method, train
and test (Parquet files), out (an npz file), seconds, cores, and n_classes, 0 for numbers. The
target is `__target__`.
"""

import json
import sys
import tempfile
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

TARGET = "__target__"


def flaml(train: pd.DataFrame, job: dict[str, Any]) -> Any:
    """FLAML with its defaults, by log loss or RMSE."""
    from flaml import AutoML  # type: ignore[import-not-found]

    is_class = job["n_classes"] > 0
    task, metric = ("classification", "log_loss") if is_class else ("regression", "rmse")
    automl = AutoML()
    automl.fit(
        train.drop(columns=TARGET),
        train[TARGET],
        task=task,
        metric=metric,
        time_budget=job["seconds"],
        n_jobs=job["cores"],
        seed=0,
        verbose=0,
    )
    return automl


def autogluon(train: pd.DataFrame, job: dict[str, Any]) -> Any:
    """AutoGluon with its default preset, or with `best_quality`."""
    from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]

    kind, metric = "regression", "root_mean_squared_error"
    if job["n_classes"]:
        kind, metric = ("binary" if job["n_classes"] == 2 else "multiclass"), "log_loss"
    predictor = TabularPredictor(TARGET, kind, metric, path=tempfile.mkdtemp(), verbosity=0)
    presets = "best_quality" if job["method"].endswith("best") else None
    limits = {"time_limit": job["seconds"], "num_cpus": job["cores"]}
    return predictor.fit(train, presets=presets, **limits)


def main() -> None:
    """Fit, answer the test rows, write answers and times."""
    job = json.loads(sys.argv[1])
    train, test = pd.read_parquet(job["train"]), pd.read_parquet(job["test"])
    make, package = (
        (flaml, "flaml") if job["method"] == "flaml" else (autogluon, "autogluon.tabular")
    )
    began = time.perf_counter()
    fitted = make(train, job)
    fit_seconds, began = time.perf_counter() - began, time.perf_counter()
    answer = np.asarray(fitted.predict_proba(test) if job["n_classes"] else fitted.predict(test))
    seconds = fit_seconds, time.perf_counter() - began
    software = f"{package} {version(package)}"
    np.savez(job["out"], output=answer, seconds=seconds, software=software)


if __name__ == "__main__":
    main()
