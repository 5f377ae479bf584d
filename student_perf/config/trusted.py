"""Modules of the user's own: configs and model files may name their classes, their metrics count.

`conf/trusted.yaml` names them (`trusted: [mygrades]`), in the `conf` folder of the user or of the
checkout and nowhere else: neither a record nor a bundle nor a registry can add to it. Whoever works
in a folder trusts its `conf`, but a folder that is a record, or lies in one, has none.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from student_perf.config.search_path import own_conf
from student_perf.errors import ConfigError, one_line
from student_perf.paths import CONF_DIR

TRUSTED_FILE = "trusted.yaml"
ALLOW_PICKLES = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"  # MLflow's name; true by default
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def trusted_modules() -> tuple[str, ...]:
    """Their names.

    Raises:
        ConfigError: The file is not a list of names.
    """
    file = _file()
    return () if file is None else _names(file, file.stat().st_mtime_ns)


def import_trusted() -> None:
    """Import them, so that the metrics they add are known. They may stand beside `conf/`.

    Raises:
        ConfigError: One cannot be imported.
    """
    file = _file()
    if file is None:
        return
    beside = str(file.parent.parent)
    if beside not in sys.path:
        sys.path.append(beside)
    for name in trusted_modules():
        try:
            import_module(name)
        except Exception as error:  # whatever the module does
            raise ConfigError(
                f"{file}: {name} cannot be imported ({one_line(error)}); install it, or put it "
                f"into {beside}"
            ) from error


def refuse_pickles() -> None:
    """Let MLflow's own loaders refuse models in this process, unless the user has said otherwise:
    pickles, and skops files whose own list says what to trust.

    For commands only, which never load by MLflow: a notebook may load models of its own.
    """
    os.environ.setdefault(ALLOW_PICKLES, "false")


def trusted_places() -> list[Path]:
    """The file of each module, or the folder of a package."""
    specs = [spec for name in trusted_modules() if (spec := find_spec(name)) is not None]
    places = [[*(spec.submodule_search_locations or [])] or [str(spec.origin)] for spec in specs]
    return [Path(place) for some in places for place in some]


def trusted_sources() -> list[Path]:
    """The Python files of these modules."""
    places = trusted_places()
    return [f for place in places for f in (sorted(place.rglob("*.py")) or [place])]


def _file() -> Path | None:
    folders = [folder for folder in (own_conf(), CONF_DIR) if folder is not None]
    return next((f / TRUSTED_FILE for f in folders if (f / TRUSTED_FILE).is_file()), None)


@cache
def _names(file: Path, _changed: int) -> tuple[str, ...]:
    content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
    names = content.get("trusted") if isinstance(content, dict) else None
    if not isinstance(names, list) or not all(_NAME.fullmatch(str(name)) for name in names):
        raise ConfigError(f"{file}: names no modules; write, for example, trusted: [mygrades]")
    return tuple(map(str, names))
