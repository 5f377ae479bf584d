"""`python -m student_perf report`: the result of a finished run or sweep, again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import RESULTS, add_run, reading
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.scoring.metrics import METRICS
from student_perf.shell import own_line
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.runs.record import Recorded, RunRecord

HELP = "show a result again; of a sweep, write its page again"
GROUP = RESULTS
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    add_run(parser, default="latest")


def run(chosen: argparse.Namespace) -> int:
    """Print what a run has shown, or trials and outcome of a sweep."""
    from student_perf.store.find import find_run, is_on_disk, open_run

    record = find_run(chosen.run, chosen.store)
    if record.kind != "sweep":
        with open_run(chosen.run, chosen.store) as recorded:
            _show_run(recorded, record.folder if is_on_disk(record) else None)
        return ExitCode.DONE
    if not is_on_disk(record):
        raise ConfigError(
            f"{chosen.run}: this sweep is in MLflow only; its page is the artifact report.html of "
            f"run {record.mlflow_run_id}, and compare {chosen.run} ranks its trials"
        )
    _show_sweep(record)
    return ExitCode.DONE


def _show_run(run: Recorded, folder: Path | None) -> None:
    from student_perf.runs.shown import (
        read_introduction,
        read_lineage,
        read_result,
        show_introduction,
        show_result,
    )
    from student_perf.store.address import LENGTH_OF_ID, mlflow_places

    record, terminal = run.record, Terminal()
    terminal.heading(record.name)
    if record.model:  # a drift report has none
        terminal.title(record.model, record.dataset, record.split_kind, record.seed)
    show_introduction(terminal, read_introduction(run), read_lineage(run))
    show_result(terminal, read_result(run))
    terminal.notes(_about_sets(record))
    run_id = record.mlflow_run_id
    where, word = (record.tracking_uri, record.experiment), (run_id or "")[:LENGTH_OF_ID]
    places = {} if folder is None else {"folder": str(folder)}
    terminal.places(places | mlflow_places(*where, run_id, record.folder, word))


def _about_sets(record: RunRecord) -> list[str]:
    """How sure a single answer is; nothing for a run that did not note it, or is not here."""
    from student_perf.runs.layout import SETS_FILE
    from student_perf.runs.prediction_sets import describe_sets, sets_from_json

    file = record.file(SETS_FILE)
    if not file.is_file():
        return []
    sets = sets_from_json(file.read_text(encoding="utf-8"))
    return [describe_sets(sets, METRICS[record.objective].task)]


def _show_sweep(record: RunRecord) -> None:
    terminal = Terminal()
    terminal.heading(f"{record.name}, {record.status.lower()}")  # before the slow imports
    folder = record.folder.resolve()
    with terminal.waiting("reading"):
        from student_perf.pages.report import write_report
        from student_perf.runs.layout import PAGE_FILE
        from student_perf.sweep.show import show_outcome, show_trials
        from student_perf.sweep.study import read_outcome

        outcome = read_outcome(folder)
    show_trials(outcome, terminal.console)
    show_outcome(outcome, terminal.console)
    with terminal.waiting("writing the page"):
        page = write_report(folder / PAGE_FILE, outcome)
    compare = own_line("compare", record.name)
    terminal.places({"folder": str(folder), "report": str(page), "compare": compare})
