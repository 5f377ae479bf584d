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
