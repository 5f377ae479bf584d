"""Before the first trial: which swept keys decide rows, folds or metric, and which only repeat.

No list of names says that. The corners of the space are composed and their rows divided anyway; a
key decides what changes when only its value does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from student_perf.compare.comparable import (
    differing,
    has_repeats,
    setting,
)
from student_perf.config.schema import ExperimentConfig, NestedSplit
from student_perf.errors import ConfigError
from student_perf.experiment.prepare import PreparedData
from student_perf.experiment.records import make_record
from student_perf.runs.record import RunRecord
from student_perf.sweep.options import SweepOptions
from student_perf.sweep.space import Space


@dataclass(frozen=True)
class Comparison:
    """Why a sweep has no best trial: `repeating` keys give a configuration other seeds, `deciding`
    keys change what their values name: data, folds or metric.
    """

    repeating: tuple[str, ...] = ()
    deciding: tuple[tuple[str, str], ...] = ()

    @property
    def is_apart(self) -> bool:
        """Whether some trials cannot be ranked against others."""
        return bool(self.repeating or self.deciding)

    @property
    def sentences(self) -> list[str]:
        """What that means for the sweep, for whoever reads its plan."""
        lines = [
            f"{key} decides the {what}: its values stand side by side, with no best among them"
            for key, what in self.deciding
        ]
        if self.repeating:
            keys = " and ".join(self.repeating)
            lines.append(
                f"{keys} repeats each configuration with other seeds: the mean counts, no single "
                "trial wins"
            )
        return lines


class Corners:
    """The corners of a space with what each is made from."""

    def __init__(self, space: Space) -> None:
        self._known: list[tuple[Mapping[str, Any], RunRecord]] = []
        # The values of a zip go together, so all its keys are one.
        self._zips = {p.key: tuple(p.rows[0]) for p in space.parameters if p.rows}

    def add(self, values: Mapping[str, Any], config: ExperimentConfig, data: PreparedData) -> None:
        """Take up a corner's values by key, and the config and rows that they lead to."""
        self._known.append((values, make_record(config, Path(), data)))

    def compared(self) -> Comparison:
        """What each swept key changes when only its value does."""
        repeating, deciding = [], []
        swept = (key for values, _ in self._known for key in values)
        for keys in dict.fromkeys(self._zips.get(key, (key,)) for key in swept):
            name = keys[0] if len(keys) == 1 else f"the zip of {' and '.join(keys)}"
            sides = self._beside(keys)
            decided = next(filter(None, map(_decided, sides)), [])
            if decided:
                deciding.append((name, " and ".join(decided)))
            elif any(map(has_repeats, sides)):
                repeating.append(name)
        return Comparison(tuple(repeating), tuple(deciding))

    def _beside(self, keys: Sequence[str]) -> list[list[RunRecord]]:
        """Corners with these keys, those together that differ in nothing else."""
        found: dict[str, list[RunRecord]] = {}
        for values, record in self._known:
            if keys[0] in values:
                rest = sorted((k, repr(v)) for k, v in values.items() if k not in keys)
                found.setdefault(repr(rest), []).append(record)
        return list(found.values())


def _decided(side: Sequence[RunRecord]) -> list[str]:
    """What keeps these corners from being ranked, in words, unless they only repeat."""
    if has_repeats(side) and len(set(map(setting, side))) == 1:
        return []
    return differing(side)


def check_no_outer_folds(config: ExperimentConfig, space: Space) -> None:
    """Raise ConfigError if a corner asks for sweeps of its own, as all outer folds together do."""
    if isinstance(config.split, NestedSplit) and config.split.outer_fold is None:
        values = next((p.describe() for p in space.parameters if p.key == "split"), "nested")
        raise ConfigError(
            f"split={values}: nested cross-validation is a sweep for each of its outer folds, so "
            "it cannot be one of the swept values; run it by itself, split=nested, and the others "
            "in a sweep of their own"
        )


def check_comparison(
    comparison: Comparison, options: SweepOptions, space: Space, sampler: str, is_nested: bool
) -> None:
    """Raise ConfigError if the sweep would have to choose among what cannot be ranked."""
    if not comparison.is_apart:
        return
    if is_nested:
        raise ConfigError(
            f"split=nested: chooses a winner in each outer fold, but {comparison.sentences[0]}; "
            "seeds and keys of split, dataset and objective cannot be swept in nested "
            "cross-validation"
        )
    if sampler != "grid":
        raise ConfigError(_why_no_search(comparison, space, sampler))
    keys = [*comparison.repeating, *(key for key, _ in comparison.deciding)]
    for name, asked, needs in (
        ("register", options.register is not None, "a winner"),
        ("repeats", options.repeats > 1 and bool(comparison.repeating), "one seed"),
        ("keep_models", options.keep_models > 1, "a winner"),
        ("patience", options.patience is not None, "a best trial"),
        ("pruner", options.pruner != "none", "trials that can be ranked"),
    ):
        if asked:
            raise ConfigError(
                f"hydra.sweeper.{name}={getattr(options, name)}: needs {needs}, which a sweep over "
                f"{', '.join(keys)} does not have; leave it out"
            )


def _why_no_search(comparison: Comparison, space: Space, sampler: str) -> str:
    described: Sequence[str] = [*(key for key, _ in comparison.deciding), *comparison.repeating]
    key = described[0]
    values = next((p.describe() for p in space.parameters if p.key == key), "")
    if comparison.deciding:
        return (
            f"{key}={values}: decides the {comparison.deciding[0][1]}, so {sampler} cannot rank "
            "its values; run a search for each value, or all combinations: "
            "hydra.sweeper.sampler=grid without n_trials"
        )
    return (
        f"{key}={values}: gives a configuration other seeds, so {sampler} cannot choose among its "
        "values; judge each configuration by its mean with hydra.sweeper.repeats=3, or run all "
        "combinations: hydra.sweeper.sampler=grid"
    )
