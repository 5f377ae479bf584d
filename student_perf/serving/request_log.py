"""One JSON line for each request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from student_perf.serving.reply import reply

WriteLine = Callable[[str], None]
_LONGEST_WORD = 200
_CLIENT_GONE = 499  # no status of HTTP, but what other servers log too


class RequestLog:
    """Writes a JSON line for each request: when, what, how long, how many rows; never a value.

    An unexpected error becomes a plain 500. Its place goes to the log, but not its text, which may
    hold values.
    """

    def __init__(self, app: ASGIApp, write: WriteLine) -> None:
        self._app = app
        self._write = write

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        method, path = _cut(scope["method"]), _cut(scope["path"])
        facts: dict[str, Any] = {"method": method, "path": path, "status": None}
        scope["facts"] = facts

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts["status"] = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            facts["status"] = _CLIENT_GONE
        except Exception as error:
            facts["error"] = _place(error)
            if facts["status"] is None:
                failed = reply(500, {"detail": "the server failed; see its log"})
                await failed(scope, receive, watched)
        facts["ms"] = round((time.perf_counter() - started) * 1000, 3)
        time_now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._write(json.dumps({"time": time_now, **facts}))


def _cut(word: str) -> str:
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}..."


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
