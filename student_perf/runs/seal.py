r"""Checksums of what a run has left, by which a later change is noticed.

`record.json` lists the SHA-256 of each file and ends with one of its own text, so it seals the
whole folder. A seal shows accidents and careless edits; whoever can change a file can seal it
again, and against them there is the signature of a bundle.

>>> text = sealed('{\n  "kind": "single"\n}\n', {})
>>> is_intact(text), is_intact(text.replace("single", "sweep"))
(True, False)
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

from student_perf.errors import ChangedError
from student_perf.runs import layout
from student_perf.terminal import print_warning

FILES, SEAL = "files", "seal"  # the last two keys of record.json
WAS_CHANGED = "was changed after the run"

_BROKEN = "changed"  # in place of a seal, so that saving a changed record does not mend it
_CLOSING = "\n}\n"
_SEALED = re.compile(r'(.*),\n  "seal": "(\w+)"\n}\n', re.DOTALL)
_MENTIONED = re.compile(r'^  "(?:files|seal)": ', re.MULTILINE)
# What is written after a run has ended: by its log, by whoever sends it, by a later report.
_LATER = {
    layout.RECORD_FILE,
    layout.LOG_FILE,
    layout.RUN_ID_FILE,
    layout.ADDRESS_FILE,
    layout.ERROR_FILE,
    layout.PAGE_FILE,
}
_PASSING = (".tmp", ".lock", layout.BUNDLE_SUFFIX)
# A sweep's folder is full of what changes, its journal first; these stay as they are.
_OF_A_SWEEP = {
    layout.CONFIG_FILE,
    layout.PROVENANCE_FILE,
    layout.DIFF_FILE,
    layout.LEADERBOARD_FILE,
    layout.STANDINGS_FILE,
    f"{layout.HYDRA_FOLDER}/hydra.yaml",
}
_OnChange = Literal["raise", "warn", "ignore"]
_on_change: ContextVar[_OnChange] = ContextVar("on_change", default="raise")


@contextmanager
def accept_changes(accepted: bool = True, warn: bool = True) -> Iterator[None]:
    """If `accepted`, go on with changed files, each named in a warning; holds for this thread."""
    token = _on_change.set(("warn" if warn else "ignore") if accepted else "raise")
    try:
        yield
    finally:
        _on_change.reset(token)


def checksums(folder: Path, kind: str) -> dict[str, str]:
    """SHA-256 by name of the files in a run's folder that are final when the run ends."""
    names = sorted(_names(folder))
    if kind == "sweep":
        names = [name for name in names if name in _OF_A_SWEEP]
    return {name: sha256_of(folder / name) for name in names}


def added_files(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Names of files in a run's folder that the run did not leave there."""
    return sorted(set(_names(folder)) - set(files))


def sealed(text: str, files: Mapping[str, str], broken: bool = False) -> str:
    """The JSON text of a record with the checksums of its files and, at its end, its own."""
    listed = json.dumps({FILES: dict(files)}, indent=2, ensure_ascii=False)
    text = f"{text.removesuffix(_CLOSING)},\n{listed[2 : -len(_CLOSING) + 1]}"
    seal = _BROKEN if broken else _sha256(text)
    return f'{text},\n  "{SEAL}": "{seal}"{_CLOSING}'


def is_intact(text: str) -> bool:
    """Whether the text of a record is as it was sealed."""
    parts = _SEALED.fullmatch(text)
    return parts is not None and _sha256(parts[1]) == parts[2]


def is_mentioned(text: str, content: object) -> bool:
    """Whether a record was sealed, which those of earlier versions were not, by its text or by the
    content that was read from it in whatever layout.
    """
    keys = {FILES, SEAL}
    return bool(_MENTIONED.search(text)) or (isinstance(content, dict) and bool(keys & {*content}))


def difference(folder: Path, files: Mapping[str, str], name: str) -> str | None:
    """What is wrong with one file of a record, None if nothing is or it has no checksum."""
    if name not in files:
        return None
    if not (folder / name).is_file():
        return "is missing, and the run had left it"
    return None if sha256_of(folder / name) == files[name] else WAS_CHANGED


def report_change(path: Path, what: str) -> None:
    """Raises ChangedError, or warns if changes are accepted."""
    if _on_change.get() == "raise":
        raise ChangedError(
            f"{path}: {what}; put it back as it was, or go on with it by --accept-changes "
            "(in Python accept_changes=True)"
        )
    if _on_change.get() == "warn":
        print_warning(f"{path}: {what}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _names(folder: Path) -> Iterator[str]:
    """Files of a run, without what changes after its end; links lead elsewhere and do not count."""
    for inner in ("", layout.HYDRA_FOLDER):
        if inner and not (folder / inner).is_dir():
            continue
        with os.scandir(folder / inner) as entries:
            for entry in entries:
                is_final = entry.name not in _LATER and not entry.name.endswith(_PASSING)
                if is_final and entry.is_file(follow_symlinks=False):
                    yield f"{inner}/{entry.name}" if inner else entry.name


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
