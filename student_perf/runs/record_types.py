"""What `record.json` may hold, by key: a record may come from a stranger, and whoever reads one
relies on the types of its facts.

>>> check_types({"name": "a", "metrics": {"cv_accuracy_mean": 0.5, "fold_accuracy": [0.4, None]}})
>>> check_types({"name": 3})
Traceback (most recent call last):
    ...
TypeError: name: must be a text
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Literal, TypeGuard, get_args

from student_perf.runs.tags import TRIAL

Status = Literal["RUNNING", "FINISHED", "FAILED", "PRUNED", "STOPPED"]

_WHOLE = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"nan|[0-9.]{1,30}(e[+-]?[0-9]{1,3})?")
_NUMBERS = ("n_rows", "repeats", "test_over_train")  # params that are read as such
_SCORES = frozenset({int, float, type(None)})  # null: not defined on this fold
_TEXTS = frozenset({str})
_LAST_SECOND = 253_402_300_799  # of the year 9999


def check_types(content: Mapping[str, Any]) -> None:
    """Raises TypeError if one of the keys that are there holds what a record cannot."""
    for key, (is_right, words) in _RULES.items():
        if key in content and not is_right(content[key]):
            raise TypeError(f"{key}: must be {words}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and _is_number(value) and 0 <= value <= _LAST_SECOND


def _is_metric(value: object) -> bool:
    return type(value) in _SCORES or (
        isinstance(value, list) and _SCORES.issuperset(map(type, value))
    )


@functools.lru_cache(maxsize=1000)  # all trials of a sweep have the same few files
def _is_file(name: str) -> bool:
    """Whether a name stays in the folder, on every system."""
    parts = PureWindowsPath(name)  # knows both separators
    return not (PurePosixPath(name).is_absolute() or parts.anchor or ".." in parts.parts)


def _or_none(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_right(value)


def _by_name(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(is_right, value.values()))


def _are_files(value: object) -> bool:
    return isinstance(value, dict) and _by_name(_is_text)(value) and all(map(_is_file, value))


def _is_space(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(axis, dict) for axis in value)


def _are_texts(value: object) -> TypeGuard[dict[str, str]]:
    return isinstance(value, dict) and _TEXTS.issuperset(map(type, value.values()))


def _are_params(value: object) -> bool:
    return _are_texts(value) and all(_NUMBER.fullmatch(value.get(key, "1")) for key in _NUMBERS)


def _are_tags(value: object) -> bool:
    return _are_texts(value) and bool(_WHOLE.fullmatch(value.get(TRIAL, "1")))


_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "name": (_is_text, "a text"),
    "kind": (_is_text, "a text"),
    "params": (_are_params, f"texts by name, and numbers in {', '.join(_NUMBERS)}"),
    "tags": (_are_tags, f"texts by name, and a whole number in {TRIAL}"),
    "metrics": (_by_name(_is_metric), "numbers, or lists of them, by name"),
    "status": (lambda value: value in get_args(Status), f"one of {', '.join(get_args(Status))}"),
    "started": (_is_time, "seconds since 1970"),
    "ended": (_or_none(_is_time), "seconds since 1970, or null"),
    "error": (_or_none(_is_text), "a text or null"),
    "mlflow_run_id": (_or_none(_is_text), "a text or null"),
    "space": (_is_space, "a list of mappings"),
    "objectives": (_by_name(lambda _: True), "a mapping"),
    "optuna": (_by_name(lambda _: True), "a mapping"),
    "files": (_are_files, "checksums by the name of a file in the folder"),
}
