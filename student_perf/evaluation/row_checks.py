"""Checks of classes and folds: what no model can learn or be scored by, and rows on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest, ttest_1samp

from student_perf.config.overrides import setting
from student_perf.data.dataset import Dataset
from student_perf.evaluation.registry import Subject, check
from student_perf.evaluation.structure import copies_line
from student_perf.evaluation.undefined import (
    absent_classes,
    find_gaps,
    fold_name,
    unknown_classes,
)
from student_perf.scoring.metrics import METRICS
from student_perf.text import plural

# What to do about rows that are known, where the split itself cannot keep them together.
_KNOWN_ROWS = {
    "group_kfold": "they are of other groups",
    "stratified_group_kfold": "they are of other groups",
    "temporal": "those are older",
    "column": "the column puts them on two sides",
}
FEWEST_OF_A_CLASS = 10  # training rows
CHANCE = 0.001  # of a false alarm, over all folds
_SHARE_MOVED, _MEAN_MOVED = 0.15, 0.5  # of a class, and in standard deviations


@check(
    "SP104",
    "Rows on both sides",
    what="Held-out rows have the same features as a training row.",
    why="A model can know their answer by heart. In a public copy of the xAPI data most rows stand "
    "twice, and a result on it is worthless unless copies stay on one side.",
    fix="Use `split.keep_duplicates_together=true`, the default.",
)
def shared_rows(subject: Subject) -> Iterator[str]:
    """A line if held-out rows repeat training rows."""
    groups, split = subject.dataset.duplicate_groups, subject.split
    known = np.isin(groups[split.test], groups[split.development]).sum()
    for fold in split.folds:
        known += np.isin(groups[fold.validation], groups[fold.train]).sum()
    fix = "use split.keep_duplicates_together=true"
    if split.kind in _KNOWN_ROWS:
        fix = f"{_KNOWN_ROWS[split.kind]}; if they are copies: {copies_line(subject.dataset)}"
    if known:
        yield f"split: {known} held-out rows have the features of a training row; {fix}"


@check(
    "SP301",
    "A class too rare to learn",
    what="A class has fewer than ten rows among the training rows of a fold, or `dataset.classes` "
    "lists it and no row has it.",
    why="No model learns a class from so few rows, and one held-out row of it moves its recall by "
    "a third or more. Macro averages then follow a handful of rows.",
    fix="Merge the class with its neighbour (`map_values` in `dataset.clean`, or other "
    "`dataset.bands`), or collect more rows of it. Take a class without rows out of "
    "`dataset.classes`.",
)
def rare_class(subject: Subject) -> Iterator[str]:
    """A line for each class with few training rows in some fold, and one for those without rows."""
    dataset, split = subject.dataset, subject.split
    if not dataset.classes:
        return
    if absent := absent_classes(dataset, split):
        kept = [label for label in dataset.classes if str(label) not in absent]
        line = setting("dataset.classes", kept)
        named = " and ".join(f"'{label}'" for label in absent)
        yield (
            f"class {named} of '{dataset.target_name}': has 0 rows to learn from; take it out of "
            f"the list: {line}"
        )
    counts = [
        np.bincount(dataset.target[f.train], minlength=len(dataset.classes)) for f in split.folds
    ]
    for label, n in zip(dataset.classes, np.min(counts, axis=0), strict=True):
        if 0 < n < FEWEST_OF_A_CLASS:
            yield (
                f"class '{label}' of '{dataset.target_name}': has {plural(int(n), 'training row')} "
                "in a fold, too few to learn it; merge it with another or collect more"
            )


@check(
    "SP302",
    "A fold without a class to learn",
    what="The training rows of a fold lack a class that its held-out rows may hold.",
    why="A model cannot answer a class that it has never seen. Only splits of whole groups or of "
    "time leave such folds.",
    fix="Use fewer folds, another column of groups, or merge the class with another.",
)
def unlearnt_class(subject: Subject) -> Iterator[str]:
    """A line for each fold whose training rows lack a class."""
    yield from unknown_classes(subject.dataset, subject.split, subject.split_config)


@check(
    "SP303",
    "A fold that leaves metrics undefined",
    what="The held-out rows of a fold lack a class, or all have the same target.",
    why="Some metrics are undefined there, whatever a model answers, so they have no mean over the "
    "folds. A run whose deciding metric is among them stops.",
    fix="Use fewer folds, another column of groups, or a metric that every fold defines.",
)
def undefined_metric(subject: Subject) -> Iterator[str]:
    """A line for each fold that leaves metrics undefined of which people look at one."""
    absent = set(absent_classes(subject.dataset, subject.split))
    for gap in find_gaps(subject.dataset, subject.split, subject.split_config):
        is_said = bool(gap.classes) and absent.issuperset(gap.classes)  # by SP301
        if not is_said and any(METRICS[name].usual for name in gap.metrics):
            yield str(gap)


@check(
    "SP304",
    "Folds that are unlike each other",
    what="The held-out rows of a fold have another target than those of all folds: a class share "
    "differs by 0.15 or more, or the mean by half a standard deviation, and not by chance (p below "
    "0.001).",
    why="The folds then ask different questions, and their mean answers none of them: a model can "
    "be good in one and poor in another. Splits in proportion have no such folds; those of few "
    "groups, by time or by a column may.",
    fix="Look at the scores of single folds, use fewer folds, or `split=stratified_group_kfold` "
    "instead of `group_kfold`. If new rows will differ as much, it is a fact about the data.",
)
def unlike_folds(subject: Subject) -> Iterator[str]:
    """A line for each fold whose target is unlike that of all held-out rows."""
    dataset, folds = subject.dataset, subject.split.folds
    if len(folds) < 2:
        return
    validated = np.zeros(dataset.n_rows, dtype=bool)
    validated[np.concatenate([fold.validation for fold in folds])] = True
    every = dataset.target[validated]
    for number, fold in enumerate(folds):
        if words := _unlike(dataset, dataset.target[fold.validation], every, len(folds)):
            name = fold_name(dataset, subject.split, subject.split_config, number)
            yield f"{name}: {words}; the mean over folds hides this, look at each of them"


def _unlike(dataset: Dataset, mine: np.ndarray, every: np.ndarray, n_folds: int) -> str:
    """How the target of a fold's rows differs from that of all; empty if it hardly does."""
    chance = CHANCE / n_folds
    if not dataset.classes:
        spread = float(every.std())
        moved = abs(float(mine.mean() - every.mean()))
        if moved < _MEAN_MOVED * spread or ttest_1samp(mine, every.mean()).pvalue >= chance:
            return ""
        return f"its target has a mean of {mine.mean():.4g}, that of all folds {every.mean():.4g}"
    counts, all_counts = (np.bincount(y, minlength=len(dataset.classes)) for y in (mine, every))
    shares, expected = counts / len(mine), all_counts / len(every)
    code = int(np.abs(shares - expected).argmax())
    test = binomtest(int(counts[code]), len(mine), float(expected[code]))
    if abs(shares[code] - expected[code]) < _SHARE_MOVED or test.pvalue >= chance:
        return ""
    return (
        f"{shares[code]:.0%} of its rows are of class '{dataset.classes[code]}', "
        f"{expected[code]:.0%} of those of all folds"
    )
