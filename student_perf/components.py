"""Estimators and transformers from config nodes: allow-listed, checked, built unfitted.

The only place where a name from a config becomes a class. A config record may come from a
stranger, so nothing outside `ALLOWED_PREFIXES` is ever imported from one.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any

from hydra.utils import get_class, instantiate
from sklearn.base import BaseEstimator

from student_perf.errors import ConfigError, one_line, suggest

ALLOWED_PREFIXES = ("sklearn.", "xgboost.", "student_perf.models.")


def build_component(node: Mapping[str, Any], path: str) -> BaseEstimator:
    """Unfitted estimator or transformer that the node's `_target_` and parameters describe.

    `path` is the node's place in the config, for messages. Raises ConfigError for a target outside
    the allow-list, an unknown parameter, and a value of the wrong type or outside its range.
    """
    target = str(node.get("_target_", ""))
    if not target.startswith(ALLOWED_PREFIXES):
        raise ConfigError(
            f"{path}._target_={target}: only classes below "
            f"{', '.join(ALLOWED_PREFIXES)} may be named; choose one of those"
        )
    cls = _estimator_class(target, path)
    parameters = {key: value for key, value in node.items() if key != "_target_"}
    known: dict[str, Any] = _parameter_hints(cls)
    for name, value in parameters.items():
        if name not in known:
            raise ConfigError(
                f"{path}.{name}={value}: {cls.__name__} has no parameter '{name}'; "
                f"{suggest(name, known)}"
            )
        if not _accepts(known[name], value):
            raise ConfigError(
                f"{path}.{name}={value}: {cls.__name__} takes {_words(known[name])} for '{name}'; "
                f"the default is {cls().get_params()[name]}"
            )
    component: BaseEstimator = instantiate({"_target_": target, **parameters})
    _check_ranges(component, path)
    return component


def _estimator_class(target: str, path: str) -> type[BaseEstimator]:
    try:
        cls = get_class(target)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{path}._target_={target}: there is no such class ({one_line(error)}); "
            "correct the name"
        ) from error
    if not issubclass(cls, BaseEstimator):
        raise ConfigError(f"{path}._target_={target}: is no scikit-learn estimator; name one")
    return cls


def _parameter_hints(cls: type[BaseEstimator]) -> dict[str, Any]:
    """Parameter names with their type hints (Any where there is none), parents included.

    xgboost's scikit-learn classes take most parameters through **kwargs of a parent, so the
    signature of the class alone does not list them.
    """
    hints: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        if "__init__" in vars(owner):
            hints |= typing.get_type_hints(owner.__init__)  # type: ignore[misc]
    return {name: hints.get(name, Any) for name in cls().get_params(deep=False)}


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a plain config value fits a type hint; hints of other kinds accept everything."""
    plain = _plain_types(hint)
    if plain is None:
        return True
    if isinstance(value, bool):
        return bool in plain
    return isinstance(value, plain) or (isinstance(value, int) and float in plain)


def _plain_types(hint: Any) -> tuple[type, ...] | None:
    """The int, float, str, bool and None of a hint; None where it holds anything else."""
    parts = (
        typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, UnionType) else (hint,)
    )
    if all(part in (int, float, str, bool, NoneType) for part in parts):
        return parts
    return None


def _words(hint: Any) -> str:
    words = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        NoneType: "null",
    }
    return " or ".join(words[part] for part in _plain_types(hint) or ())


def _check_ranges(component: BaseEstimator, path: str) -> None:
    """Let scikit-learn check values against its declared constraints, as it would when fitting."""
    if not hasattr(component, "_parameter_constraints"):
        return
    try:
        component._validate_params()
    except ValueError as error:
        name = str(error).split("'")[1] if "'" in str(error) else ""
        value = component.get_params(deep=False).get(name)
        raise ConfigError(f"{path}.{name}={value}: {one_line(ConfigError(str(error)))}") from error
