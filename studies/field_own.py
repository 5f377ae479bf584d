"""One fit of this project's own methods: a script for a child process of studies/field.py.

    python -m studies.field_own JOB

JOB is JSON: method, train and test (Parquet files), out (an npz file), seconds, and n_classes, 0
for numbers. The target is `__target__`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import KFold, ParameterSampler, StratifiedKFold
from sklearn.pipeline import Pipeline

from student_perf.config.load import register_resolvers, validate
from student_perf.models.build import build_estimator
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.paths import CONF_DIR, PACKAGE_DIR
from student_perf.scoring.answers import Answers
from student_perf.scoring.metrics import METRICS
from studies.field_results import OURS
from studies.field_rival import TARGET

OF_ANSWERS = ("student_perf", "conf", "studies/field_own.py")
INNER_FOLDS = 3  # by which xgboost alone is tuned
XGB = {  # as conf/search/xgb.yaml
    "n_estimators": range(50, 401, 25),
    "learning_rate": np.geomspace(0.01, 0.3, 30),
    "max_depth": range(2, 8),
    "min_child_weight": np.geomspace(1, 60, 20),
    "subsample": np.linspace(0.5, 1.0, 11),
    "colsample_bytree": np.linspace(0.3, 1.0, 15),
    "reg_lambda": np.geomspace(0.01, 100, 30),
}


@dataclass(frozen=True)
class Known:
    """The training rows of a fold, and what a fit may use."""

    x: pd.DataFrame
    y: np.ndarray
    n_classes: int
    seconds: float

    @property
    def is_class(self) -> bool:
        """Whether classes are predicted."""
        return self.n_classes > 0


def pipeline(known: Known, *overrides: str) -> Pipeline:
    """An unfitted model of conf/ with its preprocessing, for the columns of a table."""
    register_resolvers()
    task = "classification" if known.is_class else "regression"
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        data = ["dataset=econmath" if known.is_class else "dataset=econmath_score"]
        config = validate(compose("config", ["tracking=off", *data, *overrides]))
    numeric = list(known.x.select_dtypes("number").columns)
    words = [str(name) for name in known.x if name not in numeric]
    steps = build_preprocessor(build_steps(config.preprocess), numeric, words)
    return Pipeline([("preprocess", steps), ("model", build_estimator(config.model, task))])


def tuned_xgb(known: Known) -> BaseEstimator:
    """Of xgboost alone: random search on inner folds until four fifths of the time are used up."""
    began, best, lowest = time.perf_counter(), None, np.inf
    x, y = known.x, known.y
    parts = (StratifiedKFold if known.is_class else KFold)(
        INNER_FOLDS, shuffle=True, random_state=0
    )
    base = pipeline(known, "model=xgb")
    for drawn in ParameterSampler(XGB, 10_000, random_state=0):
        if best is not None and time.perf_counter() - began > 0.8 * known.seconds:
            break
        model = clone(base).set_params(**{f"model__{k}": v for k, v in drawn.items()})
        losses = [
            loss_of(answer(clone(model).fit(x.iloc[a], y[a]), x.iloc[b], known), y[b])
            for a, b in parts.split(x, y)
        ]
        if np.mean(losses) < lowest:
            best, lowest = model, float(np.mean(losses))
    return best


def answer(fitted: BaseEstimator, x: pd.DataFrame, known: Known) -> np.ndarray:
    """Probabilities of all classes of the table, or numbers."""
    if not known.is_class:
        numbers: np.ndarray = fitted.predict(x)
        return numbers
    full = np.zeros((len(x), known.n_classes))
    full[:, fitted.classes_] = fitted.predict_proba(x)
    return full


def loss_of(output: np.ndarray, y: np.ndarray) -> float:
    """Log loss, or RMSE."""
    name = "log_loss" if output.ndim == 2 else "root_mean_squared_error"
    return METRICS[name].of(Answers(y, output))


def _last_commit() -> str:
    """The commit that has last changed what answers; results are committed meanwhile."""
    words = ["git", "log", "-1", "--format=%h", "--abbrev=12", "--", *OF_ANSWERS]
    done = subprocess.run(words, cwd=PACKAGE_DIR.parent, capture_output=True, text=True)
    return done.stdout.strip() or "without a commit"


def main() -> None:
    """Fit, answer the test rows, write answers and times."""
    job = json.loads(sys.argv[1])
    train, test = pd.read_parquet(job["train"]), pd.read_parquet(job["test"])
    target = train.pop(TARGET).to_numpy()
    known = Known(train, target, job["n_classes"], job["seconds"])
    makers: Mapping[str, Callable[[], BaseEstimator]] = {
        OURS: lambda: pipeline(known, "model=auto", f"model.time={known.seconds}"),
        "tuned xgb": lambda: tuned_xgb(known),
        "linear": lambda: pipeline(known, "model=ridge"),
    }
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries, about single fits
        fitted = clone(makers[job["method"]]()).fit(known.x, known.y)
        fit_seconds, began = time.perf_counter() - began, time.perf_counter()
        output = answer(fitted, test, known)
    seconds = fit_seconds, time.perf_counter() - began
    software = f"student_perf {_last_commit()}"
    np.savez(job["out"], output=output, seconds=seconds, software=software)


if __name__ == "__main__":
    main()
