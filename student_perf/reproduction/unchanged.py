"""Is what a run has left in its folder as the run left it?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from student_perf.runs import layout
from student_perf.runs.record import RunRecord, load_record
from student_perf.runs.seal import accept_changes, added_files


@dataclass
class FolderState:
    """What became of the files of one run or of several.

    Attributes:
        n_records: Number of records.
        n_files: Number of files with a checksum.
        changed: `path: what is wrong`, one for each file that is not as it was.
        added: Paths of files that no run left; they are no fault.
        unsealed: Folders of ended runs whose records have no checksums, as those of old versions.
    """

    n_records: int = 0
    n_files: int = 0
    changed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    unsealed: list[str] = field(default_factory=list)


def check_folder(folder: Path) -> FolderState:
    """The state of the run in a folder; a sweep's trials and kept models belong to it."""
    with accept_changes(warn=False):
        return check_records(map(load_record, layout.iter_below(folder, ".", "*")))


def check_records(records: Iterable[RunRecord]) -> FolderState:
    """The state of these runs together."""
    state = FolderState()
    for record in records:
        state.n_records += 1
        state.n_files += len(record.files)
        state.changed += [f"{record.folder / name}: {what}" for name, what in record.changes]
        if record.status != "RUNNING" and not record.files and not record.is_changed:
            state.unsealed.append(str(record.folder))
        elif record.files and record.kind != "sweep":  # a sweep's folder is full of what changes
            added = added_files(record.folder, record.files)
            state.added += [str(record.folder / name) for name in added]
    return state
