"""What a caller hands over, as overrides of the command line.

>>> as_overrides(["model=xgb", {"model.max_depth": 3, "tags.team": "blue, the", "seed": None}])
['model=xgb', 'model.max_depth=3', "tags.team='blue, the'", 'seed=null']
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from student_perf.atomic import write_atomic
from student_perf.errors import ConfigError
from student_perf.paths import workspace

if TYPE_CHECKING:
    import pandas as pd

_PLAIN = re.compile(r"[A-Za-z_/][\w./+-]*", re.ASCII)  # a text that needs no quotes
_NAME = re.compile(r"[A-Za-z_][\w ]*", re.ASCII)  # keys cannot be quoted
_NO_TEXT = {"true", "false", "null", "nan", "inf"}


def as_overrides(words: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """Strings as they are; of a mapping `key=value` for each key.

    Raises:
        ConfigError: A value has no form on a command line.
    """
    lines: list[str] = []
    for word in words:
        if isinstance(word, str):
            lines.append(word)
        else:
            lines += [f"{key}={literal(value, key)}" for key, value in word.items()]
    return lines


def literal(value: Any, key: str) -> str:
    """A value in Hydra's grammar of overrides, for example `[1,'a b']`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) and value not in _NO_TEXT else _quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(literal(item, key) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_name(k, key)}:{literal(item, key)}" for k, item in value.items())
        return f"{{{','.join(pairs)}}}"
    raise ConfigError(
        f"{key}={value!r}: is a {type(value).__name__}; give a number, a text, a truth value, "
        "None, a list or a dict"
    )


def _name(name: Any, key: str) -> str:
    if not _NAME.fullmatch(str(name)):
        raise ConfigError(
            f"{key}: {name!r} cannot be a key on a command line; write it into a file in conf/"
        )
    return str(name)


def _quoted(text: str) -> str:
    # A backslash counts only before a quote or at the end.
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def keep_table(data: pd.DataFrame | None, target: str | None) -> list[str]:
    """Keep a table in the workspace, once; returns the overrides that name it.

    Raises:
        ConfigError: Only one of `data` and `target` is given, or the table has no such column.
    """
    if data is None and target is None:
        return []
    if data is None or target is None:
        raise ConfigError("data and target belong together; give both, or dataset=... instead")
    names = [str(name) for name in data.columns]
    if target not in names or len(set(names)) < len(names):
        raise ConfigError(
            f"target={target}: the table needs this column, and each name once; it has "
            f"{', '.join(names[:10])}"
        )
    content = io.BytesIO()
    data.set_axis(names, axis=1).reset_index(drop=True).to_parquet(content, index=False)
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    file = workspace() / "data" / f"{digest[:16]}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_file():
        write_atomic(file, content.getvalue())
    return [
        "dataset=parquet",
        f"dataset.path={literal(str(file), 'dataset.path')}",
        f"dataset.target={literal(target, 'dataset.target')}",
    ]
