"""Configs of trials: composed by Hydra if groups change; a copy is updated if only values do, which
takes a hundredth of the time.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from student_perf.config.explain import explain_composition_error, missing_key
from student_perf.config.load import hydra_node, validate, validate_resolved
from student_perf.config.overrides import accepted, element, literal
from student_perf.config.schema import ExperimentConfig
from student_perf.config.search_path import ConfigSource, standard_source, without_hydra
from student_perf.config.typed import iter_leaves
from student_perf.sweep.space import is_written

_NAME = re.compile(r"[^\s${}:,()\[\]'\"]+")  # a key within an interpolation
# Relative paths, and keys that another key names: `${.a}`, `${oc.select:.a}`, `${${a}}`.
_OPAQUE = re.compile(r"\$\{\s*(\.|\$\{)|[:,]\s*\.")
_OF_HYDRA = re.compile(r"\$\{\s*hydra\s*:")
_SCALARS = (bool, int, float, str, type(None))
_MOST_BASES = 100  # each takes some 0.2 MB


class TrialComposer:
    """Composes the config of a trial from what the sweep fixes and what the trial varies.

    `groups` names the varied keys that choose an option of a group or have a sign (`+key`). Only a
    change in one of them needs Hydra's composition. Compositions are kept. `source` is what the
    sweep's command composes from.
    """

    def __init__(
        self,
        fixed: Sequence[str],
        groups: frozenset[str] = frozenset(),
        source: ConfigSource | None = None,
    ) -> None:
        self.fixed = tuple(fixed)
        self.source = source or standard_source()
        self._groups = groups
        self._bases: dict[tuple[str, ...], _Base] = {}

    def varying(self, groups: frozenset[str]) -> TrialComposer:
        """The same composer, with its compositions, that knows which keys choose options."""
        other = TrialComposer(self.fixed, groups, self.source)
        other._bases = self._bases
        return other

    def words(self, values: Mapping[str, Any]) -> list[str]:
        """The overrides of a trial as the command line takes them."""
        return [*self.fixed, *_words(values)]

    def compose(self, values: Mapping[str, Any], number: int = 0) -> ExperimentConfig:
        """Valid config with these values by key, of the trial with this number. Raises ConfigError
        in one line.
        """
        chosen = {key: value for key, value in values.items() if key in self._groups}
        rest = {key: value for key, value in values.items() if key not in self._groups}
        base = self._base(tuple(_words(chosen)))
        if base.asks_hydra:
            return self._as_job(values, number)
        composed = base.with_scalars(rest)
        if composed is not None:
            return validate_resolved(composed)
        cfg = copy.deepcopy(base.cfg)
        for key, value in rest.items():
            _check_key(cfg, key, value)
            OmegaConf.update(cfg, key, _container(value))
        return validate(cfg)

    def keys(self, values: Mapping[str, Any]) -> frozenset[str]:
        """The paths of all values and groups in the config with these options. Raises ConfigError
        in one line.
        """
        cfg = self._base(tuple(_words(values))).cfg
        return frozenset(_paths(_plain(cfg, resolve=False)))

    def missing(self, values: Mapping[str, Any]) -> frozenset[str]:
        """The paths of the values that have no default with these options. Raises ConfigError in
        one line.
        """
        leaves = iter_leaves(_plain(self._base(tuple(_words(values))).cfg, resolve=False))
        return frozenset(path for path, value in leaves if value == "???")

    def options(self) -> dict[str, Any]:
        """The option of each group without what the trials vary; empty if that does not compose."""
        try:
            return self._base(()).options
        except Exception:  # only some of the varied options may have the keys that are fixed
            return {}

    def _base(self, chosen: tuple[str, ...]) -> _Base:
        if chosen not in self._bases:
            if len(self._bases) == _MOST_BASES:
                del self._bases[next(iter(self._bases))]
            self._bases[chosen] = _Base(self._composed(chosen))
        return self._bases[chosen]

    def _composed(self, words: Sequence[str]) -> DictConfig:
        try:
            return self.source.compose([*self.fixed, *words])
        except Exception as error:
            raise explain_composition_error(error, [*self.fixed, *words]) from error

    def _as_job(self, values: Mapping[str, Any], number: int) -> ExperimentConfig:
        """The config as Hydra's own job has it, whose node the config looks into."""
        cfg = self._composed(_words(values))
        with hydra_node(cfg, number):
            return validate(without_hydra(cfg))


class _Base:
    """A composed config, and its resolved form if values may be set in that directly."""

    def __init__(self, cfg: DictConfig) -> None:
        self.options = dict(cfg.hydra.runtime.choices)
        self.cfg = without_hydra(cfg)
        leaves = (str(leaf) for _, leaf in iter_leaves(_plain(cfg, resolve=False)))
        texts = [text for text in leaves if "${" in text]
        self.asks_hydra = any(_OF_HYDRA.search(text) for text in texts)
        self._mentioned = {name.strip(".") for text in texts for name in _NAME.findall(text)}
        self._is_opaque = any(_OPAQUE.search(text) for text in texts)
        self._resolved: dict[str, Any] | None = None
        if self.asks_hydra:
            return
        with suppress(OmegaConfBaseException):  # a missing value may be one that is swept
            self._resolved = _plain(cfg, resolve=True)

    def with_scalars(self, values: Mapping[str, Any]) -> dict[str, Any] | None:
        """The resolved config with these values; None if a key is new, a value is more than a
        scalar, or an interpolation may depend on one of the keys.
        """
        if self._resolved is None or self._is_opaque:
            return None
        composed = copy.deepcopy(self._resolved)
        for key, value in values.items():
            *path, last = key.split(".")
            node: Any = composed
            for name in path:
                node = node.get(name, {}) if isinstance(node, dict) else {}
            known = isinstance(node, dict) and last in node
            simple = known and _is_scalar(node[last]) and _is_scalar(value)
            if not simple or any(_overlap(key, name) for name in self._mentioned):
                return None
            node[last] = value
        return composed


def _plain(cfg: DictConfig, resolve: bool) -> dict[str, Any]:
    plain = OmegaConf.to_container(cfg, resolve=resolve, throw_on_missing=resolve)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def _is_scalar(value: Any) -> bool:
    """Whether a value stands for itself: neither a container nor a text that would be read as a
    container, an interpolation or a missing value.
    """
    plain = type(value) in _SCALARS and _container(value) is value
    return plain and "${" not in str(value) and value != "???"


def _overlap(key: str, name: str) -> bool:
    """Whether one of two dotted paths is the other or lies below it."""
    return key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")


def _check_key(cfg: DictConfig, key: str, value: Any) -> None:
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    # `last in node` would be false for a value that has no default.
    if not isinstance(node, DictConfig) or last not in list(node):
        paths = [path for path, _ in iter_leaves(_plain(cfg, resolve=False))]
        task = OmegaConf.select(cfg, "dataset.task", throw_on_resolution_failure=False)
        raise missing_key(f"{key}={value}", paths, task)


def _paths(node: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted path of every value and every group of values."""
    for key, value in node.items():
        yield f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _paths(value, f"{prefix}{key}.")


def _words(values: Mapping[str, Any]) -> list[str]:
    """Values by key as overrides."""
    return [accepted(f"{key}={_word(value, key)}") for key, value in values.items()]


def _word(value: Any, key: str) -> str:
    return value if is_written(value) else literal(value, key)


def _container(value: Any) -> Any:
    """A list, a group or a text that was kept as the text of its override."""
    return element(value) if is_written(value) else value
