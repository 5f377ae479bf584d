"""Checks of classes and folds: what no model can learn or be scored by, and rows on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from student_perf.evaluation.registry import Subject, check
from student_perf.evaluation.structure import copies_line
from student_perf.evaluation.undefined import find_gaps, unknown_classes
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
    what="A class has fewer than ten rows among the training rows of a fold.",
    why="No model learns a class from so few rows, and one held-out row of it moves its recall by "
    "a third or more. Macro averages then follow a handful of rows.",
    fix="Merge the class with its neighbour (`map_values` in `dataset.clean`, or other "
    "`dataset.bands`), or collect more rows of it.",
)
def rare_class(subject: Subject) -> Iterator[str]:
    """A line for each class with few training rows in some fold."""
    dataset, split = subject.dataset, subject.split
    if not dataset.classes:
        return
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
    for gap in find_gaps(subject.dataset, subject.split, subject.split_config):
        if any(METRICS[name].usual for name in gap.metrics):
            yield str(gap)
