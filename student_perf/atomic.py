"""Writing a file as a whole: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from student_perf.errors import ConfigError, encodable
from student_perf.masking import masked


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace `path` by bytes or UTF-8 text in one step; a failure leaves no draft behind.

    Secrets in a text are masked, and what UTF-8 cannot hold is escaped.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        data = encodable(masked(content)).encode() if isinstance(content, str) else content
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def check_place(path: Path, option: str) -> None:
    """Raise ConfigError if `path`, the value of `option`, cannot become a file."""
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}; create it first")
