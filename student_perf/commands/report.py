"""`python -m student_perf report`: the result of a finished run or sweep, again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from student_perf.commands.arguments import RESULTS, add_run, reading
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.runs.record import RunRecord

HELP = "show a result again; of a sweep, write its page again"
GROUP = RESULTS
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    add_run(parser, default="latest")


def run(chosen: argparse.Namespace) -> int:
    """Print metrics and places of a run, or trials and outcome of a sweep."""
    from student_perf.runs.layout import METRICS_FILE
    from student_perf.store.find import find_run, is_on_disk, open_run

    record = find_run(chosen.run, chosen.store)
    if record.kind != "sweep":
        with open_run(chosen.run, chosen.store) as recorded:
            _show_run(recorded.record, recorded.json(METRICS_FILE))
        return ExitCode.DONE
    if not is_on_disk(record):
        raise ConfigError(
            f"{chosen.run}: this sweep is in MLflow only; its page is the artifact report.html of "
            f"run {record.mlflow_run_id}"
        )
    _show_sweep(record)
    return ExitCode.DONE


def _show_run(record: RunRecord, summary: dict[str, Any]) -> None:
    from student_perf.store.address import ui_command

    objective = summary["objective"]["metric"]
    rows = {
        name: {key: value for key, value in row.items() if key != "folds"}
        for name, row in summary["metrics"].items()
    }
    terminal = Terminal()
    terminal.heading(record.name)
    n_folds = len(summary["metrics"][objective]["folds"])
    terminal.metrics(rows, objective, f"held-out rows, {n_folds} folds")
    terminal.verdict(rows, objective)
    places = {"folder": str(record.folder)}
    if record.mlflow_run_id is not None:
        places["mlflow"] = f"run {record.mlflow_run_id}"
        places["open"] = ui_command(record.tracking_uri)
    terminal.places(places)


def _show_sweep(record: RunRecord) -> None:
    from student_perf.pages.report import write_report
    from student_perf.pages.section import PAGE_FILE
    from student_perf.sweep.show import show_outcome, show_trials
    from student_perf.sweep.study import read_outcome

    folder = record.folder.resolve()
    outcome = read_outcome(folder)
    terminal = Terminal()
    terminal.heading(f"{record.name}, {record.status.lower()}")
    show_trials(outcome, terminal.console)
    show_outcome(outcome, terminal.console)
    page = write_report(folder / PAGE_FILE, outcome)
    compare = f"python -m student_perf compare {record.name}"
    terminal.places({"folder": str(folder), "report": str(page), "compare": compare})
