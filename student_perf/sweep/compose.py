"""Configs of trials: composed by Hydra if groups change; a copy is updated if only values do, which
takes a hundredth of the time.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from student_perf.config.explain import explain_composition_error
from student_perf.config.load import compose_config, validate, validate_resolved
from student_perf.config.schema import ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError, suggest

_NAME = re.compile(r"[^\s${}:,()\[\]'\"]+")  # a key within an interpolation
# Relative paths, and keys that another key names: `${.a}`, `${oc.select:.a}`, `${${a}}`.
_OPAQUE = re.compile(r"\$\{\s*(\.|\$\{)|[:,]\s*\.")
_SCALARS = (bool, int, float, str, type(None))
_MOST_BASES = 100  # each takes some 0.2 MB


class TrialComposer:
    """Composes the config of a trial from what the sweep fixes and what the trial varies.

    `groups` names the varied keys that choose an option of a group or have a sign (`+key`). Only a
    change in one of them needs Hydra's composition. Compositions are kept.
    """

    def __init__(self, fixed: Sequence[str], groups: frozenset[str] = frozenset()) -> None:
        self.fixed = tuple(fixed)
        self._groups = groups
        self._bases: dict[tuple[str, ...], _Base] = {}

    def varying(self, groups: frozenset[str]) -> TrialComposer:
        """The same composer, with its compositions, that knows which keys choose options."""
        other = TrialComposer(self.fixed, groups)
        other._bases = self._bases
        return other

    def compose(self, values: Mapping[str, Any]) -> ExperimentConfig:
        """Valid config with these values by key. Raises ConfigError in one line."""
        chosen = tuple(f"{k}={_literal(v)}" for k, v in values.items() if k in self._groups)
        rest = {key: value for key, value in values.items() if key not in self._groups}
        try:
            base = self._base(chosen)
        except Exception as error:
            raise explain_composition_error(error, [*self.fixed, *chosen]) from error
        composed = base.with_scalars(rest)
        if composed is not None:
            return validate_resolved(composed)
        cfg = copy.deepcopy(base.cfg)
        for key, value in rest.items():
            _check_key(cfg, key)
            OmegaConf.update(cfg, key, _container(value))
        return validate(cfg)

    def _base(self, chosen: tuple[str, ...]) -> _Base:
        if chosen not in self._bases:
            if len(self._bases) == _MOST_BASES:
                del self._bases[next(iter(self._bases))]
            self._bases[chosen] = _Base(compose_config([*self.fixed, *chosen]))
        return self._bases[chosen]


class _Base:
    """A composed config, and its resolved form if values may be set in that directly."""

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg = cfg
        leaves = (str(leaf) for _, leaf in iter_leaves(_plain(cfg, resolve=False)))
        texts = [text for text in leaves if "${" in text]
        self._mentioned = {name.strip(".") for text in texts for name in _NAME.findall(text)}
        self._is_opaque = any(_OPAQUE.search(text) for text in texts)
        self._resolved: dict[str, Any] | None = None
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


def _check_key(cfg: DictConfig, key: str) -> None:
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    known = [str(name) for name in node] if isinstance(node, DictConfig) else []
    if last not in known:
        raise ConfigError(f"{key}: the config has no such key to sweep; {suggest(last, known)}")


def _literal(value: Any) -> str:
    return "null" if value is None else str(value)


def _container(value: Any) -> Any:
    """A list or group that was kept as the text of its override."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return OverridesParser.create().parse_override(f"x={value}").value()
    return value
