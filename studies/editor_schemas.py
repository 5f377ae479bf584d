"""Write the JSON schemas by which an editor completes and checks the files of conf/.

    .venv/bin/python studies/editor_schemas.py

They follow the typed configs, with the comments of conf/ as descriptions; `.vscode/settings.json`
ties each to its folder. A test fails while they are not those of the code.
"""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Iterable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any

from student_perf.config.model_node import PART_OF
from student_perf.config.schema import (
    FORMER_GUARDS,
    SOURCES,
    SPLITS,
    ObjectiveConfig,
    ReportConfig,
    TrackingConfig,
)
from student_perf.evaluation.guards import all_checks
from student_perf.paths import CONF_DIR, PROJECT_DIR
from student_perf.sweep.options import SweepOptions

Schema = dict[str, Any]

FOLDER = Path(".vscode") / "schemas"
_SIMPLE = {int: "integer", float: "number", bool: "boolean", NoneType: "null"}
# Words like 2020 and true are text to the configs, and numbers and flags to YAML.
_TEXT: Schema = {"type": ["string", "number", "boolean"]}
# YAML takes an unquoted off for false.
_LEVEL: Schema = {"enum": ["error", "warn", "off", False, None]}
_REFERENCE: Schema = {"type": "string", "pattern": r"\$\{|^\?\?\?$"}
COMMENT = re.compile(r"^\s*(\w+):[^#]*#\s+(.+)$")


def main() -> None:
    """Command line."""
    assert PROJECT_DIR is not None  # a study runs in a checkout
    folder = PROJECT_DIR / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")


def texts() -> dict[str, str]:
    """The content of every file by its name."""
    return {
        f"{group}.json": json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
        for group, schema in schemas().items()
    }


def schemas() -> dict[str, Schema]:
    """The schema of each group's files."""
    return {
        "dataset": _file(_merged(SOURCES, "source"), "dataset"),
        "split": _file(_merged(SPLITS, "kind"), "split"),
        "objective": _file(_properties(ObjectiveConfig), "objective"),
        "tracking": _file(_properties(TrackingConfig), "tracking"),
        "model": _file(dict.fromkeys(PART_OF.values(), _component()), "model", open_=True)
        | _named_parts(),
        "config": _whole(),
    }


def _whole() -> Schema:
    """config.yaml, and files with `# @package _global_`: any group, and Hydra's own node."""
    sweeper = _described(_properties(SweepOptions), "hydra/sweeper")
    # A node `sampler: {_target_: optuna.samplers...}` stands for its name, too.
    sweeper["sampler"] = {}
    groups = {
        "dataset": _merged(SOURCES, "source"),
        "split": _merged(SPLITS, "kind"),
        "objective": _properties(ObjectiveConfig),
        "tracking": _properties(TrackingConfig),
        "guards": {name: dict(_LEVEL) for name in _guards()},
        "report": _properties(ReportConfig),
    }
    properties = {
        name: _object(_described(found, name), extra=False) for name, found in groups.items()
    }
    properties |= {"model": {"type": "object"}, "preprocess": {"type": "object"}}
    properties |= {"seed": _typed(int), "tags": {"type": "object"}}
    properties["hydra"] = _object({"sweeper": _object(sweeper, extra=True)}, extra=True)
    return _object(properties | {"defaults": {"type": "array"}}, extra=False) | _HEAD


def _guards() -> list[str]:
    """Codes of the numbered checks, and their former names."""
    return [*(check.code for check in all_checks()), *FORMER_GUARDS]


def _file(properties: Mapping[str, Schema], group: str, open_: bool = False) -> Schema:
    known = _described(dict(properties), group) | {"defaults": {"type": "array"}, "name": _TEXT}
    return _object(known, extra=open_) | _HEAD


_HEAD = {"$schema": "http://json-schema.org/draft-07/schema#"}


def _object(properties: Mapping[str, Schema], extra: bool) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": extra}


def _component() -> Schema:
    return {"type": "object", "properties": {"_target_": _TEXT}}


def _named_parts() -> Schema:
    """The parts of a model name their classes, unless a file of its defaults list may do that."""
    named = {"properties": {part: {"required": ["_target_"]} for part in PART_OF.values()}}
    return {"anyOf": [{"required": ["defaults"]}, named]}


def _merged(variants: Mapping[str, type], switch: str) -> dict[str, Schema]:
    """The keys of all variants, with the names of these at the switch."""
    merged: dict[str, Schema] = {}
    for variant in variants.values():
        merged |= _properties(variant)
    return merged | {switch: {"enum": list(variants)}}


def _properties(schema: type) -> dict[str, Schema]:
    return {name: _typed(hint) for name, hint in typing.get_type_hints(schema).items()}


def _typed(hint: Any) -> Schema:
    """A value of this type, or Hydra's reference to one."""
    return {"anyOf": [*_alternatives(hint), _REFERENCE]} if hint is not Any else {}


def _alternatives(hint: Any) -> Iterable[Schema]:
    origin = typing.get_origin(hint)
    if origin in (UnionType, typing.Union):
        for part in typing.get_args(hint):
            yield from _alternatives(part)
    elif hint is str:
        yield _TEXT
    elif hint in _SIMPLE:
        yield {"type": _SIMPLE[hint]}
    elif origin is list:
        yield {"type": "array"}
    elif origin is dict:
        yield {"type": ["object", "null"]}
    elif is_dataclass(hint):
        yield _object(_properties(typing.cast(type, hint)), extra=False)
    else:
        yield {}


def _described(properties: dict[str, Schema], group: str) -> dict[str, Schema]:
    """The same, with the first comment that a file of the group has beside a key."""
    places = sorted((CONF_DIR / group).glob("*.yaml")) or [CONF_DIR / "config.yaml"]
    for file in places:
        for line in file.read_text(encoding="utf-8").splitlines():
            found = COMMENT.match(line)
            if found and found[1] in properties:
                properties[found[1]].setdefault("description", found[2])
    return properties


if __name__ == "__main__":
    main()
