"""`hydra.sweeper.repeats`: each configuration is judged by its mean over several seeds.

Repeat i is, to the last digit, the run that `seed=SEED+i split.test_random_state=SEED` gives alone:
another seed of the model and of the folds, the same test rows. A trial holds them one after the
other, as `split=repeated_kfold` holds its folds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from student_perf.config.schema import ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError
from student_perf.evaluation.cross_validation import CVResult
from student_perf.experiment.prepare import PreparedData
from student_perf.runs.record import RunRecord
from student_perf.sweep.compose import TrialComposer


def composed_repeats(
    composer: TrialComposer, values: Mapping[str, Any], n_repeats: int, number: int = 0
) -> tuple[ExperimentConfig, ...]:
    """The configs that judge a configuration, the first with the seed that the config has.

    Args:
        composer: Of the sweep.
        values: What the trial varies, by config key.
        n_repeats: How many seeds.
        number: Of the trial.

    Raises:
        ConfigError: The values do not compose.
    """
    first = composer.compose(values, number)
    if n_repeats > 1 and not first.split.is_drawn:
        raise ConfigError(
            f"hydra.sweeper.repeats={n_repeats}: no seed changes the folds of "
            f"split={first.split.kind}, so the same folds would count again; leave it out"
        )
    held = {"split.test_random_state": first.split.test_seed}
    more = range(first.seed + 1, first.seed + n_repeats)
    return first, *(composer.compose({**values, "seed": seed, **held}, number) for seed in more)


def describe_repeats(record: RunRecord, configs: Sequence[ExperimentConfig]) -> None:
    """Say in a trial's record how many repeats it holds, and in what each differs from the first,
    by which it can be run again.
    """
    if len(configs) > 1:
        record.params["repeats"] = str(len(configs))
        changes = [dict(_changes(configs[0], other)) for other in configs[1:]]
        record.params["repeat_seeds"] = json.dumps(changes)


def repeated_composed(record: RunRecord, composed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The plain config of every repeat that a recorded run holds, given that of the first."""
    yield dict(composed)
    for changes in json.loads(record.params.get("repeat_seeds", "[]")):
        yield _with_leaves(composed, changes)


def joined_data(parts: Sequence[PreparedData]) -> PreparedData:
    """The rows of repeats with the folds of all of them; their test rows are the same.

    Raises:
        ConfigError: Two repeats share their folds, which would count as if there were more.
    """
    first = parts[0].split
    if len({part.split.sha256 for part in parts}) < len(parts):
        raise ConfigError(
            f"hydra.sweeper.repeats={len(parts)}: seeds share their folds, so the same folds would "
            "count again; leave out split.random_state, and each seed has its own"
        )
    assert all(np.array_equal(part.split.test, first.test) for part in parts)
    folds = tuple(fold for part in parts for fold in part.split.folds)
    split = replace(first, folds=folds, n_repeats=first.n_repeats * len(parts))
    warnings = list(dict.fromkeys(line for part in parts for line in part.warnings))
    return replace(parts[0], split=split, warnings=warnings)


def joined_result(results: Sequence[CVResult]) -> CVResult:
    """Held-out predictions and scores of all repeats in their order; the time is that of one."""
    first, starts = results[0], np.cumsum([0, *(one.fold.max() + 1 for one in results)])
    return replace(
        first,
        row=np.concatenate([one.row for one in results]),
        fold=np.concatenate([one.fold + i for one, i in zip(results, starts[:-1], strict=True)]),
        y_true=np.concatenate([one.y_true for one in results]),
        output=np.concatenate([one.output for one in results]),
        weights=_joined([one.weights for one in results]),
        groups=_joined([one.groups for one in results]),
        fold_scores=_joined_scores([one.fold_scores for one in results]),
        train_scores=_joined_scores([one.train_scores for one in results]),
        fit_seconds=float(np.mean([one.fit_seconds for one in results])),
        test_over_train=float(np.mean([one.test_over_train for one in results])),
    )


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.concatenate(known) if known else None


def _joined_scores(parts: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _changes(first: ExperimentConfig, other: ExperimentConfig) -> Iterator[tuple[str, Any]]:
    known = dict(iter_leaves(first.composed))
    for path, value in iter_leaves(other.composed):
        if path not in known or known[path] != value:
            yield path, value


def _with_leaves(composed: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A plain config with other values at dotted paths."""
    whole: dict[str, Any] = json.loads(json.dumps(composed))
    for path, value in changes.items():
        *parents, last = path.split(".")
        node = whole
        for name in parents:
            node = node[name]
        node[last] = value
    return whole
