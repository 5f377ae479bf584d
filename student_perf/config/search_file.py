"""What the file of a model in `conf/search` varies, beside the defaults of `conf/model`.

Only to compare a run with them: a file that cannot be read varies nothing here, and the sweep that
uses it says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, RangeSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from student_perf.config.overrides import make_parser, quoted
from student_perf.config.search_path import find_config
from student_perf.errors import ConfigError

_MODEL = "model."


@dataclass(frozen=True)
class Searched:
    """A key of a search file.

    Attributes:
        key: In the config.
        numbers: The lowest and the highest number that are tried; None if there is no order.
        is_log: Whether the numbers lie evenly on a logarithmic scale.
        default: What `conf/model` has, as text; None if its file does not say.
    """

    key: str
    numbers: tuple[float, float] | None
    is_log: bool
    default: str | None


def searched_keys(model: str, known: Mapping[str, str]) -> list[Searched]:
    """The keys of a model that its search file varies; none without one.

    Args:
        model: Its name.
        known: The composed values by key, as text, on which conditions of the file depend.
    """
    defaults = _content(model, "model")
    sweeper = _group(_group(_content(model, "search"), "hydra"), "sweeper")
    return [
        Searched(key, *_numbers(key, str(values)), _default(defaults, key))
        for key, values in _params(sweeper, known)
        if key.startswith(_MODEL)
    ]


def _content(name: str, group: str) -> dict[str, Any]:
    """A file of `conf` as it is written, empty if there is none."""
    try:
        content = OmegaConf.to_container(OmegaConf.load(find_config(name, group)))
    except (ConfigError, OSError, ValueError, YAMLError, OmegaConfBaseException):
        return {}
    return {str(k): v for k, v in content.items()} if isinstance(content, dict) else {}


def _params(sweeper: Mapping[str, Any], known: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Keys and values of the space, of conditional ones those whose conditions hold."""
    yield from _group(sweeper, "params").items()
    for entry in sweeper.get("conditional") or []:
        when = _group(entry, "when")
        if all(known.get(key) in _as_texts(wanted) for key, wanted in when.items()):
            yield from _group(entry, "params").items()


def _group(node: Any, key: str) -> dict[str, Any]:
    """The group of keys at `key`; empty if there is none."""
    found = node.get(key) if isinstance(node, Mapping) else None
    return found if isinstance(found, dict) else {}


def _as_texts(wanted: Any) -> list[str]:
    return [str(one) for one in (wanted if isinstance(wanted, list) else [wanted])]


def _numbers(key: str, values: str) -> tuple[tuple[float, float] | None, bool]:
    """The ends of an interval or a range, and whether it is on a logarithmic scale."""
    try:
        override = _parser().parse_override(quoted(f"{key}={values}"))
    except HydraException:
        return None, False
    value = override.value()
    if isinstance(value, IntervalSweep) and None not in (value.start, value.end):
        return (float(value.start), float(value.end)), "log" in value.tags  # type: ignore[arg-type]
    if isinstance(value, RangeSweep):
        numbers: list[Any] = list(override.sweep_iterator())
        return (float(min(numbers)), float(max(numbers))) if numbers else None, "log" in value.tags
    return None, False


@cache
def _parser() -> OverridesParser:
    return make_parser()


def _default(defaults: Mapping[str, Any], key: str) -> str | None:
    """What a model's own file says of a key; nothing of a member that stands in another file."""
    node: Any = defaults
    for name in key.removeprefix(_MODEL).split("."):
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return None if "${" in str(node) else str(node)
