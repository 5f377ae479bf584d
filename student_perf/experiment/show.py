"""What a run shows on the terminal and in its log."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from logging import INFO, WARNING

import numpy as np

from student_perf.config.schema import ExperimentConfig, ReportConfig, TrackingConfig
from student_perf.data import Dataset
from student_perf.data.columns import label_of
from student_perf.evaluation.cross_validation import scored_of_fit
from student_perf.evaluation.registry import CHECKS
from student_perf.evaluation.splits import Split
from student_perf.experiment.compute import Outcome
from student_perf.experiment.prepare import Prepared
from student_perf.inspection.importance import share
from student_perf.runs.looks import TRIES
from student_perf.runs.record import RunRecord
from student_perf.runs.shown import Introduction, Result, TestRows, show_result
from student_perf.scoring.answers import effective_number
from student_perf.store.address import LENGTH_OF_ID, mlflow_places
from student_perf.store.rows import unknown_schema
from student_perf.terminal import Terminal
from student_perf.text import folds

log = logging.getLogger(__name__)


def introduce(config: ExperimentConfig, prepared: Prepared) -> Introduction:
    """Dataset, target, split and model, and what cleaning and the guards found; logs all of it."""
    dataset, facts = prepared.dataset, _facts(config, prepared)
    for name, text in facts.items():
        log.info("%s: %s", name, text)
    for step in dataset.lineage[1:]:
        log.info("cleaning: %s", step)
    warned = {finding.text for finding in prepared.warnings}
    notes = [note for note in dataset.notes if note not in warned]
    for note in notes:
        log.info("%s", note)
    for finding in prepared.warnings:
        log.log(INFO if CHECKS[finding.code].quiet else WARNING, "%s", finding)
    loud = [str(finding) for finding in prepared.warnings if not CHECKS[finding.code].quiet]
    samples = _describe_samples(prepared.split, config.report)
    return Introduction(facts, notes, loud, samples)


def _facts(config: ExperimentConfig, prepared: Prepared) -> dict[str, str]:
    dataset, split = prepared.dataset, prepared.split
    read_as = "" if dataset.read_as is None else dataset.read_as.describe()
    facts = {"read as": read_as} if read_as else {}
    return facts | {
        "dataset": f"{dataset.name} ({dataset.version}): {dataset.n_rows} rows, "
        f"{dataset.features.shape[1]} features ({_describe_kinds(dataset)}), "
        f"{dataset.n_missing} cells missing, sha256 {dataset.sha256[:12]}",
        "target": _describe_target(dataset, prepared.noise_limit),
        "split": _describe_split(dataset, split),
        **_describe_times(dataset, split, config.dataset.time),
        **_describe_weights(dataset, config.dataset.weight),
        "model": f"{config.model.get('name')} ({type(prepared.estimator).__name__}), "
        f"preprocess {config.preprocess.get('name')}",
    }


def _describe_kinds(dataset: Dataset) -> str:
    text = f", {len(dataset.text)} text" if dataset.text else ""
    return f"{len(dataset.categorical)} categorical{text}"


def _describe_weights(dataset: Dataset, name: str | None) -> dict[str, str]:
    if dataset.weights is None:
        return {}
    low, high = dataset.weights.min(), dataset.weights.max()
    (n_effective,) = effective_number(dataset.weights)
    return {
        "weights": f"{name}, from {low:g} to {high:g}; in fits and scores, where the rows are "
        f"worth {n_effective:.0f} of equal weight"
    }


def _describe_split(dataset: Dataset, split: Split) -> str:
    validated = f", {split.n_validated} of them validated" if split.kind == "temporal" else ""
    n_between = dataset.n_rows - len(split.development) - len(split.test)
    between = f"; {n_between} rows before them left out as a gap" if n_between else ""
    return (
        f"{split.kind}: {folds(len(split.folds))} over {len(split.development)} rows{validated}; "
        f"{len(split.test)} test rows set aside, unopened{between}"
    )


def _describe_times(dataset: Dataset, split: Split, name: str | None) -> dict[str, str]:
    """From when to when a split by time trains and tests, so that a wrong order shows."""
    if split.kind != "temporal" or dataset.times is None or name is None:
        return {}
    first, last = split.folds[0], split.folds[-1]
    parts = {
        "the first window trains on": first.train,
        "the last one on": last.train,
        "and validates": last.validation,
        "the test part is": split.test,
    }
    cells = dataset.column(name, "dataset.time")
    shown = []
    for words, rows in parts.items():
        if len(rows):
            times = dataset.times[rows]
            ends = [cells.iloc[rows[place]] for place in (times.argmin(), times.argmax())]
            shown.append(f"{words} {' to '.join(map(label_of, ends))}")
    return {"times": f"{name}: {', '.join(shown)}"}


def _describe_target(dataset: Dataset, limit: float) -> str:
    if dataset.task == "regression":
        floor = f"; contradictory rows: RMSE of {limit:.3g} at least" if limit > 0 else ""
        return (
            f"{dataset.target_name}, a number from {dataset.target.min():g} "
            f"to {dataset.target.max():g}{floor}"
        )
    counts = np.bincount(dataset.target, minlength=len(dataset.classes))
    sign = " < " if dataset.ordered else ", "
    classes = sign.join(f"{c} ({n})" for c, n in zip(dataset.classes, counts, strict=True))
    ceiling = f"; contradictory rows: accuracy of {limit:.3f} at most" if limit < 1 else ""
    codes = ""
    if dataset.ordered and all(str(label).isdecimal() for label in dataset.classes):
        codes = "; in the order of their numbers, if they are codes: dataset.ordered=false"
    positive = f"; positive: {dataset.classes[1]}" if len(dataset.classes) == 2 else ""
    named = f"{dataset.target_name}, {len(dataset.classes)} classes"
    return f"{named}: {classes}{positive}{ceiling}{codes}"


def show_outcome(
    terminal: Terminal,
    config: ExperimentConfig,
    prepared: Prepared,
    record: RunRecord,
    outcome: Outcome,
    samples: Sequence[str] = (),
) -> None:
    """What came out; `samples` says what is measured on a sample of the rows."""
    metric, findings, test = config.objective.metric, outcome.findings, None
    if outcome.test is not None:
        row = asdict(outcome.test.estimates[metric])
        test = TestRows(row, len(outcome.test.output), int(record.number("test_looks")))
    result = Result(
        metric=metric,
        rows=outcome.rows,
        n_folds=len(prepared.split.folds),
        samples=samples,
        test=test,
        subgroups=findings.subgroups,
        importance=findings.importance,
        n_tries=int(record.number(TRIES)),
    )
    show_result(terminal, result)


def _describe_samples(split: Split, report: ReportConfig) -> list[str]:
    """What is measured on a sample of the rows of a fold, since there are many."""
    train = max((fold.train for fold in split.folds), key=len)
    notes = []
    n_shown, n_rows = len(scored_of_fit(train)), len(train)
    if n_shown < n_rows:
        notes.append(f"the column train is of {n_shown:,} of {n_rows:,} training rows of a fold")
    n_validated = max(len(fold.validation) for fold in split.folds)
    n_permuted, _ = share(n_validated, report.importance_repeats)
    if report.importance and n_permuted < n_validated:
        notes.append(f"columns are permuted in {n_permuted:,} of {n_validated:,} rows of a fold")
    return notes


def show_places(
    terminal: Terminal, config: ExperimentConfig, record: RunRecord, pending: str | None
) -> None:
    """Where the run is: its folder and its run in MLflow, or why it is not there yet."""
    where = config.tracking.uri, config.tracking.experiment
    word = (record.mlflow_run_id or "")[:LENGTH_OF_ID]
    in_mlflow = mlflow_places(*where, record.mlflow_run_id, record.folder, word)
    name = "winner" if record.kind == "final" else "folder"  # the sweep names its own
    terminal.places({name: str(record.folder)} | in_mlflow)
    terminal.pending(pending, record.folder)
    if record.mlflow_run_id is not None:
        show_unknown_schema(terminal, config.tracking)


def show_unknown_schema(terminal: Terminal, tracking: TrackingConfig) -> None:
    """Say, also in the log, if the store takes runs only the slow way. After they are sent, since a
    new store has no schema before.
    """
    if (line := unknown_schema(tracking.uri)) is not None:
        log.warning("%s", line)
        terminal.warnings([line])
