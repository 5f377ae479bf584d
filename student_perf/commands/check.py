"""`python -m student_perf check`: does a sweep add up, does a kept model answer as it did?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import MODELS, add_run, reading
from student_perf.exit_codes import ExitCode

if TYPE_CHECKING:
    from student_perf.runs.record import RunRecord
    from student_perf.store.kept_model import KeptModel

HELP = "check that a sweep adds up, and a kept model on its golden rows"
GROUP = MODELS
PARENTS = (reading(),)
USES_METRICS = False
CODES = {ExitCode.FINDING: "finding: a sweep does not add up, a golden row differs"}
_MOST_ADDED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which sweep or which run's model."""
    add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print what was counted and each difference; FINDING if there is one.

    Raises ChangedError if any file of the run was changed.
    """
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.store.model_folder import is_without_run

    if is_without_run(chosen.run):
        return ExitCode.DONE if _answers_as_before(chosen) else ExitCode.FINDING
    record = find_run(chosen.run, chosen.store)
    is_sweep = record.kind == "sweep" and is_on_disk(record)
    agrees = _sweep_adds_up(record) if is_sweep else True
    if not is_sweep or _has_model(record):
        agrees = _answers_as_before(chosen) and agrees
    return ExitCode.DONE if agrees else ExitCode.FINDING


def _has_model(sweep: RunRecord) -> bool:
    from student_perf.runs.layout import GOLDEN_FILE
    from student_perf.runs.record import load_winner

    winner = load_winner(sweep.folder)
    return winner is not None and (winner.folder / GOLDEN_FILE).is_file()


def _sweep_adds_up(record: RunRecord) -> bool:
    """Study, records, board, MLflow and winner against each other."""
    from student_perf.config.trusted import import_trusted
    from student_perf.sweep.account import audit

    import_trusted()  # the objective may be a metric of the user's own
    account = audit(record.folder)
    for line in account.counted:
        print(f"{record.name}: {line}")
    for line in account.wrong:
        print(f"{record.name}: {line}", file=sys.stderr)
    return not account.wrong


def _answers_as_before(chosen: argparse.Namespace) -> bool:
    """The kept model's answers against those it gave when it was trained."""
    from student_perf.store.model_folder import model_folder

    folder = model_folder(chosen.run, chosen.store)
    from student_perf.serving.predict import check_model
    from student_perf.store.kept_model import read_kept_model

    kept = read_kept_model(folder, chosen.run)
    said_of_files = list(_check_files(kept.folder))
    wrong = check_model(kept)
    for line in wrong:
        print(f"{kept.name}: {line}", file=sys.stderr)
    if wrong:
        return False
    assert kept.golden is not None
    rows = f"{len(kept.golden.rows)} golden rows answered as when it was trained"
    print(f"{kept.name}: {rows}{_though(kept)}")
    for line in said_of_files:
        print(f"{kept.name}: {line}")
    return True


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
