"""A small Hydra app as people write it with MLflow beside it: one cross-validation, tracked.

    python benchmarks/peers/app.py model=xgb data=FOLDER tracking_uri=sqlite:///FOLDER/mlflow.db

It does the work of one of our trials on the rows, folds and metrics that benchmarks/sweep.py
wrote to FOLDER. Fold scores go to MLflow in one `log_metrics` a fold, the cheapest of the
documented ways.
"""

from __future__ import annotations

from pathlib import Path

import hydra
import mlflow
import numpy as np
import pandas as pd
from evaluate import CLASS_SCORERS
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float:
    """Mean accuracy of the composed model."""
    plain = OmegaConf.to_container(cfg)
    assert isinstance(plain, dict)
    mlflow.set_tracking_uri(cfg.tracking_uri)
    mlflow.set_experiment(cfg.experiment_path)
    with mlflow.start_run(parent_run_id=cfg.get("mlflow_parent_run_id")):
        mlflow.log_params({f"model.{key}": value for key, value in cfg.model.items()})
        mlflow.log_dict({str(k): v for k, v in plain.items()}, "config.yaml")
        scores = fold_scores(cfg)
        for fold in range(len(scores["accuracy"])):
            mlflow.log_metrics({name: float(v[fold]) for name, v in scores.items()}, step=fold)
        mlflow.log_metrics({f"cv_{name}_mean": float(v.mean()) for name, v in scores.items()})
    return float(scores["accuracy"].mean())


def fold_scores(cfg: DictConfig) -> dict[str, np.ndarray]:
    """Scores by metric, one a fold."""
    folder = Path(cfg.data)
    features = pd.read_parquet(folder / "features.parquet")
    rows = np.load(folder / "rows.npz")
    folds = [(rows[f"train_{i}"], rows[f"validation_{i}"]) for i in range(int(rows["n_folds"]))]
    numeric = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    columns = ColumnTransformer([("numeric", numeric, list(features.columns))])
    pipeline = Pipeline([("preprocess", columns), ("model", instantiate(cfg.model))])
    scored = cross_validate(pipeline, features, rows["target"], cv=folds, scoring=CLASS_SCORERS)
    return {name: np.abs(scored[f"test_{name}"]) for name in CLASS_SCORERS}


if __name__ == "__main__":
    main()
