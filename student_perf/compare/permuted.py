"""What a model scores when there is nothing to learn: a run again, its training labels permuted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, clone

from student_perf.config.recorded import read_recorded
from student_perf.errors import DataError
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.experiment.prepare import build_pipeline, prepare_data
from student_perf.experiment.rebuild import rebuild_config
from student_perf.experiment.threads import limited_threads
from student_perf.models.weights import fit_weighted
from student_perf.runs.layout import CONFIG_FILE
from student_perf.runs.record import RunRecord
from student_perf.scoring.metrics import METRICS
from student_perf.store.reader import fetch_file
from student_perf.text import format_interval, format_number


@dataclass(frozen=True)
class Control:
    """Means over folds of N refits with permuted labels, shape (N,), beside the real one. `p_value`
    is (1 + number of refits as good) / (N + 1), which is never 0 (Phipson and Smyth 2010;
    Ojala and Garriga 2010, JMLR 11, test 1).
    """

    metric: str
    observed: float
    permuted: np.ndarray
    p_value: float


class PermutedLabels(BaseEstimator):  # type: ignore[misc]
    """An estimator fitted to its training rows with their labels permuted."""

    def __init__(self, estimator: BaseEstimator, seed: int) -> None:
        self.estimator = estimator
        self.seed = seed

    def fit(
        self, features: Any, target: np.ndarray, sample_weight: np.ndarray | None = None
    ) -> Self:
        """Fit a clone to permuted labels."""
        shuffled = np.random.default_rng(self.seed).permutation(target)
        self.estimator_ = fit_weighted(clone(self.estimator), features, shuffled, sample_weight)
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        return self

    def predict(self, features: Any) -> np.ndarray:
        """Codes or numbers, shape (n,)."""
        return np.asarray(self.estimator_.predict(features))

    def predict_proba(self, features: Any) -> np.ndarray:
        """Probabilities of `classes_`, shape (n, K)."""
        return np.asarray(self.estimator_.predict_proba(features))


def permuted_control(
    record: RunRecord, metric: str, observed: float, n_refits: int, store: str = ""
) -> Control:
    """Cross-validate a recorded configuration `n_refits` times with permuted training labels.

    Validation labels stay as they are.

    Raises:
        DataError: The data or folds are no longer those of the record.
        TrackingError: Its config is not available.
    """
    config = rebuild_config(read_recorded(fetch_file(record, store, CONFIG_FILE)))
    data = prepare_data(config)
    now = {"data": data.dataset.sha256, "split": data.split.sha256}
    for (what, sha256), was in zip(now.items(), record.rows, strict=True):
        if sha256 != was:
            raise DataError(
                f"{record.name}: the SHA-256 of its {what} is {sha256[:12]} now and was "
                f"{was[:12] or 'not recorded'}; bring back the data it had"
            )
    pipeline = build_pipeline(config, data.dataset)
    means = []
    with limited_threads(data.dataset.n_rows):
        for number in range(n_refits):
            model = PermutedLabels(pipeline, config.seed + number)
            result = cross_validate(model, data.dataset, data.split, config.seed)
            means.append(float(result.fold_scores[metric].mean()))
    permuted, sign = np.array(means), METRICS[metric].sign
    as_good = sign * permuted >= sign * observed
    return Control(metric, observed, permuted, float((1 + as_good.sum()) / (n_refits + 1)))


def control_line(control: Control, label: str) -> str:
    """One sentence on the figures."""
    extremes = format_interval(float(control.permuted.min()), float(control.permuted.max()))
    return (
        f"Permuted labels: {label} refitted {len(control.permuted)} times to shuffled training "
        f"labels has {METRICS[control.metric].label} {extremes}, with the real ones "
        f"{format_number(control.observed)} (p = {control.p_value:.3f})."
    )
