"""The evaluation of trials, without computing again what trials share.

Data, folds and the preprocessing fitted on each fold change only with the keys they are made from,
so a sweep computes each once. The figures equal those of `experiment.run_experiment` to the last
digit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from student_perf.config.schema import ExperimentConfig
from student_perf.data import Dataset, load_dataset
from student_perf.data.sources import source_file
from student_perf.evaluation.contained import contained, seed_globals
from student_perf.evaluation.cross_validation import CVResult, FoldInputs, cross_validate
from student_perf.experiment.prepare import (
    PreparedData,
    build_pipeline,
    prepare_data,
    refuse_small_classes,
)
from student_perf.experiment.threads import useful_threads
from student_perf.models.build import build_estimator
from student_perf.models.libraries import files_read
from student_perf.runs.seal import sha256_of
from student_perf.sweep.repeats import joined_data, joined_result
from student_perf.sweep.rungs import draw_rungs

_MOST_CACHED_BYTES = 1 << 30
_OF_DATA = ("dataset", "split", "guards", "objective")

OnFold = Callable[[int, dict[str, float]], None]


class TrialEvaluator:
    """Cross-validates configs that differ in a few keys; without `caching` all is computed anew.

    `n_workers` processes share the cores of this machine.
    """

    def __init__(self, caching: bool = True, n_workers: int = 1) -> None:
        self._caching = caching
        self._n_workers = n_workers
        self._datasets: dict[str, Dataset] = {}
        self.files: dict[Path, str] = {}  # those that rows were read from, with their SHA-256
        self.model_files: dict[Path, str] = {}  # and those that models answer from
        self._data: dict[str, PreparedData] = {}
        self._rungs: dict[str, tuple[PreparedData, ...]] = {}
        self._inputs: dict[str, FoldInputs] = {}
        self._cached_bytes = 0

    def data(self, config: ExperimentConfig, *repeats: ExperimentConfig) -> PreparedData:
        """Rows, split and contract of a config, with the folds of its `repeats` after its own."""
        if not repeats:
            return self._prepared(config)
        keys = [_key(one, *_OF_DATA) for one in (config, *repeats)]
        if (key := "".join(keys)) not in self._data:
            self._data[key] = joined_data([self._prepared(one) for one in (config, *repeats)])
        return self._data[key]

    def _prepared(self, config: ExperimentConfig) -> PreparedData:
        key = _key(config, *_OF_DATA)
        if key not in self._data:
            self._data[key] = prepare_data(config, self._dataset(config))
        return self._data[key]

    def _dataset(self, config: ExperimentConfig) -> Dataset:
        # A split by a column, or of the groups in one, takes the column from the features.
        taken = config.dataset.split_column, config.dataset.split_group
        key = f"{_key(config, 'dataset')}{taken}"
        if key not in self._datasets:
            dataset = self._datasets[key] = load_dataset(config.dataset)
            if dataset.raw_sha256 is not None and (file := source_file(config.dataset)) is not None:
                self.files[file.absolute()] = dataset.raw_sha256
        return self._datasets[key]

    def build(self, config: ExperimentConfig, data: PreparedData) -> None:
        """Build the estimator without fitting it, and take up the files that it answers from.
        Raises ConfigError.
        """
        for file in files_read(build_pipeline(config, data.dataset)):
            if file not in self.model_files:
                self.model_files[file] = sha256_of(file)

    def evaluate(
        self, config: ExperimentConfig, *repeats: ExperimentConfig, on_fold: OnFold | None = None
    ) -> CVResult:
        """Held-out predictions and scores, those of `repeats` after its own; what `on_fold` raises
        ends the evaluation.
        """
        results: list[CVResult] = []
        n_folds = 0  # of the repeats before

        def watch(done: int, scores: dict[str, float]) -> None:
            if on_fold is not None:
                on_fold(n_folds + done, scores)

        for one in (config, *repeats):
            results.append(self._evaluate(one, watch))
            n_folds += len(self.data(one).split.folds)
        return results[0] if not repeats else joined_result(results)

    def _evaluate(self, config: ExperimentConfig, on_fold: OnFold) -> CVResult:
        data = self.data(config)
        refuse_small_classes(config, data)
        return self._cross_validated(config, data, data.dataset.n_rows, on_fold)

    def rungs(self, config: ExperimentConfig, n: int) -> tuple[PreparedData, ...]:
        """The `n` samples on which `pruner=halving` judges a config, the smallest first."""
        key = f"{_key(config, *_OF_DATA, 'seed')}{n}"
        if key not in self._rungs:
            self._rungs[key] = draw_rungs(config, self._prepared(config), n)
        return self._rungs[key]

    def score_on(self, config: ExperimentConfig, rung: PreparedData) -> float:
        """The objective on the held-out rows of a rung, NaN if it is not defined."""
        n_rows = len(rung.split.folds[0].train)
        result = self._cross_validated(config, rung, n_rows)
        return float(result.fold_scores[config.objective.metric][0])

    def _cross_validated(
        self,
        config: ExperimentConfig,
        data: PreparedData,
        n_rows: int,
        on_fold: OnFold | None = None,
    ) -> CVResult:
        """Held-out predictions and scores of fits on about `n_rows` rows."""
        if not self._caching:
            whole = build_pipeline(config, data.dataset, self._n_workers)
            return cross_validate(whole, data.dataset, data.split, config.seed, on_fold=on_fold)
        n_threads = useful_threads(n_rows, self._n_workers)
        return cross_validate(
            build_estimator(config.model, config.dataset.task, n_threads=n_threads),
            data.dataset,
            data.split,
            config.seed,
            inputs=self._fold_inputs(config, data),
            on_fold=on_fold,
        )

    def _fold_inputs(self, config: ExperimentConfig, data: PreparedData) -> FoldInputs:
        key = _key(config, "dataset", "split", "guards", "preprocess") + data.split.sha256
        if key not in self._inputs:
            preprocess = build_pipeline(config, data.dataset).named_steps["preprocess"]
            self._inputs[key] = self._remembered(data, preprocess)
        return self._inputs[key]

    def _remembered(self, data: PreparedData, preprocess: BaseEstimator) -> FoldInputs:
        kept: dict[int, tuple[Any, Any]] = {}

        def inputs(number: int) -> tuple[Any, Any]:
            if number in kept:
                train, validation = kept[number]
                return _copy(train), _copy(validation)
            both = self._preprocessed(data, preprocess, number)
            size = sum(map(_bytes, both))
            if self._cached_bytes + size <= _MOST_CACHED_BYTES:
                self._cached_bytes += size
                kept[number] = _copy(both[0]), _copy(both[1])
            return both

        return inputs

    def _preprocessed(
        self, data: PreparedData, preprocess: BaseEstimator, number: int
    ) -> tuple[Any, Any]:
        """Training and validation rows of a fold, as the model gets them."""
        fold, dataset = data.split.folds[number], data.dataset
        fitted = clone(preprocess)
        with contained(f"while preprocessing {data.split.fold_name(number)}"):
            seed_globals(0)  # the preprocessing is that of every trial, whatever its seed
            train = fitted.fit_transform(dataset.rows(fold.train), dataset.target[fold.train])
            return train, fitted.transform(dataset.rows(fold.validation))


def _key(config: ExperimentConfig, *groups: str) -> str:
    return json.dumps([config.composed[group] for group in groups], sort_keys=True)


def _copy(table: Any) -> Any:
    """In memory of its own and in the same order, as a fit may change what it gets: `copy_X=False`
    does. Such a copy takes less time than a checksum, and no library refuses it as read-only.
    """
    return table.copy(order="K") if isinstance(table, np.ndarray) else table.copy()


def _bytes(table: Any) -> int:
    if isinstance(table, pd.DataFrame):
        return int(table.memory_usage(deep=True).sum())
    if isinstance(table, np.ndarray):
        return table.nbytes
    return int(table.data.nbytes)
