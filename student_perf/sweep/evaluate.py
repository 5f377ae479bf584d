"""The evaluation of trials, without computing again what trials share.

Data, folds and the preprocessing fitted on each fold change only with the keys they are made from,
so a sweep computes each once. The figures equal those of `experiment.run_experiment` to the last
digit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from student_perf.config.schema import ExperimentConfig
from student_perf.evaluation.cross_validation import CVResult, FoldInputs, cross_validate
from student_perf.experiment.prepare import PreparedData, build_pipeline, prepare_data
from student_perf.models.build import build_estimator

_MOST_CACHED_BYTES = 1 << 30

OnFold = Callable[[int, dict[str, float]], None]


class TrialEvaluator:
    """Cross-validates configs that differ in a few keys; without `caching` all is computed anew."""

    def __init__(self, caching: bool = True) -> None:
        self._caching = caching
        self._data: dict[str, PreparedData] = {}
        self._inputs: dict[str, FoldInputs] = {}
        self._cached_bytes = 0

    def data(self, config: ExperimentConfig) -> PreparedData:
        """Rows, split and contract of a config."""
        key = _key(config, "dataset", "split", "guards")
        if key not in self._data:
            self._data[key] = prepare_data(config)
        return self._data[key]

    def evaluate(self, config: ExperimentConfig, on_fold: OnFold | None = None) -> CVResult:
        """Held-out predictions and scores; what `on_fold` raises ends the evaluation."""
        data = self.data(config)
        if not self._caching:
            whole = build_pipeline(config, data.dataset)
            return cross_validate(whole, data.dataset, data.split, config.seed, on_fold=on_fold)
        return cross_validate(
            build_estimator(config.model, config.dataset.task),
            data.dataset,
            data.split,
            config.seed,
            inputs=self._fold_inputs(config, data),
            on_fold=on_fold,
        )

    def _fold_inputs(self, config: ExperimentConfig, data: PreparedData) -> FoldInputs:
        key = _key(config, "dataset", "split", "guards", "preprocess")
        if key not in self._inputs:
            preprocess = build_pipeline(config, data.dataset).named_steps["preprocess"]
            self._inputs[key] = self._remembered(data, preprocess)
        return self._inputs[key]

    def _remembered(self, data: PreparedData, preprocess: BaseEstimator) -> FoldInputs:
        kept: dict[int, tuple[Any, Any]] = {}

        def inputs(number: int) -> tuple[Any, Any]:
            if number in kept:
                return kept[number]
            fold, rows = data.split.folds[number], data.dataset.features
            fitted = clone(preprocess)
            train = fitted.fit_transform(rows.iloc[fold.train], data.dataset.target[fold.train])
            both = train, fitted.transform(rows.iloc[fold.validation])
            size = sum(map(_bytes, both))
            if self._cached_bytes + size <= _MOST_CACHED_BYTES:
                self._cached_bytes += size
                kept[number] = both
            return both

        return inputs


def _key(config: ExperimentConfig, *groups: str) -> str:
    return json.dumps([config.composed[group] for group in groups], sort_keys=True)


def _bytes(table: Any) -> int:
    if isinstance(table, pd.DataFrame):
        return int(table.memory_usage(deep=True).sum())
    if isinstance(table, np.ndarray):
        return table.nbytes
    return int(table.data.nbytes)
