"""What a run records: its params, tags and metrics by the names they are logged under."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.config.schema import ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.data import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.evaluation.splits import Split
from student_perf.experiment.prepare import Prepared, PreparedData
from student_perf.inspection.calibration import reliability
from student_perf.masking import masked
from student_perf.models.build import algorithm_name
from student_perf.runs.provenance import current_provenance, user_name, write_provenance
from student_perf.runs.record import RunRecord
from student_perf.scoring.intervals import Estimate, fold_interval
from student_perf.terminal import MetricRow


def describe_provenance(config: ExperimentConfig, folder: Path) -> list[str]:
    """Write where a run comes from; returns the warning for an environment that is not the locked
    one.
    """
    seeds = {"seed": config.seed, "split.random_state": config.split.random_state}
    differ = write_provenance(folder, seeds, config.tracking.host_and_user)
    if not differ:
        return []
    more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
    return [f"not the locked environment ({'; '.join(differ[:3])}{more}); run: make setup"]


def metrics_on_test_rows(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Estimates on the test rows under the names they are logged by."""
    metrics: dict[str, float] = {}
    for name, estimate in estimates.items():
        words = {"": estimate.mean, "_ci95_low": estimate.low, "_ci95_high": estimate.high}
        metrics |= _defined({f"test_{name}{word}": value for word, value in words.items()})
    return metrics


def make_record(
    config: ExperimentConfig, folder: Path, data: PreparedData, kind: str = "single"
) -> RunRecord:
    """The record of a run about to start: its parameters and tags, nothing written yet."""
    dataset = data.dataset
    features = list(dataset.features.columns)
    params = {path: str(value) for path, value in iter_leaves(config.composed)}
    params |= {
        "algorithm": algorithm_name(config.model, config.dataset.task),
        "random_state": str(config.seed),
        "test_size": str(config.split.test_size),
        "features": ",".join(features),
        "n_features": str(len(features)),
        "n_rows": str(dataset.n_rows),
        "test_over_train": repr(data.split.test_over_train),
    }
    return RunRecord(
        folder=folder,
        name=f"{config.model.get('name')}-{dataset.name}-{folder.name}",
        kind=kind,
        params={key: masked(value) for key, value in params.items()},
        tags={
            key: masked(value) for key, value in _tags(config, dataset, data.split, kind).items()
        },
    )


def _tags(config: ExperimentConfig, dataset: Dataset, split: Split, kind: str) -> dict[str, str]:
    """Tags of the run: the user's, MLflow's documented ones, and ours below `student_perf.`"""
    provenance = current_provenance()
    ours = {
        "kind": kind,
        "record_id": uuid.uuid4().hex,  # by which a run is found again in the store
        "seed": config.seed,
        "config_hash": config.sha256,
        "data_sha256": dataset.sha256,
        "raw_sha256": dataset.raw_sha256,
        "split_sha256": split.sha256,
        "python": provenance.python,
        "platform": provenance.platform,
        "version": provenance.version,
        "lock_sha256": provenance.lock_sha256,
    }
    user = user_name() if config.tracking.host_and_user else None
    tags = {
        **config.tags,
        "model": config.model.get("name"),
        "dataset": dataset.name,
        "dataset_version": dataset.version,
        "mlflow.source.name": "student_perf.train",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": user,
        "mlflow.source.git.commit": provenance.commit,
        "mlflow.source.git.branch": provenance.branch,
        "mlflow.source.git.dirty": provenance.dirty,
        **{f"student_perf.{name}": value for name, value in ours.items()},
    }
    return {name: str(value) for name, value in tags.items() if value is not None}


def metric_rows(result: CVResult, baseline: CVResult) -> dict[str, MetricRow]:
    """Each metric with its interval, the mean on training rows, and the dummy baseline's."""
    return {
        name: {
            **asdict(estimate),
            "train": float(result.train_scores[name].mean()),
            "dummy": float(baseline.fold_scores[name].mean()),
        }
        for name, estimate in result.estimates.items()
    }


def make_summary(
    config: ExperimentConfig, result: CVResult, rows: dict[str, MetricRow]
) -> dict[str, Any]:
    """Content of metrics.json."""
    folds = {name: values.tolist() for name, values in result.fold_scores.items()}
    return {
        "objective": asdict(config.objective),
        "fit_seconds": result.fit_seconds,
        "metrics": {name: {**row, "folds": folds[name]} for name, row in rows.items()},
    }


def cv_metrics(result: CVResult) -> dict[str, float | list[float]]:
    """What every cross-validation logs, under its fixed names; what is not defined is left out."""
    logged: dict[str, float | list[float]] = {}
    for name, values in result.fold_scores.items():
        estimate = fold_interval(values, result.test_over_train)
        logged |= _defined({f"cv_{name}_mean": estimate.mean, f"cv_{name}_std": estimate.std})
        logged[f"fold_{name}"] = values.tolist()
    # Last, since MLflow's comparison shows the first metric unless told otherwise.
    return {**logged, "fit_seconds": result.fit_seconds}


def logged_metrics(
    prepared: Prepared, result: CVResult, rows: dict[str, MetricRow]
) -> dict[str, float | list[float]]:
    """Those of a single run besides: intervals, scores on training rows, the dummy's, limits."""
    logged = cv_metrics(result)
    limit = "label_noise_ceiling" if prepared.dataset.classes else "label_noise_rmse_floor"
    logged[limit] = prepared.noise_limit
    if prepared.dataset.classes:
        error = reliability(result.y_true, result.output).error
        logged["cv_expected_calibration_error"] = error
    words = {"low": "cv_{}_ci95_low", "high": "cv_{}_ci95_high"}
    words |= {key: f"{key}_{{}}_mean" for key in ("train", "dummy")}
    for name, row in rows.items():
        logged |= _defined({word.format(name): row[key] for key, word in words.items()})
    return logged


def _defined(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: v for name, v in values.items() if v is not None and np.isfinite(v)}
