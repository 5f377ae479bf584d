"""A sweep's report.html: written at its end, and again by `python -m student_perf report`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from student_perf.data.dataset import Dataset
from student_perf.sweep.report import importances
from student_perf.terminal import format_number

if TYPE_CHECKING:
    import optuna

    from student_perf.compare.outcome import SweepFolder

JOURNAL_FILE = "study.journal"


def write_page(folder: Path, study: optuna.Study | None = None) -> tuple[Path, SweepFolder]:
    """Write report.html into a sweep's folder; returns its path and what was read for it.

    Without `study` the journal in the folder is opened where there is one; without either only the
    importances are missing. Raises ConfigError where the folder is no sweep's.
    """
    from student_perf.pages.report import write_report
    from student_perf.pages.section import PAGE_FILE

    sweep = read_sweep(folder, study)
    return write_report(folder / PAGE_FILE, sweep), sweep


def read_sweep(folder: Path, study: optuna.Study | None = None) -> SweepFolder:
    """A sweep's folder with the importances of its parameters, where a journal or `study` is there
    to tell them. Raises ConfigError where the folder is no sweep's.
    """
    from student_perf.compare.outcome import load_sweep

    sweep = load_sweep(folder)
    study = study or _journal_study(folder, sweep.record.name)
    return sweep if study is None else replace(sweep, importances=importances(study))


def describe_target(dataset: Dataset) -> str:
    """Class counts, or mean, standard deviation and range of a numeric target."""
    if dataset.task == "classification":
        counts = np.bincount(dataset.target, minlength=len(dataset.classes))
        pairs = zip(dataset.classes, counts, strict=True)
        return f"{dataset.target_name}: " + ", ".join(f"{label} {n}" for label, n in pairs)
    target = dataset.target
    mean, std, low, high = map(
        format_number, (target.mean(), target.std(ddof=1), target.min(), target.max())
    )
    return f"{dataset.target_name}: mean {mean}, standard deviation {std}, {low} to {high}"


def command_line(arguments: Sequence[str]) -> str:
    """The command that these arguments were given to, quoted for a shell."""
    return shlex.join(["python", "-m", "student_perf.train", *arguments])


def _journal_study(folder: Path, name: str) -> optuna.Study | None:
    if not (folder / JOURNAL_FILE).is_file():
        return None
    from student_perf.sweep.study import load_journal

    return load_journal(folder / JOURNAL_FILE, name)
