"""Which trials of a sweep may be ranked, and which only repeat one configuration.

Two trials can be ranked if and only if they share data, test rows, folds and metric. Trials of one
configuration that differ in nothing but seeds are repeats: they are no rivals, their mean counts.
`merged` makes one record of them, which a leaderboard takes like any other.

Repeats share rows, so their scores are not independent: a row that several seeds have answered
counts once. Where predictions are gone, scores on the same folds are averaged fold by fold first.
On other folds of the same data they are the random splits that the corrected interval of
`scoring.intervals` was made for: its variance never falls below that of a single training part,
however many seeds there are (Nadeau and Bengio 2003; for repeated folds Bouckaert and Frank 2004,
"Evaluating the Replicability of Significance Tests", PAKDD).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from student_perf.runs import tags
from student_perf.runs.record import RunRecord
from student_perf.scoring.influence import RowScores, mean_of
from student_perf.scoring.metrics import METRICS, logged_as
from student_perf.text import short_value

REPEATS = "repeats"  # the kind of a record that stands for several trials
_SEEDS = ("seed", "random_state")  # how the last words of config keys end
_FIRST_SEEDS = ("seed", "split.random_state", "split.test_random_state")  # those of every config
_FITTED = ("dataset.", "preprocess.", "model.")
_OF_FOLDS = ("std", "low", "high")  # figures that follow from fold scores

Key = tuple[Any, ...]


@dataclass
class Repeats(RunRecord):
    """A configuration over its repeats, as if their folds were those of one run."""

    members: Sequence[RunRecord] = field(default=(), repr=False)

    def row_scores(self, metric: str, groups: np.ndarray | None = None) -> RowScores | None:
        """The mean of a metric over the repeats by row; None if one lacks it. `groups` would be
        those of a single run's lines.
        """
        known = [None if groups is not None else one.row_scores(metric) for one in self.members]
        found = [one for one in known if one is not None]
        return mean_of(found) if len(found) == len(known) else None


@cache  # asked for each key of each of thousands of records, which have the same keys
def is_seed(key: str) -> bool:
    """Whether a config key only drives random numbers, by the end of its name: some libraries have
    several seeds, such as `bagging_seed`.

    >>> [is_seed(key) for key in ("seed", "split.random_state", "split.n_splits")]
    [True, True, False]
    """
    return key.endswith(_SEEDS)


def setting(record: RunRecord) -> Key:
    """What repeats share: data, metric, and the split but for its seeds."""
    split = [pair for pair in record.params.items() if pair[0].startswith("split.")]
    return record.data_sha256, record.encoding, record.objective, *_without_seeds(split)


def configuration(record: RunRecord) -> Key:
    """What is fitted, whatever the seeds: columns, preprocessing and model."""
    return _without_seeds(p for p in record.params.items() if p[0].startswith(_FITTED))


def answered_rows(record: RunRecord) -> Key:
    """Data, classes, test rows and folds: what runs share whose scores can be paired."""
    return *record.rows, record.encoding


def ranking_key(record: RunRecord) -> Key:
    """Data, classes, test rows and folds, metric: only runs that share all can be ranked."""
    return *answered_rows(record), record.objective


def can_be_ranked(trials: Sequence[RunRecord]) -> bool:
    """Whether there may be a best among these trials: all share `ranking_key`, none repeats."""
    return len(set(map(ranking_key, trials))) < 2 and not has_repeats(trials)


def has_repeats(trials: Sequence[RunRecord]) -> bool:
    """Whether some of these trials differ in nothing but seeds."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        for key, value in _seeds(trial).items():
            values.setdefault(key, set()).add(value)
    if all(len(known) == 1 for known in values.values()):
        return False  # as in nearly every sweep, which may have thousands of trials
    return any(map(_is_repeated, _groups(trials)))


def merged(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The records, with one in place of all finished trials of a sweep that repeat a configuration,
    where the first of them stood.
    """
    finished = [r for r in records if r.kind == "trial" and r.status == "FINISHED"]
    stands_for: dict[int, RunRecord | None] = {}
    for study in dict.fromkeys(record.study for record in finished):
        trials = [record for record in finished if record.study == study]
        if has_repeats(trials):
            groups = _groups(trials)
            names = _names([group[0] for group in groups])
            for name, group in zip(names, groups, strict=True):
                stands_for |= {id(record): None for record in group}
                stands_for[id(group[0])] = _as_one(name, group)
    kept = (stands_for.get(id(record), record) for record in records)
    return [record for record in kept if record is not None]


def differing(trials: Sequence[RunRecord]) -> list[str]:
    """What keeps trials from being ranked, in words: `data`, `folds`, `metric`."""
    sides: dict[str, set[Key | str]] = {
        "data": {(trial.data_sha256, trial.encoding) for trial in trials},
        "folds": {trial.split_sha256 for trial in trials},
        "metric": {trial.objective for trial in trials},
    }
    if len(sides["data"]) > 1:  # other rows have other folds
        del sides["folds"]
    return [name for name, values in sides.items() if len(values) > 1]


def varied(records: Sequence[RunRecord]) -> list[str]:
    """The swept keys, but for seeds, in which records differ."""
    swept = [record.swept for record in records]
    keys = dict.fromkeys(key for values in swept for key in values if not is_seed(key))
    return [key for key in keys if len({values.get(key) for values in swept}) > 1]


def _groups(trials: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Trials by setting and configuration, each group by its seeds."""
    found: dict[Key, list[RunRecord]] = {}
    for trial in trials:
        found.setdefault((setting(trial), configuration(trial)), []).append(trial)
    return [sorted(group, key=_place) for group in found.values()]


def _is_repeated(group: Sequence[RunRecord]) -> bool:
    return len({tuple(sorted(_seeds(trial).items())) for trial in group}) > 1


def _seeds(record: RunRecord) -> dict[str, str]:
    places = ("seed", "split.", *_FITTED)
    return {k: v for k, v in record.params.items() if is_seed(k) and k.startswith(places)}


def _place(record: RunRecord) -> tuple[list[tuple[int, str]], int]:
    """By which repeats are sorted, so that those of two configurations stand in the same order."""
    values = [record.params.get(key, "") for key in _FIRST_SEEDS]
    return [(len(value), value) for value in values], record.trial_number or 0


def _without_seeds(params: Iterable[tuple[str, str]]) -> Key:
    return tuple(sorted((key, value) for key, value in params if not is_seed(key)))


def _names(records: Sequence[RunRecord]) -> list[str]:
    """Names of configurations: in what they differ from others of their setting but for the seeds;
    the model if they do not.
    """
    rivals: dict[Key, list[RunRecord]] = {}
    for record in records:
        rivals.setdefault(setting(record), []).append(record)
    keys = {known: varied(some) for known, some in rivals.items()}
    return [
        ", ".join(_named(key, record) for key in keys[setting(record)] if key in record.swept)
        or record.model
        for record in records
    ]


def _named(key: str, record: RunRecord) -> str:
    value = short_value(record.swept[key])
    return value if key == "model" else f"{key.removeprefix('model.')}={value}"


def _as_one(name: str, group: Sequence[RunRecord]) -> Repeats:
    first, by_folds = group[0], _by_folds(group)
    shared = {
        key: value
        for key, value in first.params.items()
        if all(record.params.get(key) == value for record in group)
    }
    ratios = [record.test_over_train for record in group]
    known = {tags.STUDY, tags.MODEL, tags.DATASET, tags.DATASET_VERSION, tags.DATA_SHA256}
    known |= {tags.TARGET_SHA256, tags.COMMIT, tags.DIRTY, tags.OBJECTIVES}
    return Repeats(
        folder=first.folder.parent,
        name=name,
        kind=REPEATS,
        params=shared
        | {"test_over_train": repr(float(np.mean(ratios))), "repeats": str(len(group))},
        tags={key: value for key, value in first.tags.items() if key in known}
        | {tags.KIND: REPEATS, tags.SPLIT_SHA256: _joined(by_folds)},
        metrics=_mean_metrics(group, by_folds),
        status="FINISHED",
        started=min(record.started for record in group),
        members=tuple(group),
    )


def _by_folds(group: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    found: dict[str, list[RunRecord]] = {}
    for record in group:
        found.setdefault(record.split_sha256, []).append(record)
    return found


def _joined(hashes: Iterable[str]) -> str:
    """Hash of several splits in their order; of one it is its own."""
    known = list(hashes)
    return known[0] if len(known) == 1 else hashlib.sha256("".join(known).encode()).hexdigest()


def _mean_metrics(
    group: Sequence[RunRecord], by_folds: Mapping[str, Sequence[RunRecord]]
) -> dict[str, float | list[float]]:
    """Fold scores of all splits one after the other, and the mean of every other metric."""
    metrics: dict[str, float | list[float]] = {}
    for name, value in group[0].metrics.items():
        if isinstance(value, list):
            same = [_fold_means(records, name) for records in by_folds.values()]
            if all(len(scores) for scores in same):
                metrics[name] = [score for scores in same for score in scores]
        else:
            metrics[name] = float(np.mean([record.number(name) for record in group]))
    for metric in METRICS:
        for figure in _OF_FOLDS:
            metrics.pop(logged_as(metric, figure), None)
        means = [record.mean(metric) for record in group]
        if not any(map(math.isnan, means)):
            metrics[logged_as(metric, "repeats")] = means
    return metrics


def _fold_means(records: Sequence[RunRecord], name: str) -> list[float]:
    """Means over records that share their folds; empty if one lacks a score."""
    known = [record.metrics.get(name) for record in records]
    scores = [values for values in known if isinstance(values, list)]
    if len(scores) < len(known) or len(set(map(len, scores))) > 1:
        return []
    return [float(value) for value in np.mean(np.array(scores, dtype=np.float64), axis=0)]
