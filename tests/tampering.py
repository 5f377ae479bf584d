"""Model files that somebody changed: what the tests of loading and of attacks are made with."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

from student_perf.errors import StudentPerfError
from student_perf.runs.record import load_record
from student_perf.runs.seal import accept_changes

Node = dict[str, Any]


def node(kind: str, name: str, **more: Any) -> Node:
    """A node of a skops file for what `name` stands for, `module:attribute`."""
    module, _, attribute = name.rpartition(":")
    return {"__loader__": kind, "__module__": module, "__class__": attribute, **more}


def plain(value: Any) -> Node:
    return node("JsonNode", "builtins:str", content=json.dumps(value), is_json=True)


def listed(*items: Node, kind: str = "ListNode", name: str = "builtins:list") -> Node:
    return node(kind, name, content=list(items))


def mapping(name: str = "builtins:dict", key: str = "builtins:str", **content: Node) -> Node:
    keys = listed(*[node("TypeNode", key) for _ in content])
    return node("DictNode", name, content=content, key_types=keys)


def saved(model: Any, path: Path) -> Path:
    """The file of a model, by skops alone."""
    skops.io.dump(model, path)
    return path


def schema_of(path: Path) -> Node:
    with zipfile.ZipFile(path) as archive:
        schema: Node = json.loads(archive.read("schema.json"))
        return schema


def rewrite(path: Path, change: Callable[[Node, dict[str, bytes]], None]) -> Path:
    """Let `change` edit the schema and the other parts of a model file."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(parts.pop("schema.json"))
    change(schema, parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
        archive.writestr("schema.json", json.dumps(schema))
    return path


def nodes(schema: Any) -> Iterator[Node]:
    """Every node of a schema."""
    if isinstance(schema, dict):
        if "__loader__" in schema:
            yield schema
        for value in schema.values():
            yield from nodes(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from nodes(value)


def first(schema: Node, name: str) -> Node:
    """The first node of a class, by the class's own name."""
    return next(one for one in nodes(schema) if one["__class__"] == name)


def plant(path: Path, planted: Node, attribute: str = "planted", **parts: bytes) -> Path:
    """Give the outermost object of a model file one more attribute."""

    def change(schema: Node, held: dict[str, bytes]) -> None:
        state = schema["content"]
        state["content"][attribute] = planted
        state["key_types"]["content"].append(node("TypeNode", "builtins:str"))
        held.update({f"{name}.npy": content for name, content in parts.items()})

    return rewrite(path, change)


def forge_seal(folder: Path) -> None:
    """Seal the folder of a run as it is now, as whoever has changed it can."""
    try:
        with accept_changes(warn=False):
            record = load_record(folder)
    except StudentPerfError:  # what is no record cannot be sealed
        return
    record.is_changed = False
    record.seal()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype == object)
    return buffer.getvalue()


def change_array(
    path: Path, attribute: str, change: Callable[[np.ndarray], np.ndarray | None]
) -> Path:
    """Change the first array that some object of a model file keeps under a name."""

    def edit(schema: Node, parts: dict[str, bytes]) -> None:
        states = (one["content"] for one in nodes(schema) if one["__loader__"] == "DictNode")
        held = next(one[attribute] for one in states if attribute in one)
        array = np.load(io.BytesIO(parts[held["file"]])).copy()
        changed = change(array)
        parts[held["file"]] = npy(array if changed is None else changed)

    return rewrite(path, edit)
