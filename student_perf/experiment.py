"""One experiment from a valid config to a published record."""

from __future__ import annotations

import logging
import os
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from student_perf.artifacts import (
    write_findings,
    write_inputs,
    write_result,
    write_test_predictions,
)
from student_perf.atomic import write_atomic
from student_perf.config import ExperimentConfig, TrackingConfig, iter_leaves
from student_perf.data import Dataset, load_dataset
from student_perf.data.contract import Contract, check_contract, make_contract
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.errors import StoreUnreachableError, TrackingError, one_line
from student_perf.evaluation import CVResult, cross_validate, predict
from student_perf.guards import check_guards, label_noise_limit
from student_perf.inspection.calibration import reliability
from student_perf.inspection.findings import Inspector, group_lines, most_important
from student_perf.masking import masked
from student_perf.metrics import Estimate, bootstrap_estimates, mean_and_std
from student_perf.model_card import model_card
from student_perf.models.build import algorithm_name, build_estimator
from student_perf.models.labels import LabelledClassifier
from student_perf.preprocess import build_preprocessor, build_steps
from student_perf.splits import Split, make_split
from student_perf.terminal import MetricRow, Terminal, ui_command
from student_perf.tracking.golden import GOLDEN_FILE, make_golden_rows
from student_perf.tracking.looks import count_look
from student_perf.tracking.mlflow_store import check_store, publish
from student_perf.tracking.provenance import current_provenance, user_name, write_provenance
from student_perf.tracking.record import CARD_FILE, Recorded, RunRecord

log = logging.getLogger(__name__)

_MANY_ROWS = 20_000


@dataclass(frozen=True)
class RunResult:
    """A finished run: its record, held-out predictions, and the objective's mean over folds."""

    record: RunRecord
    cv: CVResult
    objective: float


@dataclass(frozen=True)
class PreparedData:
    """What is settled about the rows before the first fit. `warnings` are the findings of guards
    that were told to let them pass; `noise_limit` is what contradictory rows leave to any model.
    """

    dataset: Dataset
    split: Split
    contract: Contract
    warnings: list[str]
    noise_limit: float


@dataclass(frozen=True)
class Prepared(PreparedData):
    """Everything that is settled before the first fit; `pipeline` is unfitted."""

    pipeline: Pipeline

    @property
    def estimator(self) -> BaseEstimator:
        """The unfitted model at the end of the pipeline."""
        return self.pipeline.named_steps["model"]


def prepare(config: ExperimentConfig) -> Prepared:
    """Check store, model and data, and divide the rows. Raises StudentPerfError; fits nothing."""
    if config.tracking.enabled:
        check_tracking(config.tracking)
    # Before the data, which may take long to load.
    build_estimator(config.model, config.dataset.task)
    build_steps(config.preprocess)
    data = prepare_data(config)
    return Prepared(**vars(data), pipeline=build_pipeline(config, data.dataset))


def check_tracking(tracking: TrackingConfig) -> None:
    """Raise TrackingError for a store that can never take a run; one that merely does not answer
    gets it later.
    """
    try:
        check_store(tracking)
    except StoreUnreachableError as error:
        log.warning("%s", error)


def prepare_data(config: ExperimentConfig) -> PreparedData:
    """Load, clean, check and divide the rows. Raises DataError."""
    dataset = load_dataset(config.dataset)
    split = make_split(dataset, config.split)
    contract = make_contract(dataset, split.development, config.dataset)
    # Rules that were read off these rows hold for them; only what was declared can be broken.
    declared = {*config.dataset.categories, *config.dataset.ranges}
    rules = {name: rule for name, rule in contract.columns.items() if name in declared}
    check_contract(
        dataset.features[list(rules)].iloc[split.development], replace(contract, columns=rules)
    )
    return PreparedData(
        dataset=dataset,
        split=split,
        contract=contract,
        warnings=check_guards(dataset, split, config.dataset, config.guards),
        noise_limit=label_noise_limit(dataset),
    )


def build_pipeline(config: ExperimentConfig, dataset: Dataset) -> Pipeline:
    """Unfitted preprocessing and model for the columns of `dataset`. Raises ConfigError."""
    estimator = build_estimator(config.model, config.dataset.task)
    steps = build_steps(config.preprocess)
    preprocess = build_preprocessor(
        steps, dataset.numeric, dataset.categorical, config.dataset.categories
    )
    return Pipeline([("preprocess", preprocess), ("model", estimator)])


def run_experiment(
    config: ExperimentConfig,
    folder: Path,
    terminal: Terminal,
    kind: str = "single",
    more_tags: Mapping[str, str] | None = None,
    send: bool = True,
) -> RunResult:
    """Run the experiment and leave its record in `folder` and in the tracking store.

    A run of kind `final` is the winner of a sweep: it alone opens the test rows. Without `send` the
    record is left to the publisher of its sweep. Raises a StudentPerfError before anything is
    fitted where config, data or store do not serve. Whatever fails later marks the record, and the
    MLflow run where there is one, as FAILED.
    """
    prepared = prepare(config)
    with threadpool_limits(useful_threads(prepared.dataset.n_rows)):
        return _run(config, prepared, folder, terminal, kind, more_tags or {}, send)


def useful_threads(n_rows: int) -> int:
    """Threads that linear algebra and tree libraries may use: on few rows they only wait for each
    other (one fit of `stacking` on 600 rows takes 0.3 s with one, seconds with two on busy cores).
    """
    return 1 if n_rows < _MANY_ROWS else os.cpu_count() or 1


def _run(
    config: ExperimentConfig,
    prepared: Prepared,
    folder: Path,
    terminal: Terminal,
    kind: str,
    more_tags: Mapping[str, str],
    send: bool,
) -> RunResult:
    dataset, split = prepared.dataset, prepared.split
    _show_composed(terminal, config, prepared)
    record = make_record(config, folder, prepared, kind)
    record.tags |= more_tags
    folder.mkdir(parents=True, exist_ok=True)
    record.save()
    write_inputs(folder, config, dataset, prepared.contract)
    terminal.warnings(describe_provenance(config, folder))
    clock = _Clock()
    inspector = Inspector(config, dataset, split)
    try:
        result, baseline = _evaluate(config, prepared, terminal, inspector)
        findings = inspector.findings(prepared.pipeline, result)
        rows = _metric_rows(result, baseline)
        model = _fit_final(prepared)
        write_result(folder, dataset, split, result, _summary(config, result, rows), model)
        write_findings(folder, dataset, split, findings)
        _write_golden(folder, config, prepared, model)
        record.metrics = _logged_metrics(prepared, result, rows)
        terminal.metrics(rows, config.objective.metric, f"held-out rows, {len(split.folds)} folds")
        if kind == "final" and len(split.test):
            record.metrics |= _open_test_rows(config, prepared, model, folder, terminal)
        record.metrics |= clock.costs()
        write_atomic(folder / CARD_FILE, model_card(Recorded(record, config.composed)))
        record.finish()
    except BaseException as error:
        _record_failure(config, record, dataset, error, send)
        raise
    terminal.groups(group_lines(findings.subgroups))
    terminal.important(most_important(findings.importance), findings.metric)
    terminal.verdict(rows, config.objective.metric)
    pending = publish_run(config, record, dataset, model) if send else None
    terminal.places(_places(config, record))
    terminal.pending(pending, folder)
    return RunResult(record, result, result.estimates[config.objective.metric].mean)


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


class _Clock:
    """What a run costs from here on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def costs(self) -> dict[str, float | list[float]]:
        """Seconds since the clock was made, and the process's highest memory in megabytes."""
        costs: dict[str, float | list[float]] = {
            "wall_seconds": time.perf_counter() - self._wall,
            "cpu_seconds": time.process_time() - self._cpu,
        }
        if sys.platform == "linux":  # elsewhere the unit is another, or there is no such module
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            costs["peak_memory_mb"] = peak / 1024
        return costs


def _open_test_rows(
    config: ExperimentConfig,
    prepared: Prepared,
    model: BaseEstimator,
    folder: Path,
    terminal: Terminal,
) -> dict[str, float | list[float]]:
    """Score the final model on the rows that nothing has seen, and count that look."""
    dataset, rows = prepared.dataset, prepared.split.test
    output, estimates = score_test_rows(model, dataset, rows, config.seed)
    write_test_predictions(folder, dataset, rows, output)
    n_looks = count_look(dataset.sha256, fingerprint_arrays([rows]), folder)
    metric = config.objective.metric
    terminal.test_rows(asdict(estimates[metric]), metric, len(rows), n_looks)
    return {"test_looks": float(n_looks), **metrics_on_test_rows(estimates)}


def score_test_rows(
    model: BaseEstimator, dataset: Dataset, rows: np.ndarray, seed: int
) -> tuple[np.ndarray, dict[str, Estimate]]:
    """What a kept model answers for rows, and its metrics with bootstrap intervals."""
    # The labelled model holds the pipeline that answers in codes.
    fitted = model.estimator_ if dataset.classes else model
    output = predict(fitted, dataset.features.iloc[rows], dataset)
    target = dataset.target[rows]
    return output, bootstrap_estimates(dataset.task, target, output, seed, dataset.ordered)


def metrics_on_test_rows(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """Estimates on the test rows under the names they are logged by."""
    metrics: dict[str, float] = {}
    for name, estimate in estimates.items():
        words = {"": estimate.mean, "_ci95_low": estimate.low, "_ci95_high": estimate.high}
        metrics |= _defined({f"test_{name}{word}": value for word, value in words.items()})
    return metrics


def _show_composed(terminal: Terminal, config: ExperimentConfig, prepared: Prepared) -> None:
    dataset, split = prepared.dataset, prepared.split
    facts = {
        "dataset": f"{dataset.name} ({dataset.version}): {dataset.n_rows} rows, "
        f"{dataset.features.shape[1]} features ({len(dataset.categorical)} categorical), "
        f"{dataset.n_missing} cells missing, sha256 {dataset.sha256[:12]}",
        "target": _describe_target(dataset, prepared.noise_limit),
        "split": f"{split.kind}: {len(split.folds)} folds over {len(split.development)} rows; "
        f"{len(split.test)} test rows set aside, unopened",
        "model": f"{config.model.get('name')} ({type(prepared.estimator).__name__}), "
        f"preprocess {config.preprocess.get('name')}",
    }
    for name, text in facts.items():
        log.info("%s: %s", name, text)
    terminal.facts(facts)
    for step in dataset.lineage[1:]:
        log.info("cleaning: %s", step)
    terminal.lineage(dataset.lineage)
    for line in prepared.warnings:
        log.warning("%s", line)
    terminal.warnings(prepared.warnings)


def _describe_target(dataset: Dataset, limit: float) -> str:
    if dataset.task == "regression":
        floor = f"; contradictory rows: RMSE of {limit:.3g} at least" if limit > 0 else ""
        return (
            f"{dataset.target_name}, a number from {dataset.target.min():g} "
            f"to {dataset.target.max():g}{floor}"
        )
    counts = np.bincount(dataset.target, minlength=len(dataset.classes))
    classes = " < ".join(f"{c} ({n})" for c, n in zip(dataset.classes, counts, strict=True))
    ceiling = f"; contradictory rows: accuracy of {limit:.3f} at most" if limit < 1 else ""
    return f"{dataset.target_name}, {len(dataset.classes)} classes: {classes}{ceiling}"


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


def _evaluate(
    config: ExperimentConfig, prepared: Prepared, terminal: Terminal, inspector: Inspector
) -> tuple[CVResult, CVResult]:
    """Cross-validation of the pipeline and, on the same folds, of the dummy baseline."""
    dataset, split = prepared.dataset, prepared.split
    dummy = DummyClassifier() if dataset.task == "classification" else DummyRegressor()
    baseline = cross_validate(dummy, dataset, split, config.seed)
    with terminal.folds(len(split.folds)) as on_fold:
        result = cross_validate(
            prepared.pipeline,
            dataset,
            split,
            config.seed,
            train_scores=True,
            on_fold=on_fold,
            on_fitted=inspector.on_fitted,
        )
    for metric, values in result.fold_scores.items():
        log.info("fold scores of %s: %s", metric, values.tolist())
    return result, baseline


def _fit_final(prepared: Prepared) -> BaseEstimator:
    """The model to keep: fitted on all rows but the test part, answering in labels."""
    dataset, rows = prepared.dataset, prepared.split.development
    features, target = dataset.features.iloc[rows], dataset.target[rows]
    if dataset.task == "regression":
        return clone(prepared.pipeline).fit(features, target)
    model = LabelledClassifier(prepared.pipeline, list(dataset.classes))
    return model.fit(features, dataset.target_labels(target))


def _write_golden(
    folder: Path, config: ExperimentConfig, prepared: Prepared, model: BaseEstimator
) -> None:
    """A few rows with the kept model's answers, by which whoever loads it checks it."""
    answer = model.predict_proba if prepared.dataset.classes else model.predict
    golden = make_golden_rows(
        prepared.dataset, config.dataset, prepared.split.development, prepared.contract, answer
    )
    if golden is not None:
        write_atomic(folder / GOLDEN_FILE, golden.to_json())


def _metric_rows(result: CVResult, baseline: CVResult) -> dict[str, MetricRow]:
    return {
        name: {
            **asdict(estimate),
            "train": float(result.train_scores[name].mean()),
            "dummy": mean_and_std(baseline.fold_scores[name])[0],
        }
        for name, estimate in result.estimates.items()
    }


def _summary(
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
        mean, std = mean_and_std(values)
        logged |= _defined({f"cv_{name}_mean": mean, f"cv_{name}_std": std})
        logged[f"fold_{name}"] = values.tolist()
    # Last, since MLflow's comparison shows the first metric unless told otherwise.
    return {**logged, "fit_seconds": result.fit_seconds}


def _logged_metrics(
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


def _record_failure(
    config: ExperimentConfig,
    record: RunRecord,
    dataset: Dataset,
    error: BaseException,
    send: bool,
) -> None:
    record.tags["student_perf.error"] = one_line(error)[:500]
    record.fail(one_line(error))
    log.error("run failed", exc_info=error)
    if send and isinstance(error, Exception):  # not on Ctrl-C, where nobody wants to wait
        publish_run(config, record, dataset)


def publish_run(
    config: ExperimentConfig,
    record: RunRecord,
    dataset: Dataset,
    model: BaseEstimator | None = None,
) -> str | None:
    """Send a finished or failed record to the tracking store; returns why that did not succeed.

    Nothing is lost then: the record in its folder is complete and can be sent later.
    """
    if not config.tracking.enabled:
        return None
    log.info("publishing to %s", config.tracking.uri)
    try:
        check_store(config.tracking)
        record.mlflow_run_id = publish(record, config.tracking, dataset, model)
    except TrackingError as error:
        log.error("not published: %s", one_line(error))
        return one_line(error)
    record.save()
    return None


def _places(config: ExperimentConfig, record: RunRecord) -> dict[str, str]:
    return {"folder": str(record.folder)} | mlflow_places(config.tracking, record.mlflow_run_id)


def mlflow_places(tracking: TrackingConfig, run_id: str | None) -> dict[str, str]:
    """Where a run is in MLflow, and the command that opens the page; nothing where it is not."""
    if run_id is None:
        return {}
    where = f"experiment {tracking.experiment}, run {run_id}"
    return {"mlflow": where, "open": ui_command(tracking.uri)}
