"""What a run records: its files, and params, tags and metrics by their logged names."""

from __future__ import annotations

import math
import sys
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.atomic import write_atomic
from student_perf.config.schema import ColumnSplit, ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.data import Dataset
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.errors import ConfigError
from student_perf.evaluation.cross_validation import CVResult
from student_perf.evaluation.registry import Finding
from student_perf.evaluation.splits import Split
from student_perf.experiment.beside import Companion
from student_perf.experiment.compute import Outcome, answer_of
from student_perf.experiment.prepare import Prepared, PreparedData
from student_perf.experiment.threads import useful_threads
from student_perf.inspection.calibration import calibration_p, reliability_of
from student_perf.masking import masked
from student_perf.models.build import algorithm_name
from student_perf.runs import tags
from student_perf.runs.artifacts import (
    shown_of,
    write_findings,
    write_inputs,
    write_result,
    write_test_predictions,
)
from student_perf.runs.card import model_card, run_note
from student_perf.runs.golden import make_golden_rows
from student_perf.runs.layout import CARD_FILE, GOLDEN_FILE, SETS_FILE
from student_perf.runs.looks import TRIES, count_look, count_tries, note_try
from student_perf.runs.provenance import current_provenance, user_name, write_provenance
from student_perf.runs.record import Recorded, RunRecord, write_json
from student_perf.scoring.conformal import prediction_sets
from student_perf.scoring.intervals import Estimate
from student_perf.scoring.metrics import logged_as
from student_perf.terminal import MetricRow

_MOST_SAID = 3  # lines of a check in its tag


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
        figures = {"test": estimate.mean, "test_low": estimate.low, "test_high": estimate.high}
        metrics |= _defined(name, figures)
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
        "test_size": str(_test_share(config, data)),
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
            key: masked(value)
            for key, value in (
                _tags(config, dataset, data.split, kind) | check_tags(data.warnings)
            ).items()
        },
    )


def check_tags(findings: Iterable[Finding]) -> dict[str, str]:
    """A tag for each check that had something to say, by its code, with what it said."""
    said: dict[str, list[str]] = {}
    for finding in findings:
        said.setdefault(tags.CHECK + finding.code, []).append(finding.text)
    more = {code: len(lines) - _MOST_SAID for code, lines in said.items()}
    return {
        code: "; ".join(lines[:_MOST_SAID])
        + (f" (and {more[code]} more)" if more[code] > 0 else "")
        for code, lines in said.items()
    }


def _test_share(config: ExperimentConfig, data: PreparedData) -> float:
    """Share of the test rows: as declared, or as a column of the data says."""
    if isinstance(config.split, ColumnSplit):
        return round(len(data.split.test) / data.dataset.n_rows, 4)
    return config.split.test_size


def _tags(config: ExperimentConfig, dataset: Dataset, split: Split, kind: str) -> dict[str, str]:
    """Tags of the run: the user's, MLflow's documented ones, and ours. Raises ConfigError if one of
    the user's has the name of another.
    """
    provenance = current_provenance()
    known = {
        tags.MODEL: config.model.get("name"),
        tags.DATASET: dataset.name,
        tags.DATASET_VERSION: dataset.version,
        tags.SOURCE_NAME: "student_perf.train",
        tags.SOURCE_TYPE: "LOCAL",
        tags.USER: user_name() if config.tracking.host_and_user else None,
        tags.COMMIT: provenance.commit,
        tags.BRANCH: provenance.branch,
        tags.DIRTY: provenance.dirty,
        tags.KIND: kind,
        tags.RECORD_ID: uuid.uuid4().hex,
        tags.SEED: config.seed,
        tags.CONFIG_SHA256: config.sha256,
        tags.DATA_SHA256: dataset.sha256,
        tags.RAW_SHA256: dataset.raw_sha256,
        tags.TARGET_SHA256: dataset.target_sha256,
        tags.SPLIT_SHA256: split.sha256,
        tags.PYTHON: provenance.python,
        tags.PLATFORM: provenance.platform,
        tags.VERSION: provenance.version,
        tags.LOCK_SHA256: provenance.lock_sha256,
    }
    for name, value in config.tags.items():
        if name in known:
            key = "dataset.version" if name == tags.DATASET else f"tags.my_{name}"
            raise ConfigError(
                f"tags.{name}={value}: every run has a tag '{name}' of its own ({known[name]}); "
                f"write {key}={value}"
            )
    return config.tags | {name: str(value) for name, value in known.items() if value is not None}


def start_record(
    config: ExperimentConfig,
    folder: Path,
    prepared: Prepared,
    kind: str,
    more_tags: Mapping[str, str],
) -> RunRecord:
    """The record of a run as RUNNING, on disk with what the run starts from."""
    record = make_record(config, folder, prepared, kind)
    record.params["n_threads"] = str(useful_threads(prepared.dataset.n_rows))
    record.tags |= more_tags
    folder.mkdir(parents=True, exist_ok=True)
    record.save()
    write_inputs(folder, config, prepared.dataset, prepared.contract)
    return record


def finish_record(
    config: ExperimentConfig,
    record: RunRecord,
    prepared: Prepared,
    outcome: Outcome,
    clock: Clock,
    companion: Companion,
) -> None:
    """Write all files of a run, then its record as FINISHED."""
    folder, dataset, split = record.folder, prepared.dataset, prepared.split
    companion.draw(folder, shown_of(dataset, split, outcome.cv, outcome.findings))
    summary = make_summary(config, outcome.cv, outcome.rows)
    write_result(folder, dataset, split, outcome.cv, summary, outcome.model)
    write_findings(folder, outcome.findings)
    _write_golden(folder, config, prepared, outcome.model)
    write_json(folder / SETS_FILE, asdict(prediction_sets(outcome.cv.answers, outcome.cv.row)))
    record.params |= _facts(outcome.model)
    record.metrics = _logged_metrics(prepared, outcome.cv, outcome.rows)
    if outcome.test is not None:
        write_test_predictions(folder, dataset, split.test, outcome.test.output)
        n_looks = count_look(dataset.sha256, fingerprint_arrays([split.test]), folder)
        record.metrics["test_looks"] = float(n_looks)
        record.metrics |= metrics_on_test_rows(outcome.test.estimates)
    note_try(record)
    record.metrics[TRIES] = float(count_tries(record))
    companion.wait()
    record.metrics |= clock.costs()
    record.tags[tags.NOTE] = run_note(record, outcome.rows)
    write_atomic(folder / CARD_FILE, model_card(Recorded(record, config.composed)))
    record.finish()


def _facts(model: BaseEstimator) -> dict[str, str]:
    """What the kept model says of its own fit, if it does."""
    last = getattr(model, "estimator_", model).steps[-1][1]
    return dict(last.facts()) if hasattr(last, "facts") else {}


def _write_golden(
    folder: Path, config: ExperimentConfig, prepared: Prepared, model: BaseEstimator
) -> None:
    """A few rows with the kept model's answers, by which whoever loads it checks it."""
    dataset = prepared.dataset

    def answer(features: pd.DataFrame) -> np.ndarray:
        return answer_of(model, features.copy(), dataset, "for the golden rows")

    golden = make_golden_rows(
        dataset, config.dataset, prepared.split.development, prepared.contract, answer
    )
    if golden is not None:
        write_json(folder / GOLDEN_FILE, asdict(golden))


class Clock:
    """What a run costs from here on."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def costs(self) -> dict[str, float | list[float]]:
        """Seconds since the clock was made, and the process's highest memory in megabytes."""
        costs: dict[str, float | list[float]] = {
            "wall_seconds": time.perf_counter() - self._wall,
            "cpu_seconds": time.process_time() - self._cpu,
        }
        if sys.platform == "linux":  # elsewhere the unit differs, or the module does not exist
            import resource

            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            costs["peak_memory_mb"] = peak / 1024
        return costs


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


def cv_metrics(
    result: CVResult, objectives: Collection[str] = ()
) -> dict[str, float | list[float]]:
    """What every cross-validation logs, under its fixed names; what is not defined is left out.
    Of `objectives` it logs the interval too.
    """
    logged: dict[str, float | list[float]] = {}
    for name, values in result.fold_scores.items():
        std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
        figures = {"mean": float(values.mean()), "std": std}
        if name in objectives:
            estimate = result.estimate(name)
            figures |= {"low": estimate.low, "high": estimate.high}
        logged |= _defined(name, figures)
        logged[logged_as(name, "folds")] = values.tolist()
    # Last, since MLflow's comparison shows the first metric unless another is chosen.
    return {**logged, "fit_seconds": result.fit_seconds}


def _logged_metrics(
    prepared: Prepared, result: CVResult, rows: dict[str, MetricRow]
) -> dict[str, float | list[float]]:
    """Those of a single run besides: intervals, scores on training rows, the dummy's, the gain over
    it, limits.
    """
    logged = cv_metrics(result)
    limit = "label_noise_ceiling" if prepared.dataset.classes else "label_noise_rmse_floor"
    logged[limit] = prepared.noise_limit
    if prepared.dataset.classes:
        logged |= _calibration(result, prepared.split.n_repeats)
    more = ("low", "high", "train", "dummy", "gain", "gain_low", "gain_high", "gain_p")
    for name, row in rows.items():
        logged |= _defined(name, {which: row[which] for which in more})
    return logged


def _calibration(result: CVResult, n_repeats: int) -> dict[str, float]:
    """How far probabilities and frequencies lie apart, with and without chance, and whether the
    probabilities can be taken at their word.
    """
    y_true, output, weights, groups = result.y_true, result.output, result.weights, result.groups
    known = reliability_of(result.answers, n_repeats)
    return {
        "cv_expected_calibration_error": known.error,
        "cv_calibration_error": known.debiased.mean,
        "cv_calibration_error_ci95_low": known.debiased.low,
        "cv_calibration_error_ci95_high": known.debiased.high,
        "cv_calibration_p": calibration_p(y_true, output, result.row, weights, groups),
    }


def _defined(metric: str, figures: Mapping[str, float | None]) -> dict[str, float]:
    """Figures of a metric under their logged names, without those that are not defined."""
    known = {which: v for which, v in figures.items() if v is not None and np.isfinite(v)}
    return {logged_as(metric, which): v for which, v in known.items()}
