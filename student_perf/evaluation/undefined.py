"""What no model can be scored by, or answer, in a fold: known from its rows before any training.

Splits that keep classes in proportion leave no such fold; those of whole groups, by time, by a
column of the data, or stratified by another column than the target may.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from student_perf.config.schema import GroupKFoldSplit, SplitConfig
from student_perf.data.dataset import Dataset
from student_perf.errors import DataError
from student_perf.evaluation.splits import Split
from student_perf.scoring.answers import Answers
from student_perf.scoring.metrics import METRICS

_MOST_NAMES = 3


@dataclass(frozen=True)
class Gap:
    """A fold, by its name for messages, in which some metrics are undefined; `why` is a sentence on
    its validation rows, and `classes` are those that no such row has.
    """

    fold: str
    metrics: tuple[str, ...]
    why: str
    classes: tuple[str, ...] = ()

    def __str__(self) -> str:
        labels = ", ".join(METRICS[name].label for name in self.metrics)
        return f"{self.fold}: {self.why}; undefined there, and so without a mean: {labels}"


def find_gaps(dataset: Dataset, split: Split, config: SplitConfig) -> list[Gap]:
    """The folds whose validation rows leave metrics undefined, whatever a model answers."""
    gaps = []
    for number, fold in enumerate(split.folds):
        truth = dataset.target[fold.validation]
        why = _peculiarity(dataset, truth)
        metrics = _undefined_for(dataset, truth) if why else ()
        if metrics:
            name = fold_name(dataset, split, config, number)
            gaps.append(Gap(name, metrics, why, tuple(_missing(dataset, truth))))
    return gaps


def absent_classes(dataset: Dataset, split: Split) -> list[str]:
    """Labels of `dataset.classes` that no development row has."""
    return _missing(dataset, dataset.target[split.development])


def unknown_classes(dataset: Dataset, split: Split, config: SplitConfig) -> list[str]:
    """A line for each fold whose training rows lack a class that another fold has."""
    lines, absent = [], absent_classes(dataset, split)
    for number, fold in enumerate(split.folds):
        missing = _missing(dataset, dataset.target[fold.train])
        missing = [label for label in missing if label not in absent]
        if missing:
            lines.append(
                f"{fold_name(dataset, split, config, number)}: no training row has the class "
                f"{_listed(missing)}, so no model can learn it there"
            )
    return lines


def refuse_untaught(dataset: Dataset, split: Split, config: SplitConfig) -> None:
    """Raise DataError for a fold whose training rows all have one class, or one number."""
    for number, fold in enumerate(split.folds):
        truth = dataset.target[fold.train]
        if (truth == truth[0]).all():
            label = dataset.target_labels(truth[:1])[0]
            raise DataError(
                f"{fold_name(dataset, split, config, number)}: every training row has the target "
                f"'{label}', so there is nothing to learn; use fewer folds, or another split"
            )


def refuse_undefined(
    gaps: Collection[Gap], metrics: Collection[str], dataset: Dataset, key: str
) -> None:
    """Refuse to choose by a metric that a fold leaves undefined.

    Args:
        gaps: Those of the split.
        metrics: What decides, by name.
        dataset: The rows.
        key: The option that names the metrics, for the message.

    Raises:
        DataError: One of the metrics is undefined in some fold.
    """
    undefined = {name for gap in gaps for name in gap.metrics}
    nowhere = set(_missing(dataset, dataset.target))
    for gap in gaps:
        for name in metrics:
            if name in gap.metrics:
                choices = ", ".join(one for one in dataset.metrics if one not in undefined)
                is_listed_only = bool(gap.classes) and nowhere.issuperset(gap.classes)
                fix = "take it out of dataset.classes" if is_listed_only else "fewer folds"
                raise DataError(
                    f"{key}={name}: is undefined in {gap.fold}, since {gap.why}; choose a metric "
                    f"that every fold defines ({choices}), or {fix}"
                )


def _peculiarity(dataset: Dataset, truth: np.ndarray) -> str:
    """What a fold's truth lacks; empty if nothing."""
    if dataset.task == "regression":
        if len(truth) and (truth == truth[0]).all():
            return f"every validation row has the target {truth[0]:g}"
        return "a validation row has the target 0" if (truth == 0).any() else ""
    missing = _missing(dataset, truth)
    return f"no validation row has the class {_listed(missing)}" if missing else ""


def _undefined_for(dataset: Dataset, truth: np.ndarray) -> tuple[str, ...]:
    """The metrics that even answers without ties or regularities leave undefined."""
    shape = (len(truth), len(dataset.classes)) if dataset.classes else (len(truth),)
    output = np.random.default_rng(0).random(shape)
    if dataset.classes:
        output /= output.sum(axis=1, keepdims=True)
    scores = Answers(truth, output).scores(dataset.ordered)
    return tuple(name for name, value in scores.items() if np.isnan(value))


def _missing(dataset: Dataset, truth: np.ndarray) -> list[str]:
    """Labels of the classes that no row has."""
    if not dataset.classes:
        return []
    counts = np.bincount(truth, minlength=len(dataset.classes))
    return [str(label) for label, n in zip(dataset.classes, counts, strict=True) if n == 0]


def fold_name(dataset: Dataset, split: Split, config: SplitConfig, number: int) -> str:
    """`fold 2 of 5 (school 'north')`: with the groups of its validation rows, if they have some."""
    name = split.fold_name(number)
    if not isinstance(config, GroupKFoldSplit) or config.group is None:
        return name
    column = dataset.column(config.group, "split.group")
    groups = column.iloc[split.folds[number].validation].unique()
    return f"{name} ({config.group} {_listed(list(map(str, groups)))})"


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join([f"'{name}'" for name in names[:_MOST_NAMES]] + more)
