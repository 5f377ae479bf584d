"""Whether an experiment or a run is in use, in the bin or gone: asked without MLflow, whose import
takes seconds that nobody wants to wait for before the first fit.

>>> experiment_stage("sqlite:///no/such.db", "grades")
<Stage.ABSENT: 'absent'>
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import urllib.error
import urllib.request
from contextlib import closing
from enum import Enum
from typing import Any
from urllib.parse import urlencode

from student_perf.runs import tags
from student_perf.store.address import is_absent, is_server, scheme, sqlite_file

_ANSWER_SECONDS = 5


class Stage(Enum):
    """What a store says of an experiment or a run; UNKNOWN if it does not say."""

    ACTIVE = "active"
    DELETED = "deleted"
    ABSENT = "absent"
    UNKNOWN = "unknown"


def experiment_stage(uri: str, name: str) -> Stage:
    """The stage of an experiment by its name."""
    if is_server(uri):
        return _asked(uri, "experiments/get-by-name", {"experiment_name": name})
    return _queried(uri, "SELECT lifecycle_stage FROM experiments WHERE name = :value", name)


def run_stage(uri: str, run_id: str) -> Stage:
    """The stage of a run by its id."""
    if is_server(uri):
        return _asked(uri, "runs/get", {"run_id": run_id})
    return _queried(uri, "SELECT lifecycle_stage FROM runs WHERE run_uuid = :value", run_id)


def children(uri: str, run_id: str) -> str:
    """Digest of the ids of the active runs that a database has below a run. Raises what the
    database's driver raises.
    """
    statement = (
        "SELECT group_concat(run_uuid) FROM (SELECT runs.run_uuid FROM tags "  # noqa: S608
        f"JOIN runs ON runs.run_uuid = tags.run_uuid WHERE tags.key = '{tags.PARENT}' "
        "AND tags.value = :value AND runs.lifecycle_stage = 'active' ORDER BY runs.run_uuid) AS ids"
    )
    ids = first_row(uri, statement, run_id)[0] or ""
    return hashlib.sha256(str(ids).encode()).hexdigest()


def holders(uri: str, name: str) -> dict[str, tuple[str, str]]:
    """Version and run that each alias of a registered model means, in a SQLite file. Raises what
    the database's driver raises.
    """
    statement = (
        "SELECT alias, v.version, v.run_id FROM registered_model_aliases JOIN model_versions v "
        "USING (name, version) WHERE name = :value AND v.current_stage <> 'Deleted_Internal'"
    )
    file = sqlite_file(uri)
    assert file is not None
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(statement, {"value": name}).fetchall()
    return {alias: (str(version), str(run_id)) for alias, version, run_id in rows}


def _asked(uri: str, path: str, words: dict[str, str]) -> Stage:
    """What a server answers; the stage stands somewhere within."""
    address = f"{uri.rstrip('/')}/api/2.0/mlflow/{path}?{urlencode(words)}"
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (http or https)
            found = _found(json.load(answer), "lifecycle_stage")
    except urllib.error.HTTPError as error:
        is_answer = "RESOURCE_DOES_NOT_EXIST" in error.read().decode(errors="replace")
        return Stage.ABSENT if is_answer else Stage.UNKNOWN
    except (OSError, ValueError):
        return Stage.UNKNOWN
    return Stage(found) if found in ("active", "deleted") else Stage.UNKNOWN


def _found(content: Any, key: str) -> Any:
    """The first value of a key in nested JSON objects, None if there is none."""
    if not isinstance(content, dict):
        return None
    if key in content:
        return content[key]
    return next((value for part in content.values() if (value := _found(part, key))), None)


def _queried(uri: str, statement: str, value: str) -> Stage:
    """What a database says; one that is not there or has no tables yet has nothing."""
    if is_absent(uri):
        return Stage.ABSENT
    try:
        row = first_row(uri, statement, value)
    except Exception:  # of the database's driver; whoever writes to it says what is wrong
        return Stage.UNKNOWN
    return Stage(row[0]) if row else Stage.ABSENT


def first_row(uri: str, statement: str, value: str) -> Any:
    """The first row of a statement in which `:value` stands for `value`, None if there is none.

    Raises what the database's driver raises.
    """
    if (file := sqlite_file(uri)) is not None:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(statement, {"value": value}).fetchone()
    import sqlalchemy

    limit = {"connect_timeout": _ANSWER_SECONDS} if scheme(uri) == "postgresql" else {}
    engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool, connect_args=limit)
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(statement), {"value": value}).fetchone()
