"""One sweep from the command line's overrides to its winner: a table of contents."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import Override
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from student_perf.atomic import write_atomic
from student_perf.errors import ConfigError, TrackingError, one_line
from student_perf.experiment.publish import check_tracking
from student_perf.experiment.records import describe_provenance, make_record
from student_perf.experiment.run import run_experiment
from student_perf.experiment.show import mlflow_places
from student_perf.masking import logging_to
from student_perf.runs.artifacts import write_config
from student_perf.runs.record import (
    ERROR_FILE,
    NOTE_TAG,
    RECORD_FILE,
    RECORD_TAG,
    RUN_ID_FILE,
    RunRecord,
    begun_run_id,
    load_record,
)
from student_perf.store.publisher import OVER_FILE, SETTLED_FILE, is_unsent
from student_perf.store.registry import CHALLENGER, Registry
from student_perf.sweep import local
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.page import command_line, describe_target, write_page
from student_perf.sweep.plan import SweepOptions, SweepPlan, make_plan
from student_perf.sweep.report import (
    Progress,
    best_trial,
    outcome_lines,
    rank,
    show_plan,
    show_trials,
)
from student_perf.sweep.study import (
    check_contract,
    counts,
    fill_queue,
    main_value,
    mend_journal,
    n_done,
    open_study,
    recover,
    swept_values,
)
from student_perf.sweep.worker import STOP_FILE, raise_if_stopped
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

WINNER = "winner"
_LOCK_SECONDS = 30
_UPDATE_SECONDS = 1
_PAUSE = 0.05  # seconds between two looks whether the winner has been sent
Launch = Callable[[SweepPlan], None]


def run_sweep(
    options: SweepOptions,
    arguments: Sequence[Override],
    is_group: Callable[[str], bool],
    load_search: Callable[[str], Mapping[str, Any]],
    root: Path,
    hydra_config: str,
    launch: Launch | None,
) -> Path | None:
    """Plan, run and close a sweep; returns the winner's folder, None where there is none.

    `hydra_config` is Hydra's own, for the record. `launch` starts the workers elsewhere; without
    it they run on this machine. Raises StudentPerfError where the plan does not hold or the sweep
    had to stop.
    """
    console = Console(highlight=False, markup=False)
    plan, evaluator = make_plan(options, arguments, is_group, load_search, root)
    _show(plan, evaluator, console)
    if options.preview:
        return None
    if plan.base.tracking.enabled:
        check_tracking(plan.base.tracking)
    with _exclusive(plan), logging_to(plan.folder / "train.log"):
        study = _settled_study(plan, console)
        record = _start_record(plan, evaluator, hydra_config, console)
        publisher = local.start_publisher(plan)
        winner = None
        try:
            _run_trials(plan, evaluator, study, console, launch)
            winner = _run_winner(plan, study, console)
            _keep_others(plan, study, console)
            _show_outcome(plan, study, console)
            record.metrics = _summary(plan, study)
            record.finish()
            _await_sent(plan, winner, publisher)
            _report(record, study, console)
        except BaseException as error:
            record.stop(one_line(error))
            raise
        finally:
            _close(plan, study, publisher, winner)
        _register(plan, winner, console)
        return winner


def _show(plan: SweepPlan, evaluator: TrialEvaluator, console: Console) -> None:
    """The plan, and what the guards say of its rows."""
    data = evaluator.data(plan.base)
    show_plan(plan, console, _expected_seconds(plan, data.dataset.sha256))
    for line in data.warnings:
        console.print(f"  warning: {line}", style="yellow")


def _expected_seconds(plan: SweepPlan, data_sha256: str) -> float | None:
    """How long the missing trials will take, by those of this sweep or, before its first, of
    another one of the workspace with the same model and rows; None where none can tell.
    """
    files = list(plan.folder.glob(f"[0-9]*/{RECORD_FILE}"))
    times = _seconds_of_trials(files)
    if not files:
        same = {"model": plan.base.model.get("name"), "student_perf.data_sha256": data_sha256}
        for file in plan.folder.parent.glob(f"*/{RECORD_FILE}"):
            tags = load_record(file.parent).tags
            if all(tags.get(name) == value for name, value in same.items()):
                times = _seconds_of_trials(file.parent.glob(f"[0-9]*/{RECORD_FILE}"))
            if times:
                break
    left = plan.n_trials - len(files)
    return left * sum(times) / len(times) / plan.options.n_jobs if times and left > 0 else None


def _seconds_of_trials(files: Iterable[Path]) -> list[float]:
    """Of up to fifty trials, those that have ended."""
    records = (load_record(file.parent) for file in islice(files, 50))
    return [record.ended - record.started for record in records if record.ended is not None]


def _settled_study(plan: SweepPlan, console: Console) -> optuna.Study:
    """The study, new or interrupted, in a state that workers can go on from."""
    mend_journal(plan.storage)
    study = open_study(plan)
    check_contract(study, plan)
    for name in (STOP_FILE, SETTLED_FILE, OVER_FILE):
        (plan.folder / name).unlink(missing_ok=True)
    recovered = recover(study, plan)
    fill_queue(study, plan)
    done = n_done(counts(study))
    if done or recovered:
        again = f", {recovered} of them to be run again" if recovered else ""
        left = max(plan.n_trials - done, 0)
        console.print(f"  Continuing {plan.study_name}: {done} done, {left} to go{again}.")
        if (waiting := counts(study)["waiting"]) > left:
            console.print(
                f"  No place in n_trials={plan.n_trials} for {waiting - left} of the queued "
                "configurations; raise hydra.sweeper.n_trials to try them."
            )
    return study


def _run_trials(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    study: optuna.Study,
    console: Console,
    launch: Launch | None,
) -> None:
    """Run workers until no trial is left, those of workers that died again; show what came out."""
    progress = Progress(plan, study, console)
    with progress.shown():
        for _ in range(3):
            if launch is not None:
                with _updating(progress):
                    launch(plan)
            elif plan.options.n_jobs == 1:
                local.run_in_process(plan, evaluator, progress.update)
            else:
                local.run_forked(plan, evaluator, progress.update)
            if (plan.folder / STOP_FILE).exists() or recover(study, plan) == 0:
                break
    raise_if_stopped(plan.folder)
    found = counts(study)
    if found["fail"] and found["fail"] == n_done(found):
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: all {found['fail']} trials have failed; "
            f"mend what {plan.folder / 'train.log'} says of them"
        )
    show_trials(plan, study, console)


@contextmanager
def _updating(progress: Progress) -> Iterator[None]:
    """Shows progress meanwhile, where a launcher keeps this thread waiting."""
    over = threading.Event()

    def update() -> None:
        while not over.wait(_UPDATE_SECONDS):
            progress.update()

    thread = threading.Thread(target=update, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run_winner(plan: SweepPlan, study: optuna.Study, console: Console) -> Path | None:
    """Refit the best configuration on all rows but the test part, and score those once; returns
    its folder.
    """
    best = best_trial(study)
    if best is None:
        return None
    folder = plan.folder / WINNER
    if not _holds_run_of(best, folder):
        console.print(Text.assemble(("\nWinner", "bold"), f": trial {best.number}"))
        _refit(plan, best, folder, Terminal(), "final")
    return folder


def _holds_run_of(trial: optuna.trial.FrozenTrial, folder: Path) -> bool:
    """Whether a winner's or place's folder has the finished run of this trial."""
    if not (folder / RECORD_FILE).is_file():
        return False
    known = load_record(folder)
    number = known.tags.get("student_perf.trial_number")
    return known.status == "FINISHED" and number == str(trial.number)


def _refit(
    plan: SweepPlan, trial: optuna.trial.FrozenTrial, folder: Path, terminal: Terminal, kind: str
) -> None:
    """Run a trial's configuration once more, with a model; left to the publisher to send."""
    for name in (RUN_ID_FILE, ERROR_FILE):  # of an earlier trial in this place
        (folder / name).unlink(missing_ok=True)
    config = plan.composer.compose(swept_values(plan, trial))
    tags = {
        "student_perf.study_name": plan.study_name,
        "student_perf.trial_number": str(trial.number),
    }
    run_experiment(config, folder, terminal, kind, tags, send=False)


def _register(plan: SweepPlan, winner: Path | None, console: Console) -> None:
    """Make the winner, in MLflow by now, a challenger where that is asked for; `promote` decides
    about the rest.
    """
    name = plan.options.register
    if name is None or winner is None:
        return
    run_id = load_record(winner).mlflow_run_id
    try:
        if run_id is None:
            raise TrackingError("the winner is not in MLflow")
        registry = Registry(plan.base.tracking.uri, name)
        version = registry.register(run_id)
        registry.move({CHALLENGER: version})
    except TrackingError as error:
        log.error("not registered: %s", one_line(error))
        console.print(f"  Not registered as {name}: {one_line(error)}", soft_wrap=True)
    else:
        console.print(f"  Version {version.number} of {name} is the challenger now.")


def _keep_others(plan: SweepPlan, study: optuna.Study, console: Console) -> None:
    """Refit the best configurations after the winner too, so that each has a model. They are not
    scored on the test rows: looking at several and taking one would be choosing by them.
    """
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    others = sorted(complete, key=partial(rank, study))[1 : plan.options.keep_models]
    for place, trial in enumerate(others, start=2):
        folder = plan.folder / f"place_{place}"
        if not _holds_run_of(trial, folder):
            _refit(plan, trial, folder, Terminal(quiet=True), "kept")
        console.print(f"  Place {place}, trial {trial.number}: model in {folder}", soft_wrap=True)


def _show_outcome(plan: SweepPlan, study: optuna.Study, console: Console) -> None:
    for line in outcome_lines(plan, study):
        log.info("%s", line)
        console.print(Padding(line, (0, 0, 0, 2), expand=False), soft_wrap=False)


def _start_record(
    plan: SweepPlan, evaluator: TrialEvaluator, hydra_config: str, console: Console
) -> RunRecord:
    """The record of the sweep itself, in its folder, with the config that its trials vary."""
    record = make_record(plan.base, plan.folder, evaluator.data(plan.base), kind="sweep")
    record.name = plan.study_name
    if (plan.folder / RECORD_FILE).is_file():  # that the run in MLflow is found by
        record.tags[RECORD_TAG] = load_record(plan.folder).tags[RECORD_TAG]
    dataset = evaluator.data(plan.base).dataset
    record.tags |= {
        "student_perf.study_name": plan.study_name,
        "student_perf.n_missing": str(dataset.n_missing),
        "student_perf.target": describe_target(dataset),
        "student_perf.command": command_line(sys.argv[1:]),
    }
    record.params |= {
        "sweep.sampler": plan.sampler,
        "sweep.pruner": plan.options.pruner,
        "sweep.objectives": ",".join(plan.objectives.metrics),
        **{f"space.{p.name}": p.describe() for p in plan.space.parameters},
    }
    record.save()
    (plan.folder / ".hydra").mkdir(exist_ok=True)
    write_atomic(plan.folder / ".hydra" / "hydra.yaml", hydra_config)
    write_config(plan.folder, plan.base)
    for line in describe_provenance(plan.base, plan.folder):
        console.print(f"  warning: {line}", style="yellow")
    return record


def _await_sent(plan: SweepPlan, winner: Path | None, publisher: BaseProcess | None) -> None:
    """Have the kept models sent, and wait until MLflow has an id for the winner, which the report
    names; the model may follow while the report is made.
    """
    (plan.folder / SETTLED_FILE).touch()
    if winner is None or publisher is None:
        return
    while publisher.is_alive() and begun_run_id(winner) is None and is_unsent(load_record(winner)):
        if (winner / ERROR_FILE).is_file():
            return
        time.sleep(_PAUSE)


def _report(record: RunRecord, study: optuna.Study, console: Console) -> None:
    """Write report.html and the note for MLflow; a sweep is no failure because its page is."""
    from student_perf.pages.sweep_section import markdown_note

    try:
        page, sweep = write_page(record.folder, study)
        record.tags[NOTE_TAG] = markdown_note(sweep)
        record.save()
    except Exception as error:
        log.exception("no report")
        console.print(f"  No report was written: {one_line(error)}", style="yellow")
        return
    console.print(Text.assemble("\n  ", ("report", "dim"), f"   {page}"), soft_wrap=True)


def _summary(plan: SweepPlan, study: optuna.Study) -> dict[str, float | list[float]]:
    best = best_trial(study)
    metrics: dict[str, float | list[float]] = {
        f"trials_{state}": float(n) for state, n in counts(study).items()
    }
    metrics["n_trials"] = float(plan.n_trials)  # no param: those cannot change, and this one may
    if best is not None:
        metrics["best_value"] = main_value(best)
        metrics["best_trial"] = float(best.number)
    return metrics


def _close(
    plan: SweepPlan, study: optuna.Study, publisher: BaseProcess | None, winner: Path | None
) -> None:
    """Let the publisher send what is left, and show where everything is."""
    (plan.folder / OVER_FILE).touch()
    if publisher is not None:
        _finish_publishing(plan, publisher)
    run_id = begun_run_id(plan.folder) if publisher is not None else None
    places = {"folder": str(plan.folder)} | mlflow_places(plan.base.tracking, run_id)
    if winner is not None and (winner_id := load_record(winner).mlflow_run_id) is not None:
        places["winner"] = f"run {winner_id}"
    places["compare"] = f"python -m student_perf compare {plan.study_name}"
    if n_done(counts(study)) < plan.n_trials:
        places["continue"] = command_line(sys.argv[1:])
    Terminal().places(places)


def _finish_publishing(plan: SweepPlan, publisher: BaseProcess) -> None:
    """Wait for the publisher's end; say where it could not send everything."""
    publisher.join()
    if publisher.exitcode != 0 and (again := local.start_publisher(plan, again=True)) is not None:
        again.join()  # the first was killed; nothing is sent twice
    error = plan.folder / ERROR_FILE
    if error.is_file():
        Terminal().pending(error.read_text(encoding="utf-8"), plan.folder)


@contextmanager
def _exclusive(plan: SweepPlan) -> Iterator[None]:
    """Only one command at a time works on a study; its worker processes share the lock."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.folder / "sweep.lock")
    try:
        lock.acquire(timeout=_LOCK_SECONDS)
    except Timeout as error:
        raise ConfigError(
            f"hydra.sweeper.study_name={plan.study_name}: another command is running this sweep; "
            "wait for it, or choose another name"
        ) from error
    try:
        yield
    finally:
        lock.release()
