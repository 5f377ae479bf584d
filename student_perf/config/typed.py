"""From plain nodes to dataclasses: keys and types are checked, errors name the key and the fix."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, field, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

from student_perf.errors import ConfigError, one_line, suggest

T = TypeVar("T")


_KIND_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "5"),
    float: ("a number", "0.2"),
    bool: ("true or false", "true"),
    str: ("text", "name"),
    list: ("a list", "[a,b,c]"),
    dict: ("a group of keys", "{a: 1}"),
}


def iter_leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of every leaf; a list counts as one leaf."""
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from iter_leaves(value, f"{path}.")
        else:
            yield path, value


def check_keys(
    node: Mapping[str, Any], known: Sequence[str], prefix: str, optional: Sequence[str] = ()
) -> None:
    """Raise ConfigError for a key outside `known`, and for a missing key that is not optional."""
    for key in node:
        if key not in known:
            raise ConfigError(
                f"{prefix}{key}={shown(node[key])}: the config has no key '{prefix}{key}'; "
                f"{suggest(str(key), known)}"
            )
    for key in known:
        if key not in node and key not in optional:
            raise ConfigError(f"{prefix}{key}: is missing from the config; add +{prefix}{key}=...")


def mapping_at(composed: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The group of keys at `key`. Raises ConfigError for any other value."""
    value = composed[key]
    if not isinstance(value, dict):
        raise ConfigError(
            f"{key}={shown(value)}: must be a group of keys; override one as {key}.<key>=..."
        )
    return value


def variant(
    composed: Mapping[str, Any], group: str, switch: str, schemas: Mapping[str, type[T]]
) -> T:
    """The node of a group as the dataclass that its key `switch` names."""
    node = mapping_at(composed, group)
    chosen = node.get(switch)
    if chosen not in schemas:
        raise ConfigError(
            f"{group}.{switch}={chosen}: no such {switch}; {suggest(str(chosen), schemas)}"
        )
    return typed_node(schemas[str(chosen)], node, group)


def typed_node(schema: type[T], node: Any, path: str) -> T:
    """A plain node as the dataclass `schema`. Raises ConfigError that names a key below `path`."""
    assert is_dataclass(schema)
    hints = _type_hints(schema)
    if not isinstance(node, dict):
        raise ConfigError(f"{path}={shown(node)}: must be a group of keys: {', '.join(hints)}")
    optional = [
        f.name for f in fields(schema) if f.default is None or f.default_factory is not MISSING
    ]
    check_keys(node, list(hints), f"{path}.", optional)
    return schema(**{key: _converted(hints[key], node[key], f"{path}.{key}") for key in node})


def limit(default: Any, words: str) -> Any:
    """A dataclass field that a user may set in a file and by an option with the help `words`."""
    return field(default=default, metadata={"help": words})


def load_limits(schema: type[T], file: Path, options: Mapping[str, Any]) -> T:
    """The limits in a YAML file, replaced by those among the `options` that are not None.

    A limit that the file leaves out has its default. Raises ConfigError.
    """
    import yaml  # a twentieth of a second that only these commands pay

    assert is_dataclass(schema)
    defaults = {f.name: f.default for f in fields(schema)}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        node = defaults | content if isinstance(content, dict) else content
        limits = typed_node(schema, node, file.stem)
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{file}: cannot be read ({one_line(error)}); restore it") from error
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return replace(limits, **{k: options[k] for k in defaults if options.get(k) is not None})


_type_hints = cache(typing.get_type_hints)  # a sweep asks for the same few in every trial


def _converted(hint: Any, value: Any, path: str) -> Any:
    """`value` as the type that a dataclass field declares. Whole numbers serve as numbers, and
    numbers as text; anything else that does not fit raises ConfigError.
    """
    choices = [part for part in typing.get_args(hint) if part is not NoneType]
    if isinstance(hint, UnionType):
        return None if value is None else _converted(choices[0], value, path)
    if isinstance(hint, type) and is_dataclass(hint):
        return typed_node(hint, value, path)
    if typing.get_origin(hint) is dict and isinstance(value, dict):
        return value
    if typing.get_origin(hint) is list and isinstance(value, list):
        return [_converted(choices[0], item, f"{path}[{i}]") for i, item in enumerate(value)]
    if typing.get_origin(hint) is typing.Literal and value in choices:
        return value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (float, str) and is_number:
        return hint(value)
    if hint is Any or type(value) is hint:
        return value
    words, example = _KIND_WORDS.get(
        typing.get_origin(hint) or hint, ("of the declared kind", "...")
    )
    raise ConfigError(f"{path}={shown(value)}: must be {words}; write it like {path}={example}")


def shown(value: Any) -> str:
    """A value as the command line takes it."""
    if value is None:
        return "null"
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)
