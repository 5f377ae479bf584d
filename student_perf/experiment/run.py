"""One experiment, from a valid config to a published record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from student_perf.atomic import explain_disk_error
from student_perf.config.schema import ExperimentConfig
from student_perf.errors import one_line
from student_perf.evaluation.contained import contained, process_kept
from student_perf.evaluation.cross_validation import CVResult
from student_perf.experiment.beside import Companion, Here
from student_perf.experiment.compute import compute
from student_perf.experiment.prepare import Prepared, look_at_choice, prepare
from student_perf.experiment.records import (
    Clock,
    describe_provenance,
    finish_record,
    start_record,
)
from student_perf.experiment.show import introduce, show_outcome, show_places
from student_perf.experiment.threads import limited_threads
from student_perf.locks import holding
from student_perf.runs.layout import MODEL_FILE, PREDICTIONS_FILE, RUN_LOCK_FILE
from student_perf.runs.record import RunRecord
from student_perf.runs.shown import show_introduction, write_introduction
from student_perf.store.excerpt import excerpt_of
from student_perf.terminal import Terminal

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunResult:
    """A finished run: its record, held-out predictions, and the objective's mean over folds."""

    record: RunRecord
    cv: CVResult
    objective: float


def run_experiment(
    config: ExperimentConfig,
    folder: Path,
    terminal: Terminal,
    kind: str = "single",
    more_tags: Mapping[str, str] | None = None,
    companion: Companion | None = None,
) -> RunResult:
    """Run the experiment and leave its record in `folder` and in the tracking store.

    Args:
        config: A valid config.
        folder: Gets all files of the run.
        terminal: Shows what is done and what comes out.
        kind: Only a `final` run, the winner of a sweep, opens the test rows.
        more_tags: Tags of the record besides its own.
        companion: What draws and sends; this process if there is none.

    Raises:
        StudentPerfError: Config, data or store cannot be used; nothing has been fitted.
        ModelError: The model has given no answer, or has tried to end the process.

    Any later error marks the record, and its run in the store, as FAILED.
    """
    prepared = prepare(config)
    if kind == "single":  # a sweep says of its winner what its own space shows
        warnings = [*prepared.warnings, *look_at_choice(config)]
        prepared = replace(prepared, warnings=warnings)
    with limited_threads(prepared.dataset.n_rows):
        tags = more_tags or {}
        return _run(config, prepared, folder, terminal, kind, tags, companion or Here())


def _run(
    config: ExperimentConfig,
    prepared: Prepared,
    folder: Path,
    terminal: Terminal,
    kind: str,
    more_tags: Mapping[str, str],
    companion: Companion,
) -> RunResult:
    def send() -> str | None:
        return companion.send(record, config.tracking, excerpt_of(prepared.dataset))

    said = introduce(config, prepared)
    show_introduction(terminal, said, prepared.dataset.lineage)
    folder.mkdir(parents=True, exist_ok=True)
    with holding(folder / RUN_LOCK_FILE):
        record = start_record(config, folder, prepared, kind, more_tags)
        clock = Clock()
        try:
            differ = describe_provenance(config, folder)
            terminal.warnings(differ)
            write_introduction(folder, replace(said, warnings=[*said.warnings, *differ]))
            with process_kept(), contained("while the run was computed"):
                outcome = compute(config, prepared, terminal.folds, opens_test=kind == "final")
                with terminal.waiting("writing the run"):
                    finish_record(config, record, prepared, outcome, clock, companion)
        except BaseException as error:
            _record_failure(record, error, send)
            raise
    show_outcome(terminal, config, prepared, record, outcome, said.samples)
    with terminal.waiting("sending to MLflow"):
        pending = send()
    show_places(terminal, config, record, pending)
    return RunResult(record, outcome.cv, outcome.cv.estimates[config.objective.metric].mean)


def _make_room(folder: Path) -> None:
    """Of a run that a full disk has ended, give up what only makes its folder complete, so that
    the line of its end finds a place.
    """
    for name in (PREDICTIONS_FILE, MODEL_FILE):
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)


def _record_failure(record: RunRecord, error: BaseException, send: Callable[[], object]) -> None:
    log.error("run failed", exc_info=error)
    if explain_disk_error(error, record.folder) is not None:
        _make_room(record.folder)
    with suppress(OSError):  # of a full disk, which the error says already
        record.fail(one_line(error))
    if isinstance(error, Exception):  # not on Ctrl-C, after which nobody wants to wait
        send()
