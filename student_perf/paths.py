"""Where the project's files live. Nothing here touches the disk."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent
PROJECT_DIR = PACKAGE_DIR.parent
CONF_DIR = PROJECT_DIR / "conf"
LOCK_FILE = PROJECT_DIR / "requirements.txt"

WORKSPACE_VARIABLE = "STUDENT_PERF_WORKSPACE"


def workspace() -> Path:
    """Folder that receives outputs/, multirun/ and mlflow.db: the project unless the environment
    variable STUDENT_PERF_WORKSPACE names another.
    """
    named = os.environ.get(WORKSPACE_VARIABLE)
    return Path(named).expanduser().resolve() if named else PROJECT_DIR


def default_store() -> str:
    """Tracking URI of commands: MLFLOW_TRACKING_URI, or the workspace's own sqlite store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{workspace()}/mlflow.db"


def sqlite_file(uri: str) -> Path:
    """Path of the database file that a sqlite URI names."""
    _, _, rest = uri.partition("://")
    # Not urlsplit: a `#` is a part of the path, as for SQLAlchemy.
    return Path(rest.partition("?")[0].removeprefix("/") or "mlflow.db").absolute()
