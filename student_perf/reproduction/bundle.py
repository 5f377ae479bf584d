"""One zip with everything a run left, readable offline, and the check that nothing in it changed.

The manifest has the format of `sha256sum`, so an unpacked bundle can be checked without this
package: `sha256sum -c MANIFEST.sha256`. A signature, if there is one, is that of the manifest.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from student_perf.atomic import check_place, disk_errors, write_atomic
from student_perf.config.names import unique_name
from student_perf.errors import ConfigError
from student_perf.paths import LOCK_FILE
from student_perf.reproduction.signature import NAMESPACE, is_signed_by, public_key, sign
from student_perf.runs.card import model_card
from student_perf.runs.layout import (
    BUNDLE_SUFFIX,
    CARD_FILE,
    RECORD_FILE,
    holds_record,
    iter_files,
)
from student_perf.runs.record import Recorded

MANIFEST_FILE = "MANIFEST.sha256"
SIGNATURE_FILE = "MANIFEST.sha256.sig"
HELP_FILE = "VERIFY.txt"
LOCK_MEMBER = "requirements.lock.txt"
MOST_MEMBERS = 10_000
MOST_BYTES = 4 << 30  # unpacked, all members together
MOST_RATIO = 200  # of unpacked to packed bytes, beyond what every bundle may unpack to
FREE_BYTES = 64 << 20
MOST_MANIFEST_BYTES = 4 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can hold
_WAYS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_OF_A_SWEEP = ("trial", "final", "kept")  # kinds of records
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_PIECE = 1 << 20
_UNREADABLE = (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error)


@dataclass(frozen=True)
class BundleState:
    """What is wrong with a bundle, nothing if it is unchanged; the SHA-256 of its manifest; and
    whether it is signed.
    """

    problems: list[str]
    digest: str = ""
    is_signed: bool = False


def export_run(run: Recorded, target: Path, key: Path | None = None) -> str:
    """Write the run's bundle to `target` as a whole, signed by an ssh key if one is given; returns
    the SHA-256 of its manifest.

    The same run gives the same bytes.

    Raises:
        ChangedError: A file is not as the run left it.
        ConfigError: The place of `target` cannot be used, or the key cannot.
    """
    check_place(target, "the bundle", b"PK")
    run.record.check_files()
    members = _members(run)
    manifest = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in members.items()
    )
    first = {MANIFEST_FILE: manifest.encode()}
    if key is not None:
        first[SIGNATURE_FILE] = sign(manifest.encode(), key)
    with disk_errors(target.absolute().parent):
        write_atomic(target, _packed({**first, **members}))
    return hashlib.sha256(manifest.encode()).hexdigest()


def _packed(members: Mapping[str, bytes]) -> bytes:
    """A zip that depends on nothing but these contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, content)
    return buffer.getvalue()


def _members(run: Recorded) -> dict[str, bytes]:
    """Contents by path in the zip, in alphabetical order."""
    members = {
        path.relative_to(run.folder).as_posix(): path.read_bytes()
        for path in iter_files(run.folder)
        if path.suffix not in (".tmp", ".lock", BUNDLE_SUFFIX)
    }
    members[CARD_FILE] = model_card(run).encode()
    files = run.record.files
    if files:  # the card may be written anew
        files = files | {CARD_FILE: hashlib.sha256(members[CARD_FILE]).hexdigest()}
    # The path of the run's folder says nothing about the run.
    record = replace(run.record, files=files)
    members[RECORD_FILE] = record.to_text(run.record.folder.name).encode()
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
        "`export` and `verify` print, with the one you got by another channel; or, if the\n"
        f"bundle holds {SIGNATURE_FILE}, ask for its signer by their public ssh key:\n"
        "  python -m student_perf verify FILE.zip --key id_ed25519.pub\n"
        "or, unpacked, with a file SIGNERS that holds `signer` and the key in one line:\n"
        f"  ssh-keygen -Y verify -f SIGNERS -I signer -n {NAMESPACE} \\\n"
        f"    -s {SIGNATURE_FILE} < {MANIFEST_FILE}\n\n"
        "Can the run be reproduced?\n"
        f"  python -m student_perf reproduce {word}\n"
        "FOLDER is this bundle, unpacked.\n"
    )


def verify_bundle(path: Path, key: Path | None = None) -> BundleState:
    """Compare a bundle with its manifest and, if a public key is given, the manifest with its
    signature.

    Unpacks nothing to disk, and reads no more than the limits allow. Raises ConfigError if there is
    no such file, or the key cannot be used.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; name a bundle written by export")
    if key is not None:
        public_key(key)  # a key that cannot be used is not the bundle's fault
    try:
        with zipfile.ZipFile(path) as archive:
            problems = _unsafe(archive)
            return BundleState(problems) if problems else _compared(archive, key)
    except _UNREADABLE as error:
        return BundleState([f"is not a readable zip ({error})"])


def _unsafe(archive: zipfile.ZipFile) -> list[str]:
    """Members that could do harm when unpacked, and sizes beyond the limits."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        return [f"holds {len(members)} members, {MOST_MEMBERS} are allowed"]
    size = sum(info.file_size for info in members)
    if size > MOST_BYTES:
        return [f"unpacks to {size} bytes, {MOST_BYTES} are allowed"]
    packed = sum(info.compress_size for info in members)
    if size > FREE_BYTES + MOST_RATIO * packed:
        return [f"unpacks {packed} bytes to {size}, as no run's files do"]
    problems = []
    seen: dict[str, str] = {}
    for info in members:
        name = info.orig_filename
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or ":" in (parts or ("",))[0]:
            problems.append(f"{name!r}: leaves the folder it is unpacked to")
        elif not name.isprintable() or (info.external_attr >> 16) & 0o170000 == 0o120000:
            problems.append(f"{name!r}: is a link or has a hidden name")
        elif info.compress_type not in _WAYS:
            problems.append(f"{name!r}: is compressed as export never does")
        # Where case or the way to write an accent does not count, both would be one file.
        same = unicodedata.normalize("NFC", info.filename.casefold())
        if same in seen:
            problems.append(f"{name!r}: occurs twice, the first time as {seen[same]!r}")
        seen[same] = name
    return problems


def _compared(archive: zipfile.ZipFile, key: Path | None) -> BundleState:
    """The members compared with the manifest, and that with its signature."""
    present = {info.filename: info for info in archive.infolist()}
    if MANIFEST_FILE not in present:
        return BundleState([f"{MANIFEST_FILE}: is missing; export did not write this bundle"])
    for name in (MANIFEST_FILE, SIGNATURE_FILE):
        if name in present and present[name].file_size > MOST_MANIFEST_BYTES:
            return BundleState([f"{name}: is larger than {MOST_MANIFEST_BYTES} bytes"])
    manifest = archive.read(MANIFEST_FILE)
    lines = [_LINE.fullmatch(line) for line in manifest.decode("utf-8", "replace").split("\n")[:-1]]
    listed = {line[2]: line[1] for line in lines if line is not None}
    if not all(lines):
        return BundleState([f"{MANIFEST_FILE}: has lines that are not checksums"])
    if len(listed) < len(lines):
        return BundleState([f"{MANIFEST_FILE}: lists a file twice"])
    signature = archive.read(SIGNATURE_FILE) if SIGNATURE_FILE in present else None
    problems = _changed(archive, listed)
    if key is not None:
        problems += _unsigned(manifest, signature, key)
    return BundleState(problems, hashlib.sha256(manifest).hexdigest(), signature is not None)


def _changed(archive: zipfile.ZipFile, listed: Mapping[str, str]) -> list[str]:
    """Members that are missing, added or changed; `listed` are their checksums."""
    present = {info.filename: info for info in archive.infolist()}
    problems = [f"{name}: is missing" for name in listed if name not in present]
    for name, info in present.items():
        if name in (MANIFEST_FILE, SIGNATURE_FILE):
            continue
        if name not in listed:
            problems.append(f"{name}: was added, the manifest does not list it")
        elif _digest(archive, info) != listed[name]:
            problems.append(f"{name}: was changed")
    return problems


def _unsigned(manifest: bytes, signature: bytes | None, key: Path) -> list[str]:
    if signature is None:
        return [f"{SIGNATURE_FILE}: is missing; the bundle is not signed"]
    if not is_signed_by(manifest, signature, key):
        return [f"{SIGNATURE_FILE}: is not a signature of this manifest by {key}"]
    return []


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
    """The file that a bundle goes to by default: below the run's folder, where git and the seal
    look past it, or here if MLflow alone has the run.
    """
    record = run.record
    # A trial or a winner has the name of those of other sweeps.
    sweep = [record.folder.parent.name] if record.kind in _OF_A_SWEEP else []
    place = record.folder if holds_record(record.folder) else Path()
    return place / f"{unique_name('-'.join([*sweep, record.name]))}{BUNDLE_SUFFIX}"
