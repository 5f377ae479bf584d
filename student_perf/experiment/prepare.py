"""Everything that is settled, and can be refused, before the first fit."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from student_perf.config.schema import ExperimentConfig
from student_perf.data import Dataset, load_dataset
from student_perf.data.contract import Contract, check_contract, make_contract
from student_perf.errors import DataError
from student_perf.evaluation.advice import advise
from student_perf.evaluation.guards import check_guards, label_noise_limit
from student_perf.evaluation.splits import Split, make_split
from student_perf.evaluation.undefined import (
    Gap,
    find_gaps,
    refuse_undefined,
    refuse_untaught,
    unknown_classes,
)
from student_perf.models.build import build_estimator
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.models.weights import takes_weights
from student_perf.scoring.metrics import METRICS, metrics_of
from student_perf.store.client import check_usable

_MANY_ROWS = 20_000
_several_threads = False


@dataclass(frozen=True)
class PreparedData:
    """What is settled about the rows before the first fit. `warnings` come from guards that
    let them pass and from folds with `gaps`; `noise_limit` is what contradictory rows leave to any
    model.
    """

    dataset: Dataset
    split: Split
    contract: Contract
    warnings: list[str]
    gaps: list[Gap]
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
        check_usable(config.tracking)
    # Before the data, which may take long to load.
    build_estimator(config.model, config.dataset.task)
    build_steps(config.preprocess)
    data = prepare_data(config)
    pipeline = build_pipeline(config, data.dataset)
    warnings = [*data.warnings, *split_advice(config, data), *without_weights(config, pipeline)]
    return Prepared(**{**vars(data), "warnings": warnings}, pipeline=pipeline)


def split_advice(config: ExperimentConfig, data: PreparedData) -> list[str]:
    """Which split the rows ask for, if it is another one. Raises DataError if the guard says so."""
    if config.guards.split_advice == "off":
        return []
    metric = config.objective.metric
    lines = advise(data.dataset, data.split, config.split, config.dataset, metric)
    if lines and config.guards.split_advice == "error":
        raise DataError(f"{lines[0]}; guards.split_advice=warn goes on anyway")
    return lines


def without_weights(config: ExperimentConfig, pipeline: Pipeline) -> list[str]:
    """What leaves the declared weights of the rows out: the model, or metrics of the user's own."""
    lines = []
    if config.dataset.weight is not None and not takes_weights(pipeline):
        lines.append(
            f"model={config.model.get('name')}: its fit takes no weights, so it learns from every "
            f"row alike; scores and dummy count dataset.weight={config.dataset.weight}"
        )
    known = metrics_of(config.dataset.task, config.dataset.is_ordered)
    unweighted = [METRICS[name].label for name in known if not METRICS[name].takes_weights]
    if config.dataset.weight is not None and unweighted:
        lines.append(f"no weights, and so no figure: {', '.join(unweighted)}")
    return lines


def prepare_data(config: ExperimentConfig, dataset: Dataset | None = None) -> PreparedData:
    """Load, clean, check and divide the rows, or those of `dataset` if they are loaded already.

    Raises DataError, also if a fold leaves the objective undefined.
    """
    dataset = load_dataset(config.dataset) if dataset is None else dataset
    split = make_split(dataset, config.split)
    contract = make_contract(dataset, split.development, config.dataset)
    # Rules that were read off these rows hold for them; only what was declared can be broken.
    declared = {*config.dataset.categories, *config.dataset.ranges}
    rules = {name: rule for name, rule in contract.columns.items() if name in declared}
    check_contract(
        dataset.features[list(rules)].iloc[split.development], replace(contract, columns=rules)
    )
    refuse_untaught(dataset, split, config.split)
    gaps = find_gaps(dataset, split, config.split)
    refuse_undefined(gaps, [config.objective.metric], dataset, "objective.metric")
    return PreparedData(
        dataset=dataset,
        split=split,
        contract=contract,
        warnings=[
            *check_guards(dataset, split, config.dataset, config.guards),
            *map(str, gaps),
            *unknown_classes(dataset, split, config.split),
        ],
        gaps=gaps,
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


@contextmanager
def limited_threads(n_rows: int) -> Iterator[None]:
    """Train within, in as many threads as are useful; the process remembers if they are several."""
    global _several_threads
    n_threads = useful_threads(n_rows)
    _several_threads = _several_threads or n_threads > 1
    with threadpool_limits(n_threads):
        yield


def can_fork() -> bool:
    """Whether this process may be forked: not after it has trained in several threads, for which a
    fork would wait for ever.
    """
    return "fork" in multiprocessing.get_all_start_methods() and not _several_threads


def useful_threads(n_rows: int) -> int:
    """Threads that linear algebra and tree libraries may use: on few rows they only wait for each
    other (one fit of `stacking` on 600 rows takes 0.3 s with one, seconds with two on busy cores).
    """
    return 1 if n_rows < _MANY_ROWS else os.cpu_count() or 1
