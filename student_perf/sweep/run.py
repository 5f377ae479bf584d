"""One sweep from the command line's overrides to its winner: a table of contents."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from hydra.core.override_parser.types import Override
from rich.console import Console
from rich.text import Text

from student_perf.atomic import disk_errors
from student_perf.compare.outcome import SweepOutcome, load_sweep, sentences
from student_perf.config.names import check_no_twin
from student_perf.config.search_path import ConfigSource
from student_perf.errors import ConfigError, one_line
from student_perf.experiment.memory import refuse_beyond_memory
from student_perf.experiment.prepare import build_pipeline, look_once
from student_perf.experiment.records import check_tags, describe_provenance
from student_perf.experiment.show import show_unknown_schema
from student_perf.masking import logging_to
from student_perf.paths import workspace
from student_perf.runs import tags
from student_perf.runs.layout import (
    ERROR_FILE,
    LOG_FILE,
    PAGE_FILE,
    SWEEP_LOCK_FILE,
    holds_record,
)
from student_perf.runs.record import RunRecord, begun_run_id, load_record, load_winner
from student_perf.shell import own_line, python_command
from student_perf.store.address import mlflow_places
from student_perf.store.client import check_usable
from student_perf.store.publisher import OVER_FILE, SETTLED_FILE
from student_perf.sweep.account import missing_in_mlflow, take_account
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.finished import FINISHED_FILE, Command, write_note
from student_perf.sweep.options import SweepOptions
from student_perf.sweep.patience import LOST_FILE
from student_perf.sweep.places import await_workers, living_places
from student_perf.sweep.plan import SweepPlan, make_plan, with_total
from student_perf.sweep.plateau import out_of_patience, renew_patience
from student_perf.sweep.publishing import await_winner, finish_publishing, start_publisher
from student_perf.sweep.rebuild import open_whole_study
from student_perf.sweep.record import (
    check_unchanged,
    expected_seconds,
    outcome_metrics,
    start_record,
    typed_command,
)
from student_perf.sweep.resolution import resolution_line
from student_perf.sweep.restore import restore_trials
from student_perf.sweep.show import show_lost_run, show_outcome, show_plan, show_trials
from student_perf.sweep.standings import write_standings
from student_perf.sweep.storage import check_apart
from student_perf.sweep.study import (
    STOP_FILE,
    counts,
    fill_queue,
    n_done,
    n_outside,
    read_outcome,
    recover,
)
from student_perf.sweep.trials import SECONDS_OF_DYING, Launch, run_trials
from student_perf.sweep.winner import keep_others, register_winner, run_winner
from student_perf.sweep.worker import what_is_removed
from student_perf.terminal import Terminal, make_console, print_lines
from student_perf.text import plural, visible

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_LOCK_SECONDS = 30


def run_sweep(
    options: SweepOptions,
    arguments: Sequence[Override],
    is_group: Callable[[str], bool],
    load_search: Callable[[str], Mapping[str, Any]],
    root: Path,
    hydra_config: str,
    launch: Launch | None,
    source: ConfigSource | None = None,
    command: Command | None = None,
) -> Path | None:
    """Plan, run and close a sweep.

    Args:
        options: `hydra.sweeper.*`.
        arguments: The overrides of the command line, without Hydra's own.
        is_group: Whether a key names a config group.
        load_search: Gives `params` and `conditional` of a file in `conf/search` by its name.
        root: The folder of all sweeps.
        hydra_config: Hydra's own config as YAML, for the record.
        launch: Starts the workers elsewhere; by default they run on this machine.
        source: What the command composes from, if it has options of its own.
        command: By what a finished sweep knows it again (`finished.command_of`), if it is to.

    Returns:
        The winner's folder, or the sweep's if its trials cannot be ranked; None if no trial has
        finished, or for a preview.

    Raises:
        StudentPerfError: The plan does not hold, or the sweep had to stop.
    """
    console = make_console()
    with Terminal().waiting("planning"):
        plan, evaluator = make_plan(options, arguments, is_group, load_search, root, source)
    _show(plan, evaluator, console)
    if options.preview:
        return None
    if launch is None:  # jobs elsewhere have memory of their own
        dataset = evaluator.data(plan.base).dataset
        refuse_beyond_memory(dataset, build_pipeline(plan.base, dataset), options.n_jobs)
    _check_store(plan, console)
    with disk_errors(plan.folder), _exclusive(plan), logging_to(plan.folder / LOG_FILE):
        folder = _run(plan, evaluator, hydra_config, launch, console, command)
        register_winner(plan, folder, console)
        return folder


def _check_store(plan: SweepPlan, console: Console) -> None:
    """Raise ConfigError or TrackingError if the sweep's runs cannot go to MLflow."""
    if not plan.base.tracking.enabled:
        return
    workspace().mkdir(parents=True, exist_ok=True)  # hydra.sweep.dir may lie elsewhere
    check_apart(plan.storage, plan.base.tracking.uri)
    check_usable(plan.base.tracking)
    show_lost_run(plan, console)


def _run(
    plan: SweepPlan,
    evaluator: TrialEvaluator,
    hydra_config: str,
    launch: Launch | None,
    console: Console,
    command: Command | None,
) -> Path | None:
    """All trials, then the winner, the outcome and the report; whatever happens, the publisher
    sends what there is.
    """
    plan, study = _settled_study(plan, console)
    record = start_record(plan, evaluator.data(plan.base), hydra_config, study.user_attrs)
    _warn(describe_provenance(plan.base, plan.folder), console)
    publisher = start_publisher(plan)
    winner = None
    try:
        ended = run_trials(plan, evaluator, study, console, launch)
        if (gone := what_is_removed(plan)) is not None:
            raise _removed(plan, gone)
        restore_trials(plan, study, evaluator, lambda line: console.print(f"  {line}"))
        if ended is not None:
            record.tags[tags.ENDED] = ended
        outcome = read_outcome(plan.folder, study)
        _check_failures(plan, outcome)
        show_trials(outcome, console)
        winner = run_winner(plan, outcome, study, console)
        keep_others(plan, outcome, study, console)
        outcome = outcome.closed(record, load_winner(plan.folder))
        show_outcome(outcome, console)
        write_standings(outcome)
        record.metrics = outcome_metrics(plan, outcome, counts(study))
        record.finish()
        await_winner(plan, winner, publisher)
        _report(outcome.closed(record, load_winner(plan.folder)), console)
    except BaseException as error:
        _stop(plan, study, record, error, console)
        raise
    finally:
        finish_publishing(plan, publisher)
        if holds_record(plan.folder):
            _show_places(plan, study, winner)
    _check_account(plan, study, outcome)
    _note(plan, study, outcome, command, evaluator, winner)
    return plan.folder if outcome.is_apart else winner


def _note(
    plan: SweepPlan,
    study: optuna.Study,
    outcome: SweepOutcome,
    command: Command | None,
    evaluator: TrialEvaluator,
    winner: Path | None,
) -> None:
    """Leave the note by which the same command knows at once that nothing is missing, if it is so
    and all that the command asks is in the sweep's folder.
    """
    if command is None or not outcome.finished or not _is_closed(plan, study):
        return
    tracking = plan.base.tracking
    of_models = {file.absolute(): sha256 for file, sha256 in evaluator.model_files.items()}
    write_note(
        plan.folder,
        command,
        evaluator.files | of_models,
        tracking.uri if tracking.enabled else None,
        plan.options.storage,
        plan.folder if winner is None else winner,
        [
            f"{plan.study_name}: nothing is missing; {n_done(counts(study))} done, 0 to go.",
            *sentences(outcome),
        ],
        _places(plan, study, winner) | {"report": str(plan.folder / PAGE_FILE)},
    )


def _is_closed(plan: SweepPlan, study: optuna.Study) -> bool:
    """Whether the same command has nothing to do, and asks no registry and no function of the
    user's own.
    """
    options = plan.options
    elsewhere = options.register or options.custom_search_space
    return not elsewhere and options.resume != "never" and not _goes_on(plan, study)


def _removed(plan: SweepPlan, path: Path) -> ConfigError:
    """That the sweep's folder or journal is gone, whatever else failed by then."""
    again = "to start over" if path == plan.folder else "to go on"
    return ConfigError(f"{path}: was removed while the sweep ran; run the command again {again}")


def _check_account(plan: SweepPlan, study: optuna.Study, outcome: SweepOutcome) -> None:
    """Raise ConfigError if what the sweep says is not what ran, or if a check stops it."""
    wrong = [*take_account(outcome, study).wrong, *missing_in_mlflow(outcome)]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise ConfigError(
            f"{plan.study_name}: does not add up ({wrong[0]}{more}); to see all: "
            f"{own_line('check', plan.study_name)}"
        )
    _check_findings(plan, outcome)


def _check_findings(plan: SweepPlan, outcome: SweepOutcome) -> None:
    """Raise ConfigError if a check of level `error` has something to say of the best, which then
    is not registered.
    """
    for finding in outcome.findings:
        if plan.base.guards.level(finding.code) == "error":
            way_on = f"guards.{finding.code}=warn goes on anyway"
            raise ConfigError(f"{finding}; {way_on}")


def _check_failures(plan: SweepPlan, outcome: SweepOutcome) -> None:
    """Raise ConfigError if more trials failed than the sweep allows, now or when it ran before."""
    failed = [trial for trial in outcome.trials if trial.status == "FAILED"]
    share = plan.options.max_failure_rate
    if len(failed) > share * plan.n_trials:
        raise ConfigError(
            f"hydra.sweeper.max_failure_rate={share}: {len(failed)} of {plan.n_trials} trials have "
            f"failed (last: {failed[-1].error}); allow more failures, or take what fails out of "
            "the space"
        )


def _stop(
    plan: SweepPlan,
    study: optuna.Study,
    record: RunRecord,
    error: BaseException,
    console: Console,
) -> None:
    """Show and keep what ran before the sweep stopped. There is no winner, so nobody opens the test
    rows; the report is for a sweep that stopped by itself, since Ctrl-C asks for a quick end.

    Raises ConfigError in place of the error if somebody has removed the folder or the journal.
    """
    gone = what_is_removed(plan, error) if isinstance(error, Exception) else None
    if gone == plan.folder:  # there is nothing left to show
        raise _removed(plan, gone) from None
    with suppress(OSError):  # of a full disk; then the lock that ends here says it
        record.stop(one_line(error))
    with suppress(Exception):  # the reason to stop is what counts
        outcome = replace(_outcome_so_far(plan, study), record=record)
        show_trials(outcome, console)
        show_outcome(outcome, console)
        write_standings(outcome)
        with suppress(Exception):  # the study may be in a database that is gone
            record.metrics = outcome_metrics(plan, outcome, counts(study))
        record.seal()
        if isinstance(error, Exception):
            _report(outcome, console)
    if gone is not None:
        raise _removed(plan, gone) from None


def _outcome_so_far(plan: SweepPlan, study: optuna.Study) -> SweepOutcome:
    """What the records say, without importances if the study is in a database that is gone."""
    try:
        return read_outcome(plan.folder, study)
    except Exception:
        return load_sweep(plan.folder)


def _show(plan: SweepPlan, evaluator: TrialEvaluator, console: Console) -> None:
    """The plan, and what the guards say of its rows."""
    data = evaluator.data(plan.base)
    show_plan(plan, console, expected_seconds(plan, data), resolution_line(plan, data))
    findings = [*data.warnings, *look_once(plan.base, data)]
    _warn(list(map(str, findings)), console)


def _warn(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        text = Text.assemble(("warning", "yellow"), f": {visible(line)}")
        print_lines(console, text)


def _settled_study(plan: SweepPlan, console: Console) -> tuple[SweepPlan, optuna.Study]:
    """The study, new or interrupted, in a state from which workers can go on, and the plan with the
    number of its trials.
    """
    with suppress(ConfigError):
        await_workers(plan, SECONDS_OF_DYING)
    check_unchanged(plan)
    study = open_whole_study(plan, lambda line: console.print(f"  {line}"))
    for name in (STOP_FILE, SETTLED_FILE, OVER_FILE, LOST_FILE, FINISHED_FILE):
        (plan.folder / name).unlink(missing_ok=True)
    if living := living_places(plan):
        n = plural(len(living), "worker")
        console.print(f"  {n} of an earlier command, or of guests, at work: they go on.")
    recovered = recover(study, plan)
    fill_queue(study, plan)
    plan = with_total(plan, n_outside(study))
    renew_patience(study, plan)
    done = n_done(counts(study))
    if done or recovered:
        again = f", {recovered} of them to be run again" if recovered else ""
        left = max(plan.n_trials - done, 0)
        console.print(f"  Continuing {plan.study_name}: {done} done, {left} to go{again}.")
        if (waiting := counts(study)["waiting"]) > left:
            console.print(
                f"  n_trials={plan.n_trials} leaves no place for {waiting - left} of the queued "
                "configurations; raise hydra.sweeper.n_trials to try them."
            )
    return plan, study


def _report(outcome: SweepOutcome, console: Console) -> None:
    """Write report.html and the note for MLflow. If that fails, the sweep has not failed."""
    from student_perf.pages.report import write_report
    from student_perf.pages.sweep_section import markdown_note

    record = outcome.record
    try:
        record.tags |= check_tags(outcome.findings)
        page = write_report(record.folder / PAGE_FILE, outcome)
        record.tags[tags.NOTE] = markdown_note(outcome)
        record.save()
    except Exception as error:
        log.exception("no report")
        console.print(f"  No report was written: {one_line(error)}", style="yellow")
        return
    console.print(Text.assemble("\n  ", ("report", "dim"), f"   {page}"), soft_wrap=True)


def _show_places(plan: SweepPlan, study: optuna.Study, winner: Path | None) -> None:
    """Where everything is, and what to type next."""
    Terminal().places(_places(plan, study, winner))
    if _sent_run(plan) is not None:
        show_unknown_schema(Terminal(), plan.base.tracking)


def _sent_run(plan: SweepPlan) -> str | None:
    """Id of the sweep's run in MLflow. Of a sweep that could not be sent there may be an older one,
    which lacks what is new.
    """
    is_sent = plan.base.tracking.enabled and not (plan.folder / ERROR_FILE).is_file()
    return begun_run_id(plan.folder) if is_sent else None


def _places(plan: SweepPlan, study: optuna.Study, winner: Path | None) -> dict[str, str]:
    where = plan.base.tracking.uri, plan.base.tracking.experiment
    in_mlflow = mlflow_places(*where, _sent_run(plan), plan.folder, plan.study_name)
    places = {"folder": str(plan.folder)} | in_mlflow
    if winner is not None and (winner_id := load_record(winner).mlflow_run_id) is not None:
        places["winner"] = f"run {winner_id}"
    places["compare"] = own_line("compare", plan.study_name)
    if _goes_on(plan, study):
        command = typed_command(python_command())
        places["continue"] = command or "the same call of sweep()"
    return places


def _goes_on(plan: SweepPlan, study: optuna.Study) -> bool:
    """Whether the same command has trials left to run; also of a study whose database is gone."""
    try:
        return n_done(counts(study)) < plan.n_trials and out_of_patience(study, plan) is None
    except Exception:
        return True


@contextmanager
def _exclusive(plan: SweepPlan) -> Iterator[None]:
    """Only one command at a time works on a study; its worker processes share the lock."""
    check_no_twin("hydra.sweeper.study_name", plan.folder)
    plan.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(plan.folder / SWEEP_LOCK_FILE)
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
