"""Database connections stay in the process that opened them.

A sweep forks its publisher. If this process has used the store before, as a notebook has after a
run, the fork would share the connections that wait in SQLAlchemy's pools: SQLite forbids that, and
two processes would read each other's answers from PostgreSQL.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

_OWNER = "process"


@cache
def keep_pools_apart() -> None:
    """Have every pool of this process, and of its forks, open a connection anew if another process
    opened it.
    """
    from sqlalchemy import event
    from sqlalchemy.pool import QueuePool

    event.listen(QueuePool, "connect", _note_owner)
    event.listen(QueuePool, "checkout", _refuse_inherited)


def _note_owner(_connection: Any, record: Any) -> None:
    record.info[_OWNER] = os.getpid()


def _refuse_inherited(_connection: Any, record: Any, proxy: Any) -> None:
    from sqlalchemy.exc import DisconnectionError

    if record.info.setdefault(_OWNER, os.getpid()) != os.getpid():
        # Not closed, which would end the connection of the process that owns it.
        record.dbapi_connection = proxy.dbapi_connection = None
        raise DisconnectionError("opened by another process")
