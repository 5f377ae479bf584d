"""`python -m student_perf check`: does a kept model still answer its golden rows as it did?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import MODELS, add_run, reading
from student_perf.exit_codes import ExitCode

if TYPE_CHECKING:
    from student_perf.store.kept_model import KeptModel

HELP = "check a kept model on the golden rows it carries"
GROUP = MODELS
PARENTS = (reading(),)
USES_METRICS = False
CODES = {ExitCode.FINDING: "finding: a golden row is answered differently"}
_MOST_ADDED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run's model."""
    add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print one line for each answer that differs; FINDING if there is one.

    Raises ChangedError if any file of the run was changed.
    """
    from student_perf.serving.predict import check_model
    from student_perf.store.kept_model import load_kept_model

    kept = load_kept_model(chosen.run, chosen.store)
    said_of_files = list(_check_files(kept.folder))
    wrong = check_model(kept)
    for line in wrong:
        print(f"{chosen.run}: {line}", file=sys.stderr)
    if wrong:
        return ExitCode.FINDING
    assert kept.golden is not None
    rows = f"{len(kept.golden.rows)} golden rows answered as when it was trained"
    print(f"{chosen.run}: {rows}{_though(kept)}")
    for line in said_of_files:
        print(f"{chosen.run}: {line}")
    return ExitCode.DONE


def _though(kept: KeptModel) -> str:
    """What has changed since, although the answers are equal."""
    changes, others = kept.version_changes()
    words = [f"{one.package} changed from {one.was} to {one.now}" for one in changes]
    if others:
        words.append(f"{others} packages that it does not use changed")
    return f", though {', '.join(words)}" if words else ""


def _check_files(folder: Path) -> Iterator[str]:
    """What there is to say of files that are not changed, if the folder is that of a run."""
    from student_perf.reproduction.unchanged import check_records
    from student_perf.runs.layout import holds_record
    from student_perf.runs.record import load_record

    if not holds_record(folder):
        return
    record = load_record(folder)
    record.check_files()
    state = check_records([record])
    if state.unsealed:
        yield "its version kept no checksums, so a change of its files would not be noticed"
    if state.added:
        more = f" and {len(state.added) - _MOST_ADDED} more" if state.added[_MOST_ADDED:] else ""
        yield f"added after the run: {', '.join(state.added[:_MOST_ADDED])}{more}"
