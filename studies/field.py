"""model=auto beside AutoML frameworks and single models, on small real tables.

    .venv/bin/python -m studies.field --data FOLDER --flaml PYTHON --autogluon PYTHON
    .venv/bin/python -m studies.field --cores 1 --jobs 2 --folds 2 --minutes 600 ...
    .venv/bin/python -m studies.field --report-only --data FOLDER

Five outer folds (twice for tables under 500 rows), the same for all; each fit may use `--seconds`
on `--cores`, to which it is held. The rivals run in environments of their own, whose interpreters
are named; those that are not named are left out. Fold 0 of every table comes first, then fold 1, so
that a study that has ended early has whole tables. `--data` holds the files of students' tables;
without it there are 24 others.

What was answered is kept in studies/results/field by table, fold and method: commit it now and
then, and the study goes on where it was; remove a file to have it made again. Writes docs/field.md.
A fold of all tables took 48 minutes with 60 seconds a fit and `--cores 1 --jobs 2`. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from student_perf.paths import PACKAGE_DIR
from studies.field_page import page, scored_tables
from studies.field_results import (
    METHODS,
    OWN,
    RESULTS,
    RIVALS,
    Fit,
    Setting,
    Truth,
    fit_file,
    folder_of,
    read_fit,
    read_truth,
    truth_file,
    write_fit,
    write_truth,
)
from studies.field_rival import TARGET
from studies.small_tables import FIELD, SmallTable

PROJECT = PACKAGE_DIR.parent
PAGE = PROJECT / "docs" / "field.md"
RIVAL = Path(__file__).with_name("field_rival.py")
N_FOLDS, FEW_ROWS, REPEATS = 5, 500, 2
LATE = 1.5  # a fit that is begun may take so many times its seconds before `--minutes` is over
HANGS = 10  # times its seconds, after which a fit counts as one without an answer
THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR")


@dataclass(frozen=True, eq=False)
class Fold:
    """A table divided once."""

    table: SmallTable
    number: int
    x: pd.DataFrame
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray

    @property
    def n_classes(self) -> int:
        """Of the whole table; 0 for numbers."""
        return 0 if self.table.kind == "numbers" else int(self.y.max()) + 1

    @property
    def truth(self) -> Truth:
        """What is to be answered, and what the dummy says."""
        known = self.y[self.train]
        dummy = np.mean(known)
        if self.n_classes:
            dummy = np.bincount(known, minlength=self.n_classes) / len(known)
        return Truth(self.test, self.y[self.test], np.asarray(dummy))


def folds_of(table: SmallTable, folder: Path | None) -> list[Fold]:
    """The outer folds of a table, none if its file is not there."""
    loaded = table.load(folder)
    if loaded is None:
        return []
    x, y = loaded
    parts = KFold if table.kind == "numbers" else StratifiedKFold
    found = []
    for repeat in range(REPEATS if len(y) < FEW_ROWS else 1):
        divided = parts(N_FOLDS, shuffle=True, random_state=repeat).split(x, y)
        for number, (train, test) in enumerate(divided, start=repeat * N_FOLDS):
            found.append(Fold(table, number, x, y, train, test))
    return found


def in_order(tables: Iterable[Sequence[Fold]], methods: Sequence[str]) -> list[tuple[Fold, str]]:
    """What is to be fitted: the first fold of every table by all methods, then the second one."""
    folds = sorted((fold for of_table in tables for fold in of_table), key=lambda f: f.number)
    return [(fold, method) for fold in folds for method in methods]


def restore_truths(place: Path, folder: Path | None) -> None:
    """Write the true values of kept answers again that the repository does not hold: those of
    tables in files, as far as the files are there.
    """
    for table in FIELD:
        for fold in folds_of(table, folder) if folder_of(place, table).is_dir() else ():
            if any(fit_file(place, table, fold.number, m).is_file() for m in METHODS):
                keep_truth(place, fold)


def keep_truth(place: Path, fold: Fold) -> None:
    """Keep the true values of a fold. Ends the program if others are there already."""
    file, truth = truth_file(place, fold.table, fold.number), fold.truth
    if not file.is_file():
        write_truth(file, truth)
    kept = read_truth(file)
    is_same = np.array_equal(kept.row, truth.row) and np.allclose(kept.target, truth.target)
    if not is_same:
        sys.exit(f"{file}: holds other rows; the table has changed, so remove its folder")


@dataclass
class Study:
    """What is left to fit, for workers that take it one by one.

    Attributes:
        place: Where results are kept.
        setting: What a fit may use.
        pythons: The interpreter of each rival.
        until: By the monotonic clock, when no fit may run any more; None without a limit.
    """

    place: Path
    setting: Setting
    pythons: Mapping[str, str]
    work: Iterator[tuple[Fold, str]]
    until: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work_on(self, cores: Sequence[int]) -> None:
        """Fit what is left on these cores: children have those of the thread that starts them."""
        os.sched_setaffinity(0, cores)
        while (taken := self._next()) is not None:
            self._fit(*taken)

    def _next(self) -> tuple[Fold, str] | None:
        with self._lock:
            left = float("inf") if self.until is None else self.until - time.monotonic()
            if left < LATE * self.setting.seconds:
                return None
            return next(self.work, None)

    def _fit(self, fold: Fold, method: str) -> None:
        began = time.monotonic()
        fit = self._answered(fold, method, fold.truth)
        keep_truth(self.place, fold)
        write_fit(fit_file(self.place, fold.table, fold.number, method), fit)
        what = f"{fold.table.name}, fold {fold.number}, {method}"
        print(f"{time.monotonic() - began:6.0f} s  {what} {fit.error}", flush=True)

    def _answered(self, fold: Fold, method: str, truth: Truth) -> Fit:
        """The answers of a method in a process of its own; of one that has none the dummy's."""
        with tempfile.TemporaryDirectory() as place:
            train, test, out = (Path(place) / name for name in ("train", "test", "out.npz"))
            known = fold.x.iloc[fold.train].assign(**{TARGET: fold.y[fold.train]})
            known.to_parquet(train)
            fold.x.iloc[fold.test].to_parquet(test)
            job = {"method": method, "train": str(train), "test": str(test), "out": str(out)}
            limits = {"seconds": self.setting.seconds, "cores": self.setting.cores}
            job_text = json.dumps(job | limits | {"n_classes": fold.n_classes})
            error = self._run(method, job_text, Path(place))
            if not error:
                with np.load(out) as done:
                    fit, predict = map(float, done["seconds"])
                    output, software = done["output"], str(done["software"])
                if output.shape == truth.of_dummy.shape and np.isfinite(output).all():
                    return Fit(output, (fit, predict), self.setting, software)
                error = f"answered shape {output.shape} or no finite numbers"
        seconds = self.setting.seconds, float("nan")
        return Fit(truth.of_dummy, seconds, self.setting, error=error)

    def _run(self, method: str, job: str, place: Path) -> str:
        """Run a child; returns why it has no answer, empty if it has."""
        # Without -P the modules beside the script would hide packages of their names.
        rival = [self.pythons.get(method, ""), "-P", str(RIVAL), job]
        own = [sys.executable, "-m", "studies.field_own", job]
        cores = str(self.setting.cores)
        environment = os.environ | {f"{name}_NUM_THREADS": cores for name in THREADS}
        environment |= {"LOKY_MAX_CPU_COUNT": cores, "PYTHONPATH": str(PROJECT)}
        with (place / "said").open("w") as said:
            child = subprocess.Popen(
                rival if method in self.pythons else own,
                cwd=place,
                env=environment | {"TMPDIR": str(place)},  # rivals leave their models there
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            try:
                child.wait(HANGS * self.setting.seconds + 60)
            except subprocess.TimeoutExpired:
                return "took too long"
            finally:
                with suppress(ProcessLookupError):  # helpers of a rival outlive it
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        lines = (place / "said").read_text(errors="replace").strip().splitlines()
        return (lines or ["failed"])[-1][:200] if child.returncode else ""


def run(chosen: argparse.Namespace) -> None:
    """Fit what is not there yet. Ends the program if results are of another setting or of other
    rows, and for too few cores.
    """
    setting = Setting(chosen.seconds, chosen.cores, chosen.jobs)
    pythons = {name: getattr(chosen, env) for name, env in RIVALS.items() if getattr(chosen, env)}
    tables = [folds_of(t, chosen.data)[: chosen.folds] for t in FIELD[: chosen.tables]]
    for fold in (fold for of_table in tables for fold in of_table):
        if truth_file(chosen.results, fold.table, fold.number).is_file():
            keep_truth(chosen.results, fold)  # which ends here if the table has changed
    left = []
    for fold, method in in_order(tables, [*OWN, *pythons]):
        file = fit_file(chosen.results, fold.table, fold.number, method)
        if not file.is_file():
            left.append((fold, method))
        elif (former := read_fit(file).setting) != setting:
            sys.exit(f"{file}: was made with {former}; name another folder by --results")
    cores = sorted(os.sched_getaffinity(0))
    if chosen.jobs * chosen.cores > len(cores):
        sys.exit(f"--jobs {chosen.jobs} --cores {chosen.cores}: there are {len(cores)} cores")
    parts = [cores[i * chosen.cores : (i + 1) * chosen.cores] for i in range(chosen.jobs)]
    until = None if chosen.minutes is None else time.monotonic() + 60 * chosen.minutes
    study = Study(chosen.results, setting, pythons, iter(left), until)
    with ThreadPoolExecutor(chosen.jobs) as workers:
        try:
            list(workers.map(study.work_on, parts))
        finally:
            study.until = 0.0  # after Ctrl-C the fits that run are the last ones
    print(f"{sum(1 for _ in study.work)} fits are left", flush=True)


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the files of students' tables")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one fit")
    parser.add_argument("--cores", type=int, default=2, help="to which one fit is held")
    parser.add_argument("--jobs", type=int, default=1, help="fits at a time")
    parser.add_argument("--minutes", type=float, help="after which the study ends by itself")
    parser.add_argument("--tables", type=int, help="only the first so many")
    parser.add_argument("--folds", type=int, help="only the first so many outer folds")
    for env in sorted(set(RIVALS.values())):
        parser.add_argument(f"--{env}", metavar="PYTHON", help=f"the interpreter that has {env}")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where results are kept")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    chosen = parser.parse_args()
    if not chosen.report_only:
        run(chosen)
    restore_truths(chosen.results, chosen.data)
    found = scored_tables(chosen.results)
    if not found:
        sys.exit(f"{chosen.results}: holds no fold that all methods have finished")
    chosen.page.write_text(page(found), encoding="utf-8")
    print(chosen.page)


if __name__ == "__main__":
    main()
