"""One experiment from a valid config to a published record."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from threadpoolctl import threadpool_limits

from student_perf.atomic import write_atomic
from student_perf.config.schema import ExperimentConfig
from student_perf.data import Dataset
from student_perf.data.fingerprint import fingerprint_arrays
from student_perf.errors import one_line
from student_perf.evaluation.cross_validation import CVResult, cross_validate, predict
from student_perf.experiment.prepare import Prepared, prepare, useful_threads
from student_perf.experiment.publish import publish_run
from student_perf.experiment.records import (
    describe_provenance,
    logged_metrics,
    make_record,
    make_summary,
    metric_rows,
    metrics_on_test_rows,
)
from student_perf.experiment.show import run_places, show_composed
from student_perf.inspection.findings import Inspector, group_lines, most_important
from student_perf.models.labels import LabelledClassifier
from student_perf.runs.artifacts import (
    write_findings,
    write_inputs,
    write_result,
    write_test_predictions,
)
from student_perf.runs.card import model_card
from student_perf.runs.golden import GOLDEN_FILE, make_golden_rows
from student_perf.runs.looks import count_look
from student_perf.runs.record import CARD_FILE, Recorded, RunRecord
from student_perf.scoring.answers import Answers
from student_perf.scoring.bootstrap import bootstrap
from student_perf.scoring.intervals import Estimate
from student_perf.scoring.metric import METRICS, metrics_of
from student_perf.terminal import Terminal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """A finished run: its record, held-out predictions, and the objective's mean over folds."""

    record: RunRecord
    cv: CVResult
    objective: float


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
    show_composed(terminal, config, prepared)
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
        rows = metric_rows(result, baseline)
        model = _fit_final(prepared)
        write_result(folder, dataset, split, result, make_summary(config, result, rows), model)
        write_findings(folder, dataset, split, findings)
        _write_golden(folder, config, prepared, model)
        record.metrics = logged_metrics(prepared, result, rows)
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
    terminal.places(run_places(config, record))
    terminal.pending(pending, folder)
    return RunResult(record, result, result.estimates[config.objective.metric].mean)


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
    metrics = [METRICS[name] for name in metrics_of(dataset.task, dataset.ordered)]
    return output, bootstrap(Answers(dataset.target[rows], output), metrics, seed)


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
