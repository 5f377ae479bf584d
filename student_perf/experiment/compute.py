"""What an experiment computes; nothing here writes a file or prints a line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier, DummyRegressor

from student_perf.config.schema import ExperimentConfig
from student_perf.data import Dataset
from student_perf.evaluation.cross_validation import (
    CVResult,
    FoldInputs,
    answers_for,
    cross_validate,
    fit,
    predict,
)
from student_perf.evaluation.splits import Split
from student_perf.experiment.prepare import Prepared
from student_perf.inspection.findings import Findings, Inspector
from student_perf.inspection.shapes import shape_table
from student_perf.models.labels import LabelledClassifier
from student_perf.scoring.chance import chance_p
from student_perf.scoring.influence import row_scores
from student_perf.scoring.intervals import FIXED_MODEL, Estimate, row_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import row_difference
from student_perf.tables.memory import release_unused
from student_perf.terminal import MetricRow

log = logging.getLogger(__name__)

Progress = Callable[[int], AbstractContextManager[Callable[[int, object], None] | None]]


@dataclass(frozen=True)
class TestScores:
    """What the kept model answers for the test rows, with its metrics."""

    __test__ = False  # for pytest, which takes the name for a test's

    output: np.ndarray
    estimates: dict[str, Estimate]


@dataclass(frozen=True)
class Outcome:
    """All figures of a run.

    Attributes:
        cv: the cross-validation of the pipeline.
        baseline: that of the dummy, on the same folds.
        findings: the tables of the inspection.
        model: fitted on all rows but the test part; answers in labels.
        test: None if the run does not open the test rows.
    """

    cv: CVResult
    baseline: CVResult
    findings: Findings
    model: BaseEstimator
    test: TestScores | None

    @cached_property
    def rows(self) -> dict[str, MetricRow]:
        """Each metric with its interval, its mean on training rows, the dummy's mean, and the gain
        over the dummy on the same rows with its interval and p; a gain is positive, and is shown
        only if the same answers dealt to the rows by chance would not gain as much.
        """
        return {
            name: {
                **asdict(self.cv.estimate(name)),
                "train": float(self.cv.train_scores[name].mean()),
                "dummy": float(self.baseline.fold_scores[name].mean()),
                **self._gain(name),
            }
            for name in self.cv.fold_scores
        }

    def _gain(self, name: str) -> dict[str, float]:
        change = row_difference(self.cv.row_scores(name), self.baseline.row_scores(name))
        ends = sorted(METRICS[name].sign * end for end in (change.low, change.high))
        mean = METRICS[name].sign * change.mean
        low, high = ends
        by_chance = chance_p(METRICS[name], self.cv.answers, self.cv.row, self.cv.fold)
        p_value = max(change.p_value, by_chance)
        return {"gain": mean, "gain_low": low, "gain_high": high, "gain_p": p_value}


def compute(
    config: ExperimentConfig, prepared: Prepared, progress: Progress, opens_test: bool
) -> Outcome:
    """Cross-validate, inspect, fit the model to keep and, if asked to, score the test rows."""
    dataset, split = prepared.dataset, prepared.split
    inspector = Inspector(config, dataset, split)
    cv, baseline = _evaluate(config, prepared, progress, inspector)
    findings = inspector.findings(prepared.pipeline, cv)
    model = _fit_final(prepared, config.seed)
    findings = replace(findings, shapes=shape_table(model, dataset.classes))
    test = None
    if opens_test and len(split.test):
        test = TestScores(*score_test_rows(model, dataset, split.test))
    return Outcome(cv, baseline, findings, model, test)


def score_test_rows(
    model: BaseEstimator, dataset: Dataset, rows: np.ndarray
) -> tuple[np.ndarray, dict[str, Estimate]]:
    """What a kept model answers for rows, and its metrics; their intervals hold for this very
    model, however it was trained.
    """
    output = answer_of(model, dataset.rows(rows), dataset, "for the test rows")
    answers, fold = answers_for(dataset, rows, output), np.zeros(len(rows), dtype=np.int64)
    estimates = {}
    for name in dataset.metrics:
        scores = row_scores(METRICS[name], answers, rows, fold)
        estimates[name] = row_interval(scores, METRICS[name], factor=FIXED_MODEL)
    return output, estimates


def answer_of(
    model: BaseEstimator, features: pd.DataFrame, dataset: Dataset, where: str
) -> np.ndarray:
    """What a kept model answers, as `evaluation.cross_validation.predict` says."""
    # The labelled model holds the pipeline that answers in codes.
    fitted = model.estimator_ if dataset.classes else model
    return predict(fitted, features, dataset, where)


def _evaluate(
    config: ExperimentConfig, prepared: Prepared, progress: Progress, inspector: Inspector
) -> tuple[CVResult, CVResult]:
    """Cross-validation of the pipeline and, on the same folds, of the dummy baseline."""
    dataset, split = prepared.dataset, prepared.split
    dummy = DummyClassifier() if dataset.task == "classification" else DummyRegressor()
    baseline = cross_validate(dummy, dataset, split, config.seed, inputs=_without_features(split))
    with progress(len(split.folds)) as on_fold:
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


def _without_features(split: Split) -> FoldInputs:
    """What a dummy gets of each fold: as many rows, of which it reads nothing."""

    def inputs(number: int) -> tuple[np.ndarray, np.ndarray]:
        fold = split.folds[number]
        return np.zeros((len(fold.train), 1)), np.zeros((len(fold.validation), 1))

    return inputs


def _fit_final(prepared: Prepared, seed: int) -> BaseEstimator:
    """The model to keep: fitted on all rows but the test part, answering in labels."""
    dataset, rows, model = prepared.dataset, prepared.split.development, prepared.pipeline
    if dataset.classes:
        model = LabelledClassifier(model, list(dataset.classes))
    target = dataset.target_labels(dataset.target[rows])
    weights, where = dataset.weights_of(rows), "in the fit of the model to keep"
    release_unused()  # this fit has the most rows
    return fit(model, dataset.rows(rows), target, seed, where, weights)
