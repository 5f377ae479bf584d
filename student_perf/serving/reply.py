"""Answers in JSON, and the headers that each answer carries.

>>> reply(404, {"detail": "Not Found"}).headers["cache-control"]
'no-store'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

JSON = "application/json"
# An answer belongs to who asked: nobody guesses its type, keeps it or shows it within a page.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PAGE_HEADERS = HEADERS | {
    # The page itself names the hash of its style; a frame can be refused by a header only.
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def reply(
    status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """An answer in JSON with the common headers and `headers`."""
    return Response(to_json(content), status, HEADERS | dict(headers or {}), media_type=JSON)
