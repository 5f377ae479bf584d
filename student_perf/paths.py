"""Where the project's files live: in a checkout, or in an installed package."""

from __future__ import annotations

import os
from pathlib import Path


def find_checkout(package: Path) -> Path | None:
    """The folder above a package if `conf/` and `pyproject.toml` stand there.

    None for an installed package: the folder above it belongs to the environment, and what git
    says of that folder says nothing about the package.
    """
    above = package.parent
    is_checkout = (above / "conf").is_dir() and (above / "pyproject.toml").is_file()
    return above if is_checkout else None


PACKAGE_DIR = Path(__file__).resolve().parent
PROJECT_DIR = find_checkout(PACKAGE_DIR)  # None outside a checkout
CONF_DIR = (PROJECT_DIR or PACKAGE_DIR) / "conf"  # the wheel carries a copy within the package
# A wheel carries no lock: pip resolves its dependencies anew, so the lock's hash would claim an
# environment that nobody installed. Every run still lists the version of every package.
LOCK_FILE = PROJECT_DIR / "requirements.txt" if PROJECT_DIR else None

WORKSPACE_VARIABLE = "STUDENT_PERF_WORKSPACE"


def workspace() -> Path:
    """Folder that receives outputs/, multirun/ and mlflow.db.

    The environment variable STUDENT_PERF_WORKSPACE names it; without one it is the checkout, or
    the current folder if the package is installed.
    """
    named = os.environ.get(WORKSPACE_VARIABLE)
    return Path(named).expanduser().resolve() if named else PROJECT_DIR or Path.cwd()
