"""What a model file names, read without importing any of it: to list its packages, never to decide
what may be loaded, as `model_audit` does.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any


def named_types(path: Path) -> set[str]:
    """The full name of every type in a skops file. Raises what zipfile and json raise."""
    with zipfile.ZipFile(path) as archive:
        schema = json.loads(archive.read("schema.json"))
    names, left = set(), [schema]
    while left:
        node: Any = left.pop()
        if isinstance(node, dict):
            if "__class__" in node:
                names.add(f"{node['__module__']}.{node['__class__']}")
            left += node.values()
        elif isinstance(node, list):
            left += node
    return names
