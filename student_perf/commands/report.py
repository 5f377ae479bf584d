"""`python -m student_perf report`: the result of a finished run or sweep, again."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import RESULTS, add_run, reading
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.scoring.metrics import METRICS
from student_perf.terminal import MetricRow, Terminal, python_command

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
    from student_perf.store.find import find_run, is_on_disk, open_run

    record = find_run(chosen.run, chosen.store)
    if record.kind != "sweep":
        with open_run(chosen.run, chosen.store) as recorded:
            _show_run(recorded.record, record.folder if is_on_disk(record) else None)
        return ExitCode.DONE
    if not is_on_disk(record):
        raise ConfigError(
            f"{chosen.run}: this sweep is in MLflow only; its page is the artifact report.html of "
            f"run {record.mlflow_run_id}, and compare {chosen.run} ranks its trials"
        )
    _show_sweep(record)
    return ExitCode.DONE


def _show_run(record: RunRecord, folder: Path | None) -> None:
    from student_perf.runs.looks import count_tries
    from student_perf.store.address import kept_address, ui_command
    from student_perf.text import folds

    terminal = Terminal()
    terminal.heading(record.name)
    rows = _rows(record)
    n_folds = len(record.fold_scores(record.objective))
    terminal.metrics(rows, record.objective, f"held-out rows, {folds(n_folds)}")
    if rows.get(record.objective, {}).get("dummy") is not None:
        terminal.verdict(rows, record.objective, count_tries(record))
    terminal.notes(_about_sets(record))
    places = {} if folder is None else {"folder": str(folder)}
    if record.mlflow_run_id is not None:
        places["mlflow"] = f"run {record.mlflow_run_id}"
        word = record.mlflow_run_id[:8]
        uri = record.tracking_uri
        places["open"] = kept_address(record.folder, uri) or ui_command(uri, word)
    terminal.places(places)


def _about_sets(record: RunRecord) -> list[str]:
    """How sure a single answer is; nothing for a run that did not note it, or is not here."""
    from student_perf.runs.layout import SETS_FILE
    from student_perf.runs.prediction_sets import describe_sets, sets_from_json

    file = record.file(SETS_FILE)
    if not file.is_file():
        return []
    sets = sets_from_json(file.read_text(encoding="utf-8"))
    return [describe_sets(sets, METRICS[record.objective].task)]


def _rows(record: RunRecord) -> dict[str, MetricRow]:
    """What a run of any kind records of each metric."""
    rows = {}
    for name in METRICS:
        scores = record.fold_scores(name)
        if not len(scores):
            continue
        estimate = record.estimate(name)
        figures = {"mean": estimate.mean, "std": estimate.std}
        figures |= {"low": estimate.low, "high": estimate.high}
        figures |= {"train": record.train(name), "dummy": record.dummy(name)} | record.gain(name)
        rows[name] = {key: None if math.isnan(x) else x for key, x in figures.items()}
    return rows


def _show_sweep(record: RunRecord) -> None:
    from student_perf.pages.report import write_report
    from student_perf.runs.layout import PAGE_FILE
    from student_perf.sweep.show import show_outcome, show_trials
    from student_perf.sweep.study import read_outcome

    folder = record.folder.resolve()
    outcome = read_outcome(folder)
    terminal = Terminal()
    terminal.heading(f"{record.name}, {record.status.lower()}")
    show_trials(outcome, terminal.console)
    show_outcome(outcome, terminal.console)
    page = write_report(folder / PAGE_FILE, outcome)
    compare = f"{python_command()} -m student_perf compare {record.name}"
    terminal.places({"folder": str(folder), "report": str(page), "compare": compare})
