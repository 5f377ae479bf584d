"""One zip with everything a run left, readable offline, and the check that nothing in it changed.

The manifest has the format of `sha256sum`, so an unpacked bundle can be checked without this
package: `sha256sum -c MANIFEST.sha256`.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path, PurePosixPath

from student_perf.atomic import write_atomic
from student_perf.errors import ConfigError
from student_perf.paths import LOCK_FILE
from student_perf.runs.card import model_card
from student_perf.runs.layout import CARD_FILE, RECORD_FILE
from student_perf.runs.record import Recorded, to_json

MANIFEST_FILE = "MANIFEST.sha256"
HELP_FILE = "VERIFY.txt"
LOCK_MEMBER = "requirements.lock.txt"
MOST_MEMBERS = 10_000
MOST_BYTES = 4 << 30  # unpacked, all members together
MOST_MANIFEST_BYTES = 4 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_PIECE = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error)


def export_run(run: Recorded, target: Path) -> str:
    """Write the run's bundle to `target` as a whole; returns the SHA-256 of its manifest.

    The same run gives the same bytes. Raises ConfigError if the folder of `target` is missing.
    """
    members = _members(run)
    manifest = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items()
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST_FILE: manifest.encode(), **members}.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, content)
    if not target.parent.is_dir():
        raise ConfigError(f"{target}: there is no folder {target.parent}; create it first")
    write_atomic(target, buffer.getvalue())
    return hashlib.sha256(manifest.encode()).hexdigest()


def _members(run: Recorded) -> dict[str, bytes]:
    """Contents by path in the zip, in alphabetical order."""
    members = {
        path.relative_to(run.folder).as_posix(): path.read_bytes()
        for path in run.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.suffix not in (".tmp", ".lock")
    }
    # The path of the run's folder says nothing about the run.
    record = asdict(run.record) | {"folder": run.record.folder.name}
    members[RECORD_FILE] = to_json(record).encode()
    members[CARD_FILE] = model_card(run).encode()
    lock = LOCK_FILE.read_bytes() if LOCK_FILE and LOCK_FILE.is_file() else b""
    if lock and hashlib.sha256(lock).hexdigest() == run.record.lock_sha256:
        members[LOCK_MEMBER] = lock
    members[HELP_FILE] = _help(run).encode()
    return dict(sorted(members.items()))


def _help(run: Recorded) -> str:
    word = run.record.mlflow_run_id or "FOLDER"
    return (
        "Is this bundle unchanged?\n"
        "  python -m student_perf verify FILE.zip\n"
        "or, unpacked and without the package:\n"
        f"  sha256sum -c {MANIFEST_FILE}\n"
        "The manifest shows accidents. Against a forger, compare its own SHA-256, which\n"
        "`export` and `verify` print, with the one you got by another channel.\n\n"
        "Can the run be reproduced?\n"
        f"  python -m student_perf reproduce {word}\n"
        "FOLDER is this bundle, unpacked.\n"
    )


def verify_bundle(path: Path) -> tuple[list[str], str]:
    """Problems of a bundle, none if it is unchanged, and its manifest's SHA-256.

    Unpacks nothing to disk, and reads no more than the limits allow. Raises ConfigError if there is
    no such file.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a bundle written by export")
    try:
        with zipfile.ZipFile(path) as archive:
            problems = _unsafe(archive)
            return (problems, "") if problems else _changed(archive)
    except _UNREADABLE as error:
        return [f"is not a readable zip ({error})"], ""


def _unsafe(archive: zipfile.ZipFile) -> list[str]:
    """Members that could do harm when unpacked, and sizes beyond the limits."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        return [f"holds {len(members)} members, {MOST_MEMBERS} are allowed"]
    size = sum(info.file_size for info in members)
    if size > MOST_BYTES:
        return [f"unpacks to {size} bytes, {MOST_BYTES} are allowed"]
    problems = []
    seen = set()
    for info in members:
        name = info.orig_filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or ":" in (parts or ("",))[0]:
            problems.append(f"{name!r}: leaves the folder it is unpacked to")
        elif "\0" in name or (info.external_attr >> 16) & 0o170000 == 0o120000:
            problems.append(f"{name!r}: is a link or has a hidden name")
        if info.filename in seen:
            problems.append(f"{name!r}: occurs twice")
        seen.add(info.filename)
    return problems


def _changed(archive: zipfile.ZipFile) -> tuple[list[str], str]:
    """Members that are missing, added or changed, compared with the manifest."""
    present = {info.filename: info for info in archive.infolist()}
    if MANIFEST_FILE not in present:
        return [f"{MANIFEST_FILE}: is missing; export did not write this bundle"], ""
    if present[MANIFEST_FILE].file_size > MOST_MANIFEST_BYTES:
        return [f"{MANIFEST_FILE}: is larger than {MOST_MANIFEST_BYTES} bytes"], ""
    content = archive.read(MANIFEST_FILE)
    lines = [_LINE.fullmatch(line) for line in content.decode("utf-8", "replace").split("\n")[:-1]]
    if not all(lines):
        return [f"{MANIFEST_FILE}: has lines that are not checksums"], ""
    listed = {line[2]: line[1] for line in lines if line is not None}
    problems = [f"{name}: is missing" for name in listed if name not in present]
    for name, info in present.items():
        if name == MANIFEST_FILE:
            continue
        if name not in listed:
            problems.append(f"{name}: was added, the manifest does not list it")
        elif _digest(archive, info) != listed[name]:
            problems.append(f"{name}: was changed")
    return problems, hashlib.sha256(content).hexdigest()


def _digest(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    """SHA-256 of a member, None if it is damaged."""
    digest = hashlib.sha256()
    try:
        with archive.open(member) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except _UNREADABLE:
        return None
    return digest.hexdigest()


def default_target(run: Recorded) -> Path:
    """The file in the current folder that a bundle goes to by default."""
    return Path(re.sub(r"[^\w.-]", "_", f"{run.record.name}.zip"))
