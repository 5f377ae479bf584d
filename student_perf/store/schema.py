"""Can the installed MLflow write to a database? Known before the first fit, without its import.

MLflow numbers the schemas of its tables and refuses a database of another one, only once it is
opened: after the training.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from student_perf.errors import TrackingError
from student_perf.masking import masked
from student_perf.store.address import is_absent, is_server
from student_perf.store.stage import first_row

_MIGRATIONS = "store/db_migrations/versions"
_REVISION = re.compile(r'^(revision|down_revision) = "(\w+)"', re.MULTILINE)


def check_schema(uri: str) -> None:
    """Do nothing for a server, and for a database that has no tables yet or does not answer.

    Raises:
        TrackingError: The database's schema is not that of the installed MLflow.
    """
    if is_server(uri) or is_absent(uri):
        return
    try:
        row = first_row(uri, "SELECT version_num FROM alembic_version", "")
    except Exception:  # of the database's driver; whoever writes to it says what is wrong
        return
    known, newest = _schemas()
    if row is None or row[0] == newest or newest is None:
        return
    installed = f"the installed MLflow {version('mlflow')}"
    if row[0] in known:
        raise TrackingError(
            f"tracking.uri={masked(uri)}: its schema ({row[0]}) is older than that of {installed}; "
            f"make a backup of it, then run: mlflow db upgrade {masked(uri)}"
        )
    raise TrackingError(
        f"tracking.uri={masked(uri)}: its schema ({row[0]}) is not known to {installed}, a newer "
        "one has used it; install that one, or name another store"
    )


def holds_runs(file: Path) -> bool:
    """Whether a file is a database with MLflow's tables; it is only read."""
    if not file.is_file():
        return False
    try:
        first_row(f"sqlite:///{file}", "SELECT count(*) FROM experiments", "")
    except Exception:  # no such table, or no database
        return False
    return True


def newest_schema() -> str | None:
    """The schema that the installed MLflow makes; None if that is not known."""
    return _schemas()[1]


@cache
def _schemas() -> tuple[frozenset[str], str | None]:
    """The schemas that the installed MLflow knows, and the newest, which follows none."""
    spec = find_spec("mlflow")
    if spec is None or spec.origin is None:
        return frozenset(), None
    folder = Path(spec.origin).parent / _MIGRATIONS
    found = [
        match.groups()
        for file in folder.glob("*.py")
        for match in _REVISION.finditer(file.read_text(encoding="utf-8"))
    ]
    known = {name for kind, name in found if kind == "revision"}
    last = known - {name for kind, name in found if kind == "down_revision"}
    return frozenset(known), last.pop() if len(last) == 1 else None
