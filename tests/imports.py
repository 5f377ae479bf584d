"""Which module imports what, read from the source."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

from student_perf.paths import PACKAGE_DIR

FILES = sorted(PACKAGE_DIR.rglob("*.py"))


def room(path: Path) -> str:
    """First name below the package: a module or a subpackage."""
    return path.relative_to(PACKAGE_DIR).parts[0].removesuffix(".py")


ROOMS = {room(path) for path in FILES}


@functools.cache
def tree(path: Path) -> ast.Module:
    """A file as Python parses it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, top_level_only: bool = False) -> Iterator[str]:
    """Full name of every module that a file imports; of the package itself, the rooms it takes."""
    nodes = tree(path).body if top_level_only else ast.walk(tree(path))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "absolute imports only"
            assert node.level == 0, "absolute imports only"
            yield node.module
            if node.module == PACKAGE_DIR.name:
                taken = {alias.name for alias in node.names} & ROOMS
                yield from (f"{PACKAGE_DIR.name}.{name}" for name in sorted(taken))


def rooms_used() -> dict[str, set[str]]:
    """The other rooms that each room imports from."""
    used: dict[str, set[str]] = {room(path): set() for path in FILES}
    for path in FILES:
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == PACKAGE_DIR.name and len(parts) > 1 and parts[1] != room(path):
                used[room(path)].add(parts[1])
    return used
