"""Imports go down the levels only, and each outside library has its owners."""

import ast
import re
from pathlib import Path

import pytest

from student_perf.paths import PACKAGE_DIR, PROJECT_DIR
from studies.rooms import PICTURE, picture
from tests.imports import FILES, imports, room, tree

PAGE = (PROJECT_DIR / "docs/architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| ([^|]+) \|", PAGE, re.MULTILINE)
LEVELS = {int(number): set(re.findall(r"`(\w+)`", rooms)) for number, rooms in ROWS}
LEVELS[0] |= {"__init__"}
OWNERS = {
    library: set(re.findall(r"`(\w+)`", rooms))
    for libraries, rooms in re.findall(
        r"^\| ((?:`\w+` ?)+) \| ((?:`\w+` ?)+) \|$", PAGE, re.MULTILINE
    )
    for library in re.findall(r"`(\w+)`", libraries)
}
# What is imported before a command knows that it has work to do.
LIGHT = {"train", "cli", "commands", "config", "terminal", "errors", "paths", "__main__"}
LIGHT |= {"text", "render", "masking", "atomic", "scoring/metrics.py"}
LIGHT |= {"drift/limits.py", "promotion/limits.py", "store/words.py"}
STARTING = {"sweeper", "start", "finished", "options"}  # of a sweep, before it is known what lacks
HEAVY = {"numpy", "pandas", "sklearn", "scipy", "xgboost", "mlflow", "optuna", "matplotlib"}


def inner(path: Path) -> str:
    return path.relative_to(PACKAGE_DIR).as_posix()


def level(name: str) -> int:
    return next(number for number, rooms in LEVELS.items() if name in rooms)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE_DIR)))
def test_imports_go_down_the_levels(path):
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "student_perf":
            other = parts[1] if len(parts) > 1 else "__init__"
            assert other == room(path) or level(other) < level(room(path)), name


# Beside the levels: drift lies lower than the other rooms after training, since pages shows it.
SIBLINGS = {"serving", "drift", "promotion", "reproduction"}


@pytest.mark.parametrize("name", sorted(SIBLINGS))
def test_siblings_do_not_import_each_other(name):
    others = {f"student_perf.{other}" for other in SIBLINGS - {name}}
    for path in (PACKAGE_DIR / name).rglob("*.py"):
        for module in imports(path):
            assert ".".join(module.split(".")[:2]) not in others, f"{inner(path)}: {module}"


def test_outside_libraries_have_the_owners_of_the_page():
    assert {"mlflow", "optuna", "hydra", "jinja2"} < set(OWNERS)
    users = {library: set() for library in OWNERS}
    for path in FILES:
        for library in {name.split(".")[0] for name in imports(path)} & set(OWNERS):
            users[library].add(room(path))
    assert users == OWNERS


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if room(p) in LIGHT or inner(p) in LIGHT or p.stem in STARTING],
    ids=lambda p: p.stem,
)
def test_start_up_modules_import_nothing_heavy(path):
    assert not {name.split(".")[0] for name in imports(path, top_level_only=True)} & HEAVY


def test_the_page_lists_every_room_once():
    listed = [name for rooms in LEVELS.values() for name in rooms]
    assert sorted(listed) == sorted({room(path) for path in FILES})
    assert list(LEVELS) == list(range(len(LEVELS)))


def test_the_picture_is_that_of_the_imports():
    drawn = (PROJECT_DIR / PICTURE).read_text(encoding="utf-8")
    assert picture() == drawn, "run: python -m studies.rooms"


def test_no_function_is_long():
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 45, f"{path.name}: {node.name}"


def test_tests_mirror_the_modules():
    tests = Path(__file__).parent
    for path in FILES:
        if path.name.startswith("__"):
            continue
        relative = path.relative_to(PACKAGE_DIR)
        assert (tests / relative.with_name(f"test_{relative.name}")).is_file(), relative
