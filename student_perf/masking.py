"""Secrets stay out of what is written and shown.

A value is secret if part of its key says so (`api_token`, `credentials.key`); so is the password in
a URI or after `password=`. The run itself works with the true values. Texts of fewer than four
characters are not masked, since they are part of too many words.

>>> masked("postgresql://ada:lovelace@host/db failed, password=lovelace")
'postgresql://ada:***@host/db failed, password=***'
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from student_perf.locks import ForkSafeLock

MASK = "***"
_SECRET_KEY = re.compile(
    r"(passw(or)?d|passphrase|secret|token|api_?key|credential|private_?key|access_?key)", re.I
)
_IN_URI = re.compile(r"(?<=://)([^/\s:@'\"]*):([^/\s'\"]+)@")
_IN_WORDS = re.compile(r"\b(password|passwd|pwd)=([^\s;&'\"]+)", re.I)
_SHORTEST = 4
_known: set[str] = set()


def learn_secrets(leaves: Iterable[tuple[str, Any]]) -> None:
    """Remember the secret values among a config's leaves, given as dotted path and value."""
    for path, value in leaves:
        for text in map(str, value if isinstance(value, list) else [value]):
            secrets = [text] if _SECRET_KEY.search(path) else []
            secrets += [password for _, password in _IN_URI.findall(text)]
            for secret in secrets:
                if len(secret) >= _SHORTEST and secret != MASK and "${" not in secret:
                    # As it is, in JSON, and in a quoted word of the shell.
                    in_shell = secret.replace("'", "'\"'\"'")
                    _known.update((secret, json.dumps(secret)[1:-1], in_shell))


def masked(text: str) -> str:
    """The text with every known secret, and every password in a URI, replaced by `***`."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, MASK)
    text = _IN_WORDS.sub(rf"\1={MASK}", text)
    return _IN_URI.sub(rf"\1:{MASK}@", text) if "://" in text else text


class MaskingFormatter(logging.Formatter):
    """Formats a log line, tracebacks included, without the secrets in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The masked line."""
        return masked(super().format(record))


class _LogFiles:
    """The log files that are open now, each of the thread that opened it; while there is only one,
    it gets the lines of all threads. Handlers that were there before wait until the last is closed.
    """

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._open: dict[logging.Handler, int] = {}
        self._before: tuple[int, list[logging.Handler]] = (logging.WARNING, [])

    def add(self, handler: logging.Handler) -> None:
        """Open one for this thread."""
        thread = threading.get_ident()
        root = logging.getLogger()
        handler.addFilter(lambda record: len(self._open) == 1 or record.thread == thread)
        with self._lock:
            if not self._open:
                self._before = root.level, root.handlers[:]
                root.handlers = []
                root.setLevel(logging.INFO)
                logging.captureWarnings(True)  # a library's warnings go to the log too
            self._open[handler] = thread
            root.addHandler(handler)

    def remove(self, handler: logging.Handler) -> None:
        """Close one."""
        root = logging.getLogger()
        with self._lock:
            root.removeHandler(handler)
            del self._open[handler]
            if not self._open:
                logging.captureWarnings(False)
                root.level, root.handlers = self._before[0], self._before[1]
        handler.close()


_log_files = _LogFiles()


@contextmanager
def logging_to(file: Path) -> Iterator[None]:
    """Send all log lines, masked, to a file, and to it only; with several such files at a time,
    those of this thread.
    """
    handler = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(MaskingFormatter("[%(asctime)s][%(name)s][%(levelname)s] %(message)s"))
    _log_files.add(handler)
    try:
        yield
    finally:
        _log_files.remove(handler)
