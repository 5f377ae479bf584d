"""Secrets stay out of what is written and shown.

A value is secret where its key looks like one (`api_token`, `db.password`), and so is the password
in a URI. The run itself works with the true values.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

MASK = "***"
_SECRET_KEY = re.compile(
    r"(passw(or)?d|passphrase|secret|token|api_?key|credential|private_?key|access_?key)", re.I
)
_IN_URI = re.compile(r"(?<=://)([^/\s:@'\"]*):([^/\s@'\"]+)@")
_SHORTEST = 4  # a shorter text would be masked wherever it happens to stand
_known: set[str] = set()


def learn_secrets(leaves: Iterable[tuple[str, Any]]) -> None:
    """Remember the secret values among a config's leaves, given as dotted path and value."""
    for path, value in leaves:
        if _SECRET_KEY.search(path.rpartition(".")[2]) and len(str(value)) >= _SHORTEST:
            _known.add(str(value))
        _known.update(password for _, password in _IN_URI.findall(str(value)))


def masked(text: str) -> str:
    """The text with every known secret, and every password in a URI, replaced by `***`."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _IN_URI.sub(rf"\1:{MASK}@", text) if "://" in text else text


class MaskingFormatter(logging.Formatter):
    """Formats a log line, tracebacks included, without the secrets in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The masked line."""
        return masked(super().format(record))
