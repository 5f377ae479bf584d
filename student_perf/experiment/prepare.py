"""Everything that is settled, and can be refused, before the first fit."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from student_perf.config.rules import refuse_positive
from student_perf.config.schema import ExperimentConfig
from student_perf.config.search_file import searched_keys
from student_perf.config.typed import iter_leaves
from student_perf.data import Dataset, load_dataset
from student_perf.data.cleaning import after_steps
from student_perf.data.contract import Contract, check_contract, make_contract
from student_perf.errors import ConfigError, DataError
from student_perf.evaluation.guards import check_guards, label_noise_limit
from student_perf.evaluation.registry import Chosen, Finding, Range, Subject
from student_perf.evaluation.splits import Split, make_split
from student_perf.evaluation.structure import copied_rows
from student_perf.evaluation.undefined import (
    Gap,
    find_gaps,
    refuse_undefined,
    refuse_untaught,
)
from student_perf.experiment.memory import refuse_beyond_memory
from student_perf.experiment.threads import useful_threads
from student_perf.models.build import build_estimator, iter_calibrations
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.store.client import check_usable
from student_perf.text import plural


@dataclass(frozen=True)
class PreparedData:
    """What is settled about the rows before the first fit. `warnings` come from checks that let
    them pass, `gaps` are folds that leave metrics undefined; `noise_limit` is what contradictory
    rows leave to any model.
    """

    dataset: Dataset
    split: Split
    contract: Contract
    warnings: list[Finding]
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
    refuse_small_classes(config, data)
    pipeline = build_pipeline(config, data.dataset)
    refuse_beyond_memory(data.dataset, pipeline)
    warnings = [*data.warnings, *look_once(config, data, pipeline)]
    return Prepared(**{**vars(data), "warnings": warnings}, pipeline=pipeline)


def look_once(
    config: ExperimentConfig, data: PreparedData, pipeline: Pipeline | None = None
) -> list[Finding]:
    """What the costly checks have found. Raises DataError if one that is set to `error` has."""
    pipeline = build_pipeline(config, data.dataset) if pipeline is None else pipeline
    subject = Subject(
        data.dataset, data.split, config.dataset, config.split, config.objective.metric, pipeline
    )
    return check_guards(subject, config.guards, costly=True)


def look_at_choice(config: ExperimentConfig) -> list[Finding]:
    """What the checks say of the values of a single run, beside those that the search file of its
    model tries. Raises DataError if one that is set to `error` has something to say.
    """
    model = str(config.model.get("name"))
    values = {path: str(value) for path, value in iter_leaves(config.composed)}
    searched = searched_keys(model, values)
    chosen = Chosen(
        values,
        {one.key: Range(*one.numbers, one.is_log) for one in searched if one.numbers},
        f"conf/search/{model}.yaml",
        model,
        {one.key: one.default for one in searched if one.default is not None},
    )
    return check_guards(chosen, config.guards)


def prepare_data(config: ExperimentConfig, dataset: Dataset | None = None) -> PreparedData:
    """Load, clean, check and divide the rows, or those of `dataset` if they are loaded already.

    Raises DataError, also if a fold leaves the objective undefined.
    """
    dataset = load_dataset(config.dataset) if dataset is None else dataset
    if config.objective.metric not in dataset.metrics:  # the data have said how many classes
        refuse_positive(config.objective.metric, dataset.target_name, len(dataset.classes))
    if dataset.groups is None and copied_rows(dataset) is not None:
        dataset = replace(dataset, groups=dataset.duplicate_groups)  # a set of copies is one fact
    try:
        split = make_split(dataset, config.split)
    except DataError as error:
        raise DataError(after_steps(str(error), config.dataset.clean)) from error
    contract = make_contract(dataset, split.development, config.dataset)
    # Rules that were read off these rows hold for them; only what was declared can be broken.
    rules = {name: rule for name, rule in contract.columns.items() if name in contract.declared}
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
        warnings=check_guards(Subject(dataset, split, config.dataset, config.split), config.guards),
        gaps=gaps,
        noise_limit=label_noise_limit(dataset),
    )


def refuse_small_classes(config: ExperimentConfig, data: PreparedData) -> None:
    """Raise ConfigError for a model that calibrates itself on more parts of a fold's training rows
    than a class has rows there.
    """
    parts = list(iter_calibrations(config.model, config.dataset.task))
    if not parts:
        return
    dataset = data.dataset
    counts = [np.unique(dataset.target[f.train], return_counts=True) for f in data.split.folds]
    n_rows, code = min((n, c) for codes, ns in counts for c, n in zip(codes, ns, strict=True))
    for key, n_parts in parts:
        if n_rows < n_parts:
            fix = f"use {key}={n_rows}, or" if n_rows > 1 else "choose a model without it, or"
            raise ConfigError(
                f"{key}={n_parts}: class '{dataset.classes[code]}' of '{dataset.target_name}' has "
                f"{plural(int(n_rows), 'training row')} in a fold, and each of the parts on which "
                f"the model calibrates its probabilities needs one; {fix} merge the class with "
                "another"
            )


def build_pipeline(config: ExperimentConfig, dataset: Dataset, n_workers: int = 1) -> Pipeline:
    """Unfitted preprocessing and model for the columns of `dataset`, with the threads that one of
    `n_workers` may use. Raises ConfigError.
    """
    n_threads = useful_threads(dataset.n_rows, n_workers)
    estimator = build_estimator(config.model, config.dataset.task, n_threads=n_threads)
    steps = build_steps(config.preprocess)
    preprocess = build_preprocessor(
        steps, dataset.numeric, dataset.categorical, config.dataset.categories, dataset.text
    )
    return Pipeline([("preprocess", preprocess), ("model", estimator)])
