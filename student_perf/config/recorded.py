"""The config that a run has recorded, read without trusting who recorded it.

A composed config of the user's own may look up the environment and call resolvers. A record may
come from a stranger and holds resolved values only, so nothing in it is ever interpolated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from student_perf.config.load import validate_plain
from student_perf.config.schema import ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError, one_line
from student_perf.paths import workspace

_MOST_VALUES = 100_000


def load_recorded(path: Path) -> ExperimentConfig:
    """The typed config in the file `config.yaml` of a run.

    Raises:
        ConfigError: It is not a config, or holds what would be looked up here.
    """
    return validate_plain(resolved_only(read_recorded(path)))


def read_recorded(path: Path) -> dict[str, Any]:
    """The plain content of the file `config.yaml` of a run.

    Raises:
        ConfigError: It is not YAML of plain values, or not a config.
    """
    try:
        composed = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem = f"cannot be read ({one_line(error)}); name another run"
        raise ConfigError(f"{path}: {problem}") from error
    if not isinstance(composed, dict):
        raise ConfigError(f"{path}: is not a config; name the config.yaml of a run")
    # References in YAML can stand for more values than there is memory.
    if next(islice(every_leaf(composed), _MOST_VALUES, None), None) is not None:
        raise ConfigError(f"{path}: holds more than {_MOST_VALUES:,} values; this one is refused")
    return composed


def resolved_only(composed: Mapping[str, Any]) -> dict[str, Any]:
    """The config of a record, with the cache folder of this workspace instead of its own.

    Raises:
        ConfigError: A value in it would be interpolated.
    """
    for path, value in every_leaf(composed):
        if isinstance(value, str) and "${" in value:
            raise ConfigError(
                f"{path}={value}: a record holds resolved values only; this one is refused"
            )
    dataset = composed.get("dataset")
    if not isinstance(dataset, Mapping) or "cache" not in dataset:
        return dict(composed)
    inner = "data/openml" if dataset.get("source") == "openml" else "data"
    return {**composed, "dataset": {**dataset, "cache": str(workspace() / inner)}}


def every_leaf(composed: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every plain value with its path, also those in lists."""
    for path, value in iter_leaves(composed):
        yield from _leaves_of(path, value)


def _leaves_of(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, list):
        yield path, value
        return
    for number, item in enumerate(value):
        place = f"{path}[{number}]"
        if isinstance(item, dict):
            for inner, leaf in iter_leaves(item, f"{place}."):
                yield from _leaves_of(inner, leaf)
        else:
            yield from _leaves_of(place, item)
