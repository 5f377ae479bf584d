"""One fit of another AutoML framework, in an environment of its own: a script for a child process.

    python studies/field_rival.py NAME TRAIN.parquet TEST.parquet OUT.npz SECONDS IS_CLASS

It stands alone, since that environment holds nothing of this project. The target is `__target__`.
"""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TARGET = "__target__"
CORES = 2


def flaml(train: pd.DataFrame, seconds: float, is_class: bool, _name: str) -> Any:
    """FLAML with its defaults, by log loss or RMSE."""
    from flaml import AutoML  # type: ignore[import-not-found]

    task, metric = ("classification", "log_loss") if is_class else ("regression", "rmse")
    automl = AutoML()
    automl.fit(
        train.drop(columns=TARGET),
        train[TARGET],
        task=task,
        metric=metric,
        time_budget=seconds,
        n_jobs=CORES,
        seed=0,
        verbose=0,
    )
    return automl


def autogluon(train: pd.DataFrame, seconds: float, is_class: bool, name: str) -> Any:
    """AutoGluon with its default preset, or with `best_quality`."""
    from autogluon.tabular import TabularPredictor  # type: ignore[import-not-found]

    kind = "regression"
    if is_class:
        kind = "binary" if train[TARGET].nunique() == 2 else "multiclass"
    metric = "log_loss" if is_class else "root_mean_squared_error"
    predictor = TabularPredictor(TARGET, kind, metric, path=tempfile.mkdtemp(), verbosity=0)
    presets = "best_quality" if name.endswith("best") else None
    return predictor.fit(train, time_limit=seconds, presets=presets, num_cpus=CORES)


def main() -> None:
    """Fit, answer the test rows, write answers and times."""
    name, train_file, test_file, out, seconds, is_class = sys.argv[1:]
    train, test = pd.read_parquet(train_file), pd.read_parquet(test_file)
    wants_classes = is_class == "1"
    make = flaml if name == "flaml" else autogluon
    began = time.perf_counter()
    fitted = make(train, float(seconds), wants_classes, name)
    fit_seconds, began = time.perf_counter() - began, time.perf_counter()
    answer = np.asarray(fitted.predict_proba(test) if wants_classes else fitted.predict(test))
    predict_seconds = time.perf_counter() - began
    np.savez(Path(out), output=answer, fit_seconds=fit_seconds, predict_seconds=predict_seconds)


if __name__ == "__main__":
    main()
