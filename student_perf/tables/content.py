"""What a file holds by its first bytes, whatever its name says, and its bytes unpacked."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

Kind = Literal["text", "arff", "json", "parquet", "feather", "sheet", "gzip", "zip"]
MOST_BYTES = 2 * 2**30  # of a table in memory
_HEAD = 2**16  # a header row fits into this many bytes
_TAIL = 64
_MAGIC: dict[bytes, Kind] = {
    b"PAR1": "parquet",
    b"ARROW1": "feather",
    b"\x1f\x8b": "gzip",
    b"\xd0\xcf\x11\xe0": "sheet",  # the older xls
}
_ENDINGS: dict[str, Kind] = {
    ".parquet": "parquet",
    ".arff": "arff",
    ".feather": "feather",
    ".json": "json",
    ".jsonl": "json",
}
_RECORDS = re.compile(r'\s*(?:\[\s*)?\{\s*"')


def kind_of(source: Path | bytes, name: str) -> Kind:
    """Format of a file; an ending that promises one counts, as its reader says what is wrong."""
    start = head(source)
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    if start.startswith(b"PK\x03\x04"):
        return "sheet" if _is_spreadsheet(source) else "zip"
    text = start.decode("utf-8-sig", "replace")
    lines = (line.strip().casefold() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("%")), "")
    if first.startswith("@relation"):
        return "arff"
    if _RECORDS.match(text):
        return "json"
    return _ENDINGS.get(Path(name).suffix.lower(), "text")


def head(source: Path | bytes) -> bytes:
    """The first bytes of a file or of its content."""
    if isinstance(source, bytes):
        return source[:_HEAD]
    with source.open("rb") as file:
        return file.read(_HEAD)


def tail(source: Path | bytes, n_bytes: int = _TAIL) -> bytes:
    """The last bytes of a file or of its content, an even number of them."""
    if isinstance(source, bytes):
        return source[-n_bytes:]
    with source.open("rb") as file:
        file.seek(-min(n_bytes, file.seek(0, io.SEEK_END)), io.SEEK_END)
        return file.read()


def opened(source: Path | bytes) -> Path | io.BytesIO:
    """What pandas and Arrow open."""
    return io.BytesIO(source) if isinstance(source, bytes) else source


def content(source: Path | bytes) -> bytes:
    """All bytes of a file."""
    return source if isinstance(source, bytes) else source.read_bytes()


def unpacked(source: Path | bytes, name: str) -> tuple[Path | bytes, str]:
    """A gz or a zip of one file as the bytes and the name of what it holds; others as they are.

    Raises:
        ValueError: It is broken, too large, or a zip of several files.
    """
    kind = kind_of(source, name)
    if kind == "gzip":
        with _readable(), gzip.open(opened(source)) as file:
            return _limited(file), name.removesuffix(".gz")
    if kind != "zip":
        return source, name
    with _readable(), zipfile.ZipFile(opened(source)) as archive:
        held = [one.filename for one in archive.infolist() if not one.is_dir()]
        files = [one for one in held if not one.startswith("__MACOSX/")]
        if len(files) != 1:
            shown = ", ".join(files[:5]) or "nothing"
            raise ValueError(f"a zip is read if it holds one file, this holds {shown}; unpack it")
        with archive.open(files[0]) as file:
            return _limited(file), Path(files[0]).name


@contextmanager
def _readable() -> Iterator[None]:
    """Turn what an archive raises that cannot be read into ValueError."""
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise ValueError(f"the archive is broken or locked: {error}") from error


def _limited(file: IO[bytes] | gzip.GzipFile) -> bytes:
    data: bytes = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError("it unpacks to more than 2 GiB")
    return data


def _is_spreadsheet(source: Path | bytes) -> bool:
    """Whether a zip is an xlsx or ods."""
    try:
        with zipfile.ZipFile(opened(source)) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False
    return "[Content_Types].xml" in names or "content.xml" in names
