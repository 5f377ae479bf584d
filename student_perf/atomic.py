"""Writing a file as a whole: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from student_perf.errors import ConfigError, DiskError, StudentPerfError, encodable, one_line
from student_perf.masking import masked

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_BY_TEXT = (os.strerror(errno.ENOSPC), "database or disk is full")
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace `path` by bytes or UTF-8 text in one step; a failure leaves no draft behind.

    Secrets in a text are masked, and what UTF-8 cannot hold is escaped.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        data = encodable(masked(content)).encode() if isinstance(content, str) else content
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # so that the disk can be named
        raise
    finally:
        with suppress(OSError):  # of a folder that cannot be written, which the error says
            draft.unlink(missing_ok=True)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Raise DiskError, with the place and the way out, where `folder` is full or cannot be written,
    or a name is too long; other errors pass.
    """
    try:
        yield
    except Exception as error:
        if (explained := explain_disk_error(error, folder)) is None:
            raise
        raise explained from error


def explain_disk_error(error: BaseException, folder: Path) -> DiskError | None:
    """The one line for an error of a full or protected disk, or for a name that no file can have;
    None for any other error.

    `folder` is named if the error does not say where it happened.
    """
    if is_full(error):
        return full_disk(_folder_of(error) or folder)
    if isinstance(error, OSError) and error.errno in _REFUSED:
        place = error.filename or folder
        return DiskError(f"{place}: {error.strerror}; name a folder that you may write to")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return _long_name(os.fsdecode(error.filename or ""))
    return None


def _long_name(path: str) -> DiskError:
    part = max(Path(path).parts, key=len, default="")
    return DiskError(
        f"{part[:20]}..: a name of {len(part):,} characters, in a path of {len(path):,}, is longer "
        "than the file system takes; name a shorter one"
    )


def is_full(error: BaseException) -> bool:
    """Whether an error says that a disk is full."""
    if isinstance(error, OSError) and error.errno in _FULL:
        return True
    # Errors of pyarrow and SQLite have no number.
    is_foreign = isinstance(error, Exception) and not isinstance(error, StudentPerfError)
    return is_foreign and any(text in one_line(error) for text in _FULL_BY_TEXT)


def full_disk(folder: Path) -> DiskError:
    """That the disk of a folder is full, and what to do."""
    return DiskError(
        f"{folder}: no space is left on its disk; free some (`du -xh {folder.anchor or '.'} | "
        "sort -h | tail` shows what takes it) and run the command again"
    )


def _folder_of(error: BaseException) -> Path | None:
    """Where the file is that could not be written."""
    file = getattr(error, "filename2", None) or getattr(error, "filename", None)
    return Path(file).parent if isinstance(file, str) and file else None


def check_place(path: Path, option: str, begins: bytes = b"") -> None:
    """Raise ConfigError if `path`, the value of `option`, cannot become a file that begins so: a
    table or a text of the user's is not replaced by a page or a zip.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {path}: there is no folder {path.parent}; create it first")
    if path.is_file():
        with path.open("rb") as file:
            held = file.read(len(begins))
        if held and held.lower() != begins.lower():
            raise ConfigError(
                f"{option} {path}: exists and holds something else; name another file, or delete it"
            )
