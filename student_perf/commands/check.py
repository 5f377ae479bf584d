"""`python -m student_perf check`: does a sweep add up, does a kept model answer as it did?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from student_perf.commands.arguments import MODELS, add_run, reading
from student_perf.exit_codes import ExitCode

if TYPE_CHECKING:
    from student_perf.runs.record import RunRecord

HELP = "check that a sweep adds up, a kept model on its golden rows"
GROUP = MODELS
PARENTS = (reading(),)
CODES = {ExitCode.FINDING: "finding: a sweep does not add up, a golden row differs"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which sweep or which run's model."""
    add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print what was counted and each difference; FINDING if there is one."""
    from student_perf.store.find import find_run, is_on_disk

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
    from student_perf.sweep.account import audit

    account = audit(record.folder)
    for line in account.counted:
        print(f"{record.name}: {line}")
    for line in account.wrong:
        print(f"{record.name}: {line}", file=sys.stderr)
    return not account.wrong


def _answers_as_before(chosen: argparse.Namespace) -> bool:
    """The kept model's answers against those it gave when it was trained."""
    from student_perf.serving.predict import check_model
    from student_perf.store.kept_model import load_kept_model

    kept = load_kept_model(chosen.run, chosen.store)
    wrong = check_model(kept)
    for line in wrong:
        print(f"{chosen.run}: {line}", file=sys.stderr)
    if not wrong:
        assert kept.golden is not None
        print(f"{chosen.run}: {len(kept.golden.rows)} golden rows answered as when it was trained")
    return not wrong
