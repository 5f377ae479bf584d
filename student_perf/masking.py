"""Secrets stay out of what is written and shown.

A value is secret if part of its key says so (`api_token`, `credentials.key`); so is the password in
a URI or after `password=`. The run itself works with the true values. Texts of fewer than four
characters are not masked, since they are part of too many words; a secret of digits is masked where
it stands alone, not within figures. What is written as YAML or JSON is masked leaf by leaf, so that
it stays readable.

>>> masked("postgresql://ada:lovelace@host/db failed, password=lovelace")
'postgresql://ada:***@host/db failed, password=***'
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from student_perf.errors import encodable
from student_perf.locks import ForkSafeLock

MASK = "***"
_SECRET_KEY = re.compile(
    r"(passw(or)?d|passphrase|secret|token|api_?key|credential|private_?key|access_?key)", re.I
)
_IN_URI = re.compile(r"(?<=://)([^/\s:@'\"]*):([^/\s'\"]+)@")
_IN_WORDS = re.compile(r"\b(password|passwd|pwd)=([^\s;&'\"]+)", re.I)
_SHORTEST = 4
_LONGEST_LOG = 50_000_000  # bytes
# Stores take their secrets from the environment, and may repeat them in an error.
_OF_STORES = ("MLFLOW_", "AWS_", "AZURE_", "DATABRICKS_", "GOOGLE_", "PG")
_known: set[str] = set()


def learn_secrets(leaves: Iterable[tuple[str, Any]]) -> None:
    """Remember the secret values among a config's leaves, given as dotted path and value."""
    for path, value in leaves:
        for one in value if isinstance(value, list) else [value]:
            if one is None or isinstance(one, bool):
                continue  # `true` and `None` stand everywhere
            text = str(one)
            secrets = [text] if _SECRET_KEY.search(path) else []
            secrets += [password for _, password in _IN_URI.findall(text)]
            for secret in secrets:
                if len(secret) >= _SHORTEST and secret != MASK and "${" not in secret:
                    # As it is, in JSON, and in a quoted word of the shell.
                    in_shell = secret.replace("'", "'\"'\"'")
                    _known.update((secret, json.dumps(secret)[1:-1], in_shell))


def learn_words(words: Iterable[str]) -> None:
    """Remember the secrets among words of the command line, `key=value`, before they are parsed."""
    for word in words:
        key, _, value = word.partition("=")
        learn_secrets([(key, value.strip("'\""))])


def learn_environment() -> None:
    """Remember the secrets in environment variables of the stores."""
    learn_secrets(
        (name, value)
        for name, value in os.environ.items()
        if name.startswith(_OF_STORES) and not Path(value).exists()  # a file that holds one
    )


def masked(text: str) -> str:
    """The text with every known secret, and every password in a URI, replaced by `***`."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret.isdigit():
            text = re.sub(rf"(?<![\w.]){secret}(?![\w.])", MASK, text)
        else:
            text = text.replace(secret, MASK)
    if "=" in text:
        text = _IN_WORDS.sub(rf"\1={MASK}", text)
    return _IN_URI.sub(rf"\1:{MASK}@", text) if "://" in text else text


def masked_tree(value: Any, path: str = "") -> Any:
    """Plain data with its texts masked; a number is a secret only if its dotted path says so."""
    if isinstance(value, Mapping):
        return {key: masked_tree(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked_tree(item, path) for item in value]
    if isinstance(value, str):
        return masked(value)
    return MASK if str(value) in _known and _SECRET_KEY.search(path) else value


def masked_yaml(text: str) -> str:
    """The text of a YAML file without its secrets, still YAML."""
    import yaml  # a tenth of a second that few commands need

    if masked(text) == text:
        return text
    return yaml.safe_dump(
        masked_tree(yaml.safe_load(text)), sort_keys=False, allow_unicode=True, width=1000
    )


def print_masked(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """An exception hook that prints the traceback without the secrets in it."""
    print(masked("".join(traceback.format_exception(kind, error, trace))), end="", file=sys.stderr)


class MaskedStream(io.TextIOBase):
    """A stream that passes on what is written to it, without the secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass the masked text on."""
        self._stream.write(masked(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream below."""
        self._stream.flush()


class MaskingFormatter(logging.Formatter):
    """Formats a log line, tracebacks included, without the secrets in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The masked line, which can be written whatever a message holds."""
        return encodable(masked(super().format(record)))


@contextmanager
def masking_logs() -> Iterator[None]:
    """Keep secrets out of what others log, by handlers that they set up themselves."""
    make = logging.getLogRecordFactory()

    def make_masked(*args: Any, **more: Any) -> logging.LogRecord:
        record = make(*args, **more)
        with suppress(TypeError, ValueError):  # a message that its handler will complain of
            record.msg, record.args = masked(record.getMessage()), ()
        return record

    logging.setLogRecordFactory(make_masked)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)


class LogFile(logging.FileHandler):
    """A log file that says once, in one line, that it cannot be written, as on a full disk. Forks
    of the process that opened it say nothing.

    It ends at 50 MB, with a line that says so: a model may log without an end.
    """

    _has_failed = False
    _has_ended = False

    def __init__(self, filename: str | Path, encoding: str) -> None:
        super().__init__(filename, encoding=encoding)
        self._process = os.getpid()

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, unless the file is long enough; other processes write to it, too."""
        if self._has_ended:
            return
        if self.stream is not None and os.fstat(self.stream.fileno()).st_size > _LONGEST_LOG:
            self._has_ended = True
            words = (record.name, logging.WARNING, record.pathname, record.lineno)
            line = f"the log ends here, at {_LONGEST_LOG // 1_000_000} MB"
            record = logging.LogRecord(*words, line, None, None)
        super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Instead of a traceback for each line."""
        self._say(sys.exc_info()[1])

    def _say(self, error: BaseException | None) -> None:
        is_ours = os.getpid() == self._process
        if is_ours and not self._has_failed and sys.stderr is not None:
            self._has_failed = True
            print(f"student_perf: warning: {self.baseFilename}: {error}", file=sys.stderr)

    def close(self) -> None:
        """Close it, though what is left of its lines may not fit."""
        try:
            super().close()
        except OSError as error:
            self._say(error)


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
    handler = LogFile(file, encoding="utf-8")
    handler.setFormatter(MaskingFormatter("[%(asctime)s][%(name)s][%(levelname)s] %(message)s"))
    _log_files.add(handler)
    try:
        yield
    finally:
        _log_files.remove(handler)
