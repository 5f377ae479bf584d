"""Rules about values and their combinations, beyond their types."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from student_perf.config.schema import (
    FORMER_GUARDS,
    Bands,
    ColumnSplit,
    DatasetConfig,
    GroupKFoldSplit,
    GuardsConfig,
    HoldoutSplit,
    KFoldSplit,
    NestedSplit,
    ObjectiveConfig,
    RepeatedKFoldSplit,
    ReportConfig,
    SplitConfig,
    TemporalSplit,
)
from student_perf.config.typed import shown
from student_perf.errors import ConfigError, suggest
from student_perf.scoring.metrics import (
    METRICS,
    TASKS,
    metric_direction,
    metrics_of,
)

_CODE = re.compile(r"SP\d{3}")
_GUARD_LEVELS = ("error", "warn", "off")


def check_seed(seed: Any) -> None:
    """Raise ConfigError unless the seed is a whole number that every library takes."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(
            f"seed={shown(seed)}: must be a whole number from 0 to {2**32 - 1}; try seed=0"
        )


def make_guards(node: Mapping[str, Any]) -> GuardsConfig:
    """The level of each check by its code; a former name with a level goes before its code.

    Raises:
        ConfigError: A key names no check, or a level is unknown.
    """
    levels: dict[str, str] = {}
    for name, value in sorted(node.items(), key=lambda item: item[0] in FORMER_GUARDS):
        code = FORMER_GUARDS.get(name, name)
        if not _CODE.fullmatch(code):
            near = suggest(name, FORMER_GUARDS)
            raise ConfigError(f"guards.{name}: names no check, by a code like SP101; {near}")
        if value is None and name in FORMER_GUARDS:
            continue
        level = "off" if value is False else value  # as YAML reads an unquoted off
        if level not in _GUARD_LEVELS:
            raise ConfigError(
                f"guards.{name}={shown(level)}: must be error, warn or off; "
                f"{suggest(str(level), _GUARD_LEVELS)}"
            )
        levels[code] = level
    return GuardsConfig(dict(sorted(levels.items())))


def check_dataset(dataset: DatasetConfig) -> None:
    """Raise ConfigError if task, target, bands and named columns contradict each other."""
    if dataset.task not in TASKS:
        raise ConfigError(
            f"dataset.task={dataset.task}: must be classification or regression; "
            f"{suggest(dataset.task, TASKS)}"
        )
    if dataset.target in dataset.drop:
        raise ConfigError(
            f"dataset.drop={shown(dataset.drop)}: holds the target '{dataset.target}'; "
            "take it out, the target is never a feature anyway"
        )
    if dataset.target in dataset.subgroups:
        raise ConfigError(
            f"dataset.subgroups={shown(dataset.subgroups)}: holds the target '{dataset.target}'; "
            "take it out, groups must be known before the target"
        )
    for key in ("group", "time", "weight"):
        if getattr(dataset, key) == dataset.target:
            raise ConfigError(
                f"dataset.{key}={dataset.target}: is the target; name another column, or "
                f"dataset.{key}=null"
            )
    if dataset.sample is not None and dataset.sample < 1:
        raise ConfigError(
            f"dataset.sample={dataset.sample}: must be a number of rows; dataset.sample=null takes "
            "all of them"
        )
    _check_text(dataset)
    if dataset.ordered and dataset.bands is None and dataset.classes is None:
        raise ConfigError(
            "dataset.ordered=true: needs the order; name it as dataset.classes=[lowest,...,highest]"
        )
    if dataset.positive is not None and dataset.task != "classification":
        raise ConfigError(
            f"dataset.positive={shown(dataset.positive)}: dataset.task={dataset.task} has no "
            "classes; set dataset.positive=null"
        )
    if dataset.bands is not None:
        _check_bands(dataset, dataset.bands)


def _check_text(dataset: DatasetConfig) -> None:
    for name in dataset.text:
        if name == dataset.target:
            raise ConfigError(f"dataset.text={shown(dataset.text)}: holds the target; take it out")
        for key in ("categorical", "categories", "ranges", "subgroups"):
            if name in getattr(dataset, key):
                raise ConfigError(
                    f"dataset.text={shown(dataset.text)}: '{name}' is in dataset.{key} too; of a "
                    "text the words count, so take it out of one of them"
                )


def _check_bands(dataset: DatasetConfig, bands: Bands) -> None:
    if dataset.task != "classification":
        raise ConfigError(
            "dataset.task=regression: dataset.bands would cut the number into classes; "
            "set dataset.bands=null (dataset=econmath_score does it for econmath)"
        )
    if sorted(set(bands.edges)) != bands.edges or not bands.edges:
        raise ConfigError(
            f"dataset.bands.edges={bands.edges}: must increase; write each edge once, lowest first"
        )
    if len(bands.labels) != len(bands.edges) + 1 or len(set(bands.labels)) != len(bands.labels):
        raise ConfigError(
            f"dataset.bands.labels={bands.labels}: {len(bands.edges)} edges need "
            f"{len(bands.edges) + 1} different labels; give one for each band, lowest first"
        )
    if dataset.classes is not None:
        raise ConfigError(
            f"dataset.classes={shown(dataset.classes)}: the bands already name and order the "
            "classes; set dataset.classes=null"
        )


def check_split(split: SplitConfig) -> None:
    """Raise ConfigError for a size, count or seed outside its range."""
    if not 0 <= split.test_size < 1:
        raise ConfigError(
            f"split.test_size={split.test_size}: must be at least 0 and below 1; try 0.2"
        )
    for key in ("random_state", "test_random_state"):
        seed = getattr(split, key)
        if seed is not None and not 0 <= seed < 2**32:
            raise ConfigError(f"split.{key}={seed}: must be from 0 to {2**32 - 1}; try 0")
    if isinstance(split, HoldoutSplit) and not 0 < split.validation_size < 1:
        raise ConfigError(
            f"split.validation_size={split.validation_size}: must be between 0 and 1; try 0.25"
        )
    if isinstance(split, KFoldSplit) and split.n_splits < 2:
        raise ConfigError(f"split.n_splits={split.n_splits}: must be at least 2; try 5")
    if isinstance(split, NestedSplit) and split.n_inner_splits < 2:
        raise ConfigError(f"split.n_inner_splits={split.n_inner_splits}: must be at least 2; try 3")
    one = split.outer_fold if isinstance(split, NestedSplit) else None
    if one is not None and not (isinstance(split, KFoldSplit) and 0 <= one < split.n_splits):
        raise ConfigError(
            f"split.outer_fold={one}: must be one of the split.n_splits folds, counted from 0; try "
            "null for all of them"
        )
    if isinstance(split, RepeatedKFoldSplit) and split.n_repeats < 1:
        raise ConfigError(f"split.n_repeats={split.n_repeats}: must be at least 1; try 5")
    if isinstance(split, TemporalSplit) and split.gap < 0:
        raise ConfigError(f"split.gap={split.gap}: must be at least 0; try 1")
    _check_combination(split)


def _check_combination(split: SplitConfig) -> None:
    """Raise ConfigError for an option that has no meaning for this kind of split."""
    by = "time" if isinstance(split, TemporalSplit) else "the column"
    if not split.is_drawn and split.keep_duplicates_together:
        raise ConfigError(
            f"split.keep_duplicates_together=true: {by} alone divides the rows of "
            f"split={split.kind}; leave it out, guards.shared_rows names rows on two sides"
        )
    if not split.is_drawn and split.test_random_state is not None:
        raise ConfigError(
            f"split.test_random_state={split.test_random_state}: no seed changes the test rows of "
            f"split={split.kind}; leave it out"
        )
    if isinstance(split, ColumnSplit) and split.test_size > 0:
        raise ConfigError(
            f"split.test_size={split.test_size}: the column says which rows are test rows; leave "
            "it out"
        )
    if split.stratify_by is None:
        return
    if not split.is_drawn:
        raise ConfigError(
            f"split.stratify_by={split.stratify_by}: {by} alone divides the rows of "
            f"split={split.kind}; leave it out"
        )
    if split.kind == "group_kfold":
        raise ConfigError(
            f"split.stratify_by={split.stratify_by}: split=group_kfold keeps nothing in "
            "proportion; use split=stratified_group_kfold"
        )


def declared_by_each_other(
    dataset: DatasetConfig, split: SplitConfig
) -> tuple[DatasetConfig, SplitConfig]:
    """Dataset and split with what each takes from the other: a split the groups, a dataset the
    groups and the column that divides its rows.

    Raises:
        ConfigError: Neither names the groups or the time that the split needs, or it is the target.
    """
    if isinstance(split, (GroupKFoldSplit, NestedSplit)):
        dataset, split = _with_groups(dataset, split)
    if isinstance(split, TemporalSplit) and dataset.time is None:
        raise ConfigError(
            "split=temporal: needs the column that says when a row arose; add dataset.time=COLUMN"
        )
    if isinstance(split, ColumnSplit):
        if split.column == dataset.target:
            raise ConfigError(f"split.column={split.column}: is the target; name another column")
        dataset = replace(dataset, split_column=split.column)
    return dataset, split


def _with_groups(
    dataset: DatasetConfig, split: GroupKFoldSplit | NestedSplit
) -> tuple[DatasetConfig, SplitConfig]:
    if split.group is None and dataset.group is None and isinstance(split, GroupKFoldSplit):
        raise ConfigError(
            f"split={split.kind}: needs the column of the groups; add dataset.group=COLUMN"
        )
    if split.group is None:
        return dataset, replace(split, group=dataset.group)
    if split.group == dataset.target:
        raise ConfigError(f"split.group={split.group}: is the target; name another column")
    if dataset.group is None:  # rows of what is held out together are not independent
        dataset = replace(dataset, split_group=split.group)
    return dataset, split


def check_report(report: ReportConfig) -> None:
    """Raise ConfigError for counts that are too small."""
    if report.importance_repeats < 1:
        raise ConfigError(
            f"report.importance_repeats={report.importance_repeats}: must be at least 1; try 5, "
            "or report.importance=false"
        )
    if report.min_group_size < 2:
        raise ConfigError(
            f"report.min_group_size={report.min_group_size}: must be at least 2, as an "
            "interval needs two rows; try 20"
        )


def refuse_positive(metric: str, target: str, n_classes: int) -> None:
    """Raise ConfigError: `metric` is about one class of two, and the target has more."""
    near = f"{metric}_macro"
    fix = f"use objective.metric={near}" if near in METRICS else "use objective.metric=roc_auc_ovr"
    raise ConfigError(
        f"objective.metric={metric}: is about the positive class of two, and '{target}' has "
        f"{n_classes} classes; {fix}"
    )


def check_objective(objective: ObjectiveConfig, dataset: DatasetConfig) -> None:
    """Raise ConfigError for a metric that does not fit the task, or the wrong direction."""
    direction = metric_direction(objective.metric)
    choices = ", ".join(metrics_of(dataset.task, dataset.is_ordered, dataset.n_classes))
    if METRICS[objective.metric].task != dataset.task:
        raise ConfigError(
            f"objective.metric={objective.metric}: measures {METRICS[objective.metric].task}, but "
            f"dataset.task={dataset.task}; choose from {choices}"
        )
    if METRICS[objective.metric].ordered and not dataset.is_ordered:
        raise ConfigError(
            f"objective.metric={objective.metric}: needs three or more classes in order; name them "
            f"as dataset.classes=[lowest,...,highest] or choose from {choices}"
        )
    if METRICS[objective.metric].binary and dataset.n_classes not in (None, 2):
        refuse_positive(objective.metric, dataset.target, dataset.n_classes or 0)
    if dataset.weight is not None and not METRICS[objective.metric].takes_weights:
        raise ConfigError(
            f"objective.metric={objective.metric}: takes no weights, and dataset.weight="
            f"{dataset.weight} gives rows some; declare it with weighted=True, or choose from "
            f"{choices}"
        )
    if objective.direction != direction:
        raise ConfigError(
            f"objective.direction={objective.direction}: the direction of {objective.metric} is "
            f"{direction}; set objective.direction={direction}"
        )
