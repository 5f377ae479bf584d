"""What a caller hands over, as overrides of the command line.

>>> as_overrides(["model=xgb", {"model.max_depth": 3, "tags.team": "blue, the", "seed": None}])
['model=xgb', 'model.max_depth=3', "tags.team='blue, the'", 'seed=null']
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from student_perf.atomic import write_atomic
from student_perf.config.overrides import accepted, literal
from student_perf.errors import ConfigError
from student_perf.paths import workspace

if TYPE_CHECKING:
    import pandas as pd


def as_overrides(words: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """Strings as on the command line; of a mapping `key=value` for each key.

    Raises:
        ConfigError: A value has no form on a command line.
    """
    lines: list[str] = []
    for word in words:
        if isinstance(word, str):
            lines.append(accepted(word))
        else:
            lines += [f"{key}={literal(value, key)}" for key, value in word.items()]
    return lines


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
