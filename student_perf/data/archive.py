"""Public datasets: downloaded once, verified by their parsed content, kept in a cache folder.

A file enters the cache by an atomic rename after its table was checked, so the cache never holds
anything broken, whatever the network or the server did.
"""

from __future__ import annotations

import http.client
import io
import time
import urllib.error
import urllib.request
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from student_perf.atomic import write_atomic
from student_perf.config.schema import ArchiveDataset
from student_perf.data.fingerprint import fingerprint_table
from student_perf.errors import DataError
from student_perf.tables.files import parse_table, read_file
from student_perf.tables.options import PLAIN

LARGEST_BYTES = 2 * 2**30
_PATIENCE = 20  # times dataset.timeout: the whole download may take so long
_CHUNK = 2**20


def read_archive(config: ArchiveDataset) -> pd.DataFrame:
    """Table of a public dataset: from the user's file, the cache, or the network, in that order.

    Raises:
        DataError: It is not available, or not the table whose fingerprint the config names.
    """
    options = replace(PLAIN, separator=config.separator)
    if config.path is not None:
        path = Path(config.path).expanduser()
        return _verified(read_file(path, options).table, config, f"dataset.path={path}")
    cached = cached_file(config)
    if cached.is_file():
        table = parse_table(cached.read_bytes(), cached.name, options, str(cached)).table
        return _verified(table, config, f"cached file {cached}")
    data = _member(_download(config), config.member, config)
    table = parse_table(data, cached.name, options, config.url).table
    _verified(table, config, config.url)
    cached.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(cached, data)
    return table


def cached_file(config: ArchiveDataset) -> Path:
    """Path of the dataset's file after a download."""
    return Path(config.cache) / PurePosixPath(config.member).name


def _verified(table: pd.DataFrame, config: ArchiveDataset, origin: str) -> pd.DataFrame:
    sha256 = fingerprint_table(table)
    if config.content_sha256 is not None and sha256 != config.content_sha256:
        raise DataError(
            f"{origin}: holds another table ({table.shape[0]} x {table.shape[1]}, sha256 "
            f"{sha256[:12]}) than {config.name} ({config.content_sha256[:12]}); get the original, "
            "or accept this one with dataset.content_sha256=null"
        )
    return table


def _download(config: ArchiveDataset) -> bytes:
    """Bytes at the URL, with a progress bar on a terminal. Raises DataError with the ways out."""
    try:
        request = urllib.request.urlopen(config.url, timeout=config.timeout)  # noqa: S310
        with request as answer, _progress() as progress:
            total = int(answer.headers.get("Content-Length") or 0)
            bar = progress.add_task(config.name, total=total or None)
            received = io.BytesIO()
            give_up = time.monotonic() + _PATIENCE * config.timeout
            while chunk := answer.read1(_CHUNK):  # what has come, so a slow server is noticed
                received.write(chunk)
                progress.update(bar, completed=received.tell())
                if received.tell() > LARGEST_BYTES:
                    raise DataError(f"{config.url}: sends more than 2 GB; refused")
                if time.monotonic() > give_up:
                    raise TimeoutError(f"not complete after {_PATIENCE * config.timeout:.0f} s")
            if received.tell() < total:
                raise http.client.IncompleteRead(b"", total - received.tell())
            return received.getvalue()
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DataError(
            f"dataset={config.name}: cannot be downloaded from {config.url} ({reason}); "
            "(1) try again with a network, (2) fetch it by other means and give the file as "
            "dataset.path=..., or (3) use dataset=econmath, which needs no download"
        ) from error


def _progress() -> Progress:
    columns = (TextColumn("  downloading {task.description}"), BarColumn(), DownloadColumn())
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _member(data: bytes, member: str, config: ArchiveDataset) -> bytes:
    """Bytes of a file in a zip; `outer.zip/inner.csv` names one in a zip inside the zip.

    Nothing is unpacked to disk, so a path that climbs out of the archive does no harm.
    """
    for name in _path_of_zips(member):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                info = archive.getinfo(name)
                if info.file_size > LARGEST_BYTES:
                    raise DataError(f"{config.url}: '{name}' unpacks to more than 2 GB; refused")
                with archive.open(info) as file:
                    # The header may lie about the size, so no more than that is read.
                    data = file.read(info.file_size + 1)
        except KeyError as error:
            held = ", ".join(archive.namelist()[:5]) or "nothing"
            raise DataError(
                f"{config.url}: the archive holds {held}, but no '{name}'; correct dataset.member"
            ) from error
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise DataError(
                f"{config.url}: is not an intact zip ({error}); try again, or give the file as "
                "dataset.path=..."
            ) from error
    return data


def _path_of_zips(member: str) -> list[str]:
    outer, inner = member.split(".zip/", 1) if ".zip/" in member else (None, member)
    return [inner] if outer is None else [f"{outer}.zip", *_path_of_zips(inner)]
