"""Estimators and transformers from config nodes: allow-listed, checked, built unfitted.

Only this module turns a name from a config into a class. A recorded config may come from a
stranger, so nothing outside `allowed_prefixes()` is ever imported.

>>> build_component({"_target_": "sklearn.preprocessing.StandardScaler", "with_mean": False}, "x")
StandardScaler(with_mean=False)
>>> build_component({"_target_": "os.system"}, "x")  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
student_perf.errors.ConfigError: x._target_=os.system: only classes below sklearn., ...
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import NoneType, UnionType
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import make_constraint

from student_perf.errors import ConfigError, one_line, suggest
from student_perf.models.libraries import LIBRARIES, Library, allowed_prefixes, library_of
from student_perf.shell import install_extra

_PLAIN_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}

_SCALARS = (bool, int, float, str, NoneType)
# scikit-learn's name for a folder in which joblib keeps what was computed, and reads it from
_MEMORY = "memory"


def build_component(
    node: Mapping[str, Any],
    path: str,
    elsewhere: Mapping[str, str] | None = None,
    parts: Mapping[str, Any] | None = None,
) -> BaseEstimator:
    """Build the unfitted estimator or transformer that a node describes.

    Args:
        node: `_target_`, the dotted name of the class, and its parameters.
        path: The node's place in the config, for messages.
        elsewhere: Place by name of the parameters that the user wrote somewhere else.
        parts: Parameters that are estimators already, or lists of them.

    Raises:
        ConfigError: The target is not allowed, a parameter is unknown, or a value has the wrong
            type or is out of range.
    """
    cls = _estimator_class(str(node.get("_target_", "")), path)
    parameters = {key: value for key, value in node.items() if key != "_target_"}
    places = {name: f"{path}.{name}" for name in parameters} | dict(elsewhere or {})
    hints = _parameter_hints(cls)  # type: ignore[arg-type]  # mypy takes classes for unhashable
    for name, value in parameters.items():
        if name not in hints:
            raise ConfigError(
                f"{places[name]}={value}: {cls.__name__} has no parameter '{name}'; "
                f"{suggest(name, hints)}"
            )
        if not _accepts(hints[name], value):
            words = " or ".join(_PLAIN_WORDS[part] for part in _plain_types(hints[name]) or ())
            raise ConfigError(
                f"{places[name]}={value}: {cls.__name__} takes {words} for '{name}'; "
                "write one of those"
            )
        if name == _MEMORY and value is not None:
            raise ConfigError(
                f"{places[name]}={value}: a folder of cached steps holds pickles, which are code; "
                "leave it out"
            )
    _check_served(cls, parameters, places)
    for name in (parts or {}).keys() - hints.keys():
        raise ConfigError(f"{path}: {cls.__name__} takes no model as '{name}'; leave it out")
    component = cls(**parameters, **(parts or {}))
    _check_ranges(component, places)
    return component


def _check_served(
    cls: type[BaseEstimator], parameters: Mapping[str, Any], places: Mapping[str, str]
) -> None:
    """Raise ConfigError for a parameter of the library that would need what no fit here has."""
    library = library_of(cls)
    for name in parameters:
        reason = library.unserved.get(name) if library else None
        if reason and parameters[name] is not None:
            raise ConfigError(f"{places[name]}={parameters[name]}: {reason}")


def _estimator_class(target: str, path: str) -> type[BaseEstimator]:
    allowed = allowed_prefixes()
    if not target.startswith(allowed):
        raise ConfigError(
            f"{path}._target_={target}: only classes below {', '.join(allowed)} may be named; "
            "choose one of those, or name a module of your own in conf/trusted.yaml"
        )
    module_name, _, name = target.rpartition(".")
    try:
        module = import_module(module_name)
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        for library in LIBRARIES:
            if library.name == missing and library.extra:
                raise _not_installed(library, f"{path}._target_={target}") from error
        raise ConfigError(
            f"{path}._target_={target}: there is no module {module_name}; correct the name"
        ) from error
    cls = getattr(module, name, None)
    if not (isinstance(cls, type) and issubclass(cls, BaseEstimator)):
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        raise ConfigError(
            f"{path}._target_={target}: {module_name} has no estimator '{name}'; "
            f"{suggest(name, classes)}"
        )
    owner = library_of(cls)
    if owner is not None and owner.extra and find_spec(owner.name) is None:
        raise _not_installed(owner, f"{path}._target_={target}")
    return cls


def _not_installed(library: Library, place: str) -> ConfigError:
    assert library.extra is not None
    return ConfigError(
        f"{place}: needs {library.name}, which is not installed; "
        f"run: {install_extra(library.extra)}"
    )


@cache
def _parameter_hints(cls: type[BaseEstimator]) -> dict[str, Any]:
    """Parameter names with their type hints (Any without one), those of parents included.

    The signature alone is not enough: xgboost's scikit-learn classes take most parameters through
    **kwargs of a parent.
    """
    hints: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        if "__init__" in vars(owner):
            hints |= typing.get_type_hints(owner.__init__)  # type: ignore[misc]
    signature = inspect.signature(cls).parameters.values()
    needs_some = any(p.default is p.empty and p.kind is not p.VAR_KEYWORD for p in signature)
    names = cls._get_param_names() if needs_some else cls().get_params(deep=False)
    library = library_of(cls)
    keywords = library.keywords if library else {}
    return {name: hints.get(name, Any) for name in names} | dict(keywords)


def _accepts(hint: Any, value: Any) -> bool:
    """Whether a plain config value fits a type hint; hints of other kinds accept everything."""
    plain = _plain_types(hint)
    if plain is None:
        return True
    if isinstance(value, bool):
        return bool in plain
    return isinstance(value, plain) or (isinstance(value, int) and float in plain)


def _plain_types(hint: Any) -> tuple[type, ...] | None:
    """The int, float, str, bool and None of a hint; None if it holds anything else."""
    is_union = typing.get_origin(hint) in (typing.Union, UnionType)
    parts = typing.get_args(hint) if is_union else (hint,)
    return parts if all(part in _PLAIN_WORDS for part in parts) else None


def _check_ranges(component: BaseEstimator, places: Mapping[str, str]) -> None:
    """Let scikit-learn check values against its declared constraints, as it does when fitting."""
    if not hasattr(component, "_parameter_constraints"):
        return
    try:
        component._validate_params()
    except ValueError as error:
        rule = one_line(ConfigError(str(error)))
        name = next((name for name in places if f"'{name}'" in rule), "")
        value = component.get_params(deep=False).get(name)
        raise ConfigError(f"{places.get(name, name)}={value}: {rule}") from error


def have_one_meaning(one: BaseEstimator, other: BaseEstimator) -> bool:
    """Whether two unfitted estimators or transformers are the same to their libraries: their
    parameters are equal, and where 1 stands beside 1.0 no constraint takes only one of the two.

    >>> from sklearn.ensemble import RandomForestClassifier as RF
    >>> have_one_meaning(RF(max_features=1), RF(max_features=1.0))
    False
    >>> have_one_meaning(RF(ccp_alpha=0), RF(ccp_alpha=0.0))
    True
    """
    sides = one.get_params(), other.get_params()
    if sides[0].keys() != sides[1].keys():
        return False
    for name in sides[0]:
        a, b = (side[name] for side in sides)
        if not isinstance(a, _SCALARS):
            continue  # the parameters of a part have names of their own
        owner, _, parameter = name.rpartition("__")
        if not (a == b or repr(a) == repr(b)):  # NaN, as a missing value is written, equals none
            return False
        if not _takes_alike(sides[0][owner] if owner else one, parameter, a, b):
            return False
    return True


def _takes_alike(owner: BaseEstimator, name: str, one: Any, other: Any) -> bool:
    """Whether the type of two equal values makes no difference to a parameter. A class without
    constraints may make one, unless its library is known to take all numbers alike.
    """
    if type(one) is type(other):
        return True
    constraints = getattr(owner, "_parameter_constraints", {}).get(name)
    if not isinstance(constraints, list):
        library = library_of(type(owner))
        return library is not None and library.name != "sklearn"
    checks = [make_constraint(constraint).is_satisfied_by for constraint in constraints]
    return [check(one) for check in checks] == [check(other) for check in checks]
