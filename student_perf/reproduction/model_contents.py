"""The contents of a skops file, without loading it, comparable between two fits of a model.

skops names arrays by memory address, so equal models give files of different bytes. Here each
member is listed by its place in the object, so equal models give equal contents.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.runs.model_audit import check_members

Leaf = str | bytes | np.ndarray

_SCHEMA = "schema.json"
# CatBoost writes a random id and the time of the fit into its models. The id's length varies, and
# with it the length in front of it and the padding after it.
_CATBOOST = b"CBM1"
_OF_ONE_FIT = re.compile(
    rb"(?s).{4}[0-9a-f]{1,8}-[0-9a-f]{1,8}-[0-9a-f]{1,8}-[0-9a-f]{1,8}\0+"
    rb"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
)


def model_contents(path: Path) -> dict[str, Leaf]:
    """Every leaf of the stored object by its place: text of plain values, arrays, other bytes.

    Runs no code from the file. Raises ValueError if it is not a skops file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path.stat().st_size)
            tree = json.loads(archive.read(_SCHEMA))
            return dict(_iter_leaves(tree, "", archive))
    except Exception as error:  # whatever zipfile, json and numpy raise for broken files
        raise ValueError(f"{path.name}: is not a skops file ({error})") from error


def _iter_leaves(node: Any, place: str, archive: zipfile.ZipFile) -> Iterator[tuple[str, Leaf]]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ("__id__", "_skops_version", "protocol"):
                continue
            if key == "file" and isinstance(value, str):
                yield f"{place}.file", _member(archive.read(value), value)
            else:
                inner = place if key == "content" else f"{place}.{key}"
                yield from _iter_leaves(value, inner, archive)
    elif isinstance(node, list):
        for number, value in enumerate(node):
            yield from _iter_leaves(value, f"{place}[{number}]", archive)
    else:
        yield place, str(node)


def _member(content: bytes, name: str) -> Leaf:
    if not name.endswith(".npy"):
        return _OF_ONE_FIT.sub(b"", content) if content.startswith(_CATBOOST) else content
    array: np.ndarray = np.load(io.BytesIO(content), allow_pickle=False)
    return array


def same_leaf(a: Leaf, b: Leaf) -> bool:
    """Exact equality; NaN equals NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        # The records of a tree's nodes are padded with arbitrary bytes.
        parts = [(a[n], b[n]) for n in a.dtype.names] if a.dtype.names else [(a, b)]
        return all(first.tobytes() == second.tobytes() for first, second in parts)
    return type(a) is type(b) and bool(a == b)
