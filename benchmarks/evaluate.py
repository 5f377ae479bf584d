"""5-fold cross-validation with all metrics, beside scikit-learn's `cross_validate` with the same
metrics as scorers.

    .venv/bin/python benchmarks/evaluate.py [--rows 100000] [--repeats 5] [--quick]

Both sides run in one process, alternating, on the same pipeline, folds and data; every figure they
give is checked to be equal first. Target: at most 1.0 times the wall time of scikit-learn.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import cohen_kappa_score, make_scorer
from sklearn.model_selection import cross_validate as sklearn_cross_validate

if TYPE_CHECKING:
    from student_perf.experiment.prepare import Prepared

MODELS = ("logreg", "rf", "xgb")
# Our metric -> scikit-learn's scorer, if it has one under another name.
CLASS_SCORERS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced_accuracy",
    "precision_macro": "precision_macro",
    "recall_macro": "recall_macro",
    "f1_macro": "f1_macro",
    "precision_weighted": "precision_weighted",
    "recall_weighted": "recall_weighted",
    "f1_weighted": "f1_weighted",
    "roc_auc_ovr": "roc_auc_ovr",
    "log_loss": "neg_log_loss",
    "brier_score": "neg_brier_score",
    "quadratic_weighted_kappa": make_scorer(cohen_kappa_score, weights="quadratic"),
    "mean_absolute_grade_error": "neg_mean_absolute_error",
}


def prepared(model: str, overrides: list[str]) -> Prepared:
    """What `student_perf.train` would settle before the first fit."""
    from hydra import compose, initialize_config_dir

    from student_perf.config.load import register_resolvers, validate
    from student_perf.experiment.prepare import prepare
    from student_perf.paths import CONF_DIR

    register_resolvers()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        cfg = compose("config", ["tracking=off", f"model={model}", *overrides])
    return prepare(validate(cfg))


def ours(pipeline: BaseEstimator, case: Prepared, train_scores: bool) -> dict[str, np.ndarray]:
    """Fold scores by metric."""
    from student_perf.evaluation.cross_validation import cross_validate

    result = cross_validate(pipeline, case.dataset, case.split, train_scores=train_scores)
    return result.fold_scores


def theirs(pipeline: BaseEstimator, case: Prepared, train_scores: bool) -> dict[str, np.ndarray]:
    """The same by scikit-learn's scorers, losses without their sign."""
    scored = sklearn_cross_validate(
        pipeline,
        case.dataset.features,
        case.dataset.target,
        cv=[(fold.train, fold.validation) for fold in case.split.folds],
        scoring=CLASS_SCORERS,
        return_train_score=train_scores,
    )
    return {name: np.abs(scored[f"test_{name}"]) for name in CLASS_SCORERS}


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="econmath only")
    chosen = parser.parse_args()
    datasets = {"econmath": ["dataset=econmath"]}
    if not chosen.quick:
        datasets[f"synthetic, {chosen.rows:,} rows"] = [
            "dataset=synthetic",
            f"dataset.rows={chosen.rows}",
            "dataset.task=classification",
            "dataset.bands={edges:[65,75,85],labels:[fail,pass,good,best]}",
            "model.n_estimators=50",
        ]
    print(
        f"{len(CLASS_SCORERS)} metrics, 5 folds, medians of {chosen.repeats} runs, "
        f"{os.cpu_count()} cores"
    )
    print(f"{'data':<24}{'model':<8}{'train scores':<14}{'ours s':>8}{'sklearn s':>11}{'ratio':>7}")
    for name, overrides in datasets.items():
        for model in MODELS:
            used = [o for o in overrides if model != "logreg" or "n_estimators" not in o]
            case = prepared(model, used)
            for train_scores in (False, True):
                compare(name, model, case, train_scores, chosen.repeats)


def compare(name: str, model: str, case: Prepared, train_scores: bool, repeats: int) -> None:
    """One line of the table; raises AssertionError if the two sides differ."""
    mine = ours(case.pipeline, case, train_scores)
    reference = theirs(case.pipeline, case, train_scores)
    for metric, values in reference.items():
        # xgboost's probabilities have single precision, in which scikit-learn's scorers stay.
        np.testing.assert_allclose(np.abs(mine[metric]), values, rtol=1e-6, err_msg=metric)
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        times["ours"].append(seconds(lambda: ours(case.pipeline, case, train_scores)))
        times["theirs"].append(seconds(lambda: theirs(case.pipeline, case, train_scores)))
    a, b = statistics.median(times["ours"]), statistics.median(times["theirs"])
    asked = "yes" if train_scores else "no"
    print(f"{name:<24}{model:<8}{asked:<14}{a:>8.3f}{b:>11.3f}{a / b:>7.2f}", flush=True)


if __name__ == "__main__":
    main()
