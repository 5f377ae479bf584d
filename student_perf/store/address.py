"""Addresses of tracking stores: the default one, schemes, SQLite files, the command that opens one.

>>> sqlite_file("sqlite:////srv/mlflow.db").name
'mlflow.db'
>>> sqlite_file("https://mlflow.example.org") is None
True
>>> is_server("https://mlflow.example.org"), is_server("postgresql+psycopg://db/runs")
(True, False)
"""

from __future__ import annotations

import re
from pathlib import Path

from student_perf.config.load import load_node
from student_perf.config.schema import TrackingConfig
from student_perf.config.search_path import find_config
from student_perf.config.typed import iter_leaves, typed_node
from student_perf.errors import ConfigError
from student_perf.masking import learn_secrets
from student_perf.runs.layout import ADDRESS_FILE
from student_perf.shell import own_line

SCHEMES = ("sqlite", "http", "https", "postgresql", "mysql", "mssql", "databricks")
LENGTH_OF_ID = 8  # enough to name a run
_READ_OTHERWISE = re.compile(r"%[0-9a-fA-F]{2}|\?(?!\w+=[^/]*$)")
_SCHEME = re.compile(r"(\w+)(\+\w+)?:")


def default_tracking() -> TrackingConfig:
    """The store of `tracking=default`, for whatever is not part of a composed run."""
    node = load_node(find_config("default", "tracking"))
    learn_secrets(iter_leaves({"tracking": node}))
    return typed_node(TrackingConfig, node, "tracking")


def scheme(uri: str) -> str:
    """`postgresql` of `postgresql+psycopg://..`; empty for a path."""
    match = _SCHEME.match(uri)
    return match.group(1) if match else ""


def sqlite_file(uri: str) -> Path | None:
    """The database file of a SQLite store, None for other stores."""
    if scheme(uri) != "sqlite":
        return None
    rest = uri.partition("://")[2]
    # Not urlsplit: `#` belongs to the path, as for SQLAlchemy.
    return Path(rest.partition("?")[0].removeprefix("/") or "mlflow.db").absolute()


def refuse_odd_path(key: str, uri: str) -> None:
    """Raise ConfigError for a SQLite file in whose path SQLAlchemy decodes a character, or sees
    options begin, so that another file would be opened.
    """
    if scheme(uri) == "sqlite" and (odd := _READ_OTHERWISE.search(uri)) is not None:
        raise ConfigError(
            f"{key}={uri}: SQLAlchemy takes '{odd[0]}' in a path for something else and would open "
            "another file; name a folder and a file without it"
        )


def is_server(uri: str) -> bool:
    """Whether an MLflow server answers at this address."""
    return scheme(uri) in ("http", "https")


def is_absent(uri: str) -> bool:
    """Whether the file of a SQLite store does not exist (yet)."""
    file = sqlite_file(uri)
    return file is not None and not file.is_file()


def kept_address(folder: Path, uri: str) -> str | None:
    """Where a server shows what is in a folder, as the publisher noted it; None for no server."""
    file = folder / ADDRESS_FILE
    return file.read_text(encoding="utf-8") if is_server(uri) and file.is_file() else None


def mlflow_places(
    uri: str, experiment: str, run_id: str | None, folder: Path, word: str
) -> dict[str, str]:
    """Where a run or sweep is in MLflow, and what opens it there: an address of a server or the
    command with the word for it; nothing if it is not there.
    """
    if run_id is None:
        return {}
    where = f"experiment {experiment}, run {run_id}" if experiment else f"run {run_id}"
    return {"mlflow": where, "open": kept_address(folder, uri) or ui_command(uri, word)}


def ui_command(uri: str, word: str = "") -> str:
    """The command that opens a store in MLflow's page, as typed in the current folder; at the run
    or sweep that `word` means, if there is one.
    """
    if is_server(uri):
        return uri
    store = [] if uri == default_tracking().uri else ["--store", uri]
    return own_line("ui", *([word] if word else []), *store)
