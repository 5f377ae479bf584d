"""Does a sweep add up? Study, records, board, MLflow and the winner have to tell one story.

`take_account` reads what is on disk and costs little, so every sweep ends with it; `audit` asks
MLflow too. What is counted is said in any case, what differs in words that name the trial.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.compare.distinct import identity
from student_perf.compare.outcome import SweepOutcome, load_sweep
from student_perf.errors import StudentPerfError, one_line
from student_perf.masking import MASK
from student_perf.runs.layout import ERROR_FILE, PREDICTIONS_FILE
from student_perf.runs.predictions import fold_scores, load_predictions
from student_perf.runs.record import RunRecord, glance
from student_perf.store.client import mlflow_status
from student_perf.store.publisher import tracking_of
from student_perf.store.reader import Selection, read_runs
from student_perf.sweep.distinct import OUTSIDE
from student_perf.sweep.plan import JOURNAL_FILE
from student_perf.sweep.space import same_value
from student_perf.sweep.storage import is_file, open_storage
from student_perf.sweep.study import MIXED, REFERENCE, state_of
from student_perf.text import format_number, plural

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

_STATES = {"FINISHED": "complete", "PRUNED": "pruned", "FAILED": "fail"}
_UNFINISHED = ("running", "waiting")
_MOST_NAMED = 10  # trials in one line
_ONE_FIGURE = 1e-6  # relative; a model that is fitted again may differ in the last digits


@dataclass
class Account:
    """Lines about what was counted, and lines about what does not agree."""

    counted: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def take_account(outcome: SweepOutcome, study: optuna.Study | None) -> Account:
    """Compare a sweep's study, records, board and winner.

    Args:
        outcome: The sweep, read from its folder.
        study: Its study; None if it is in a database that cannot be opened from here.
    """
    account = Account()
    if study is None:
        account.counted.append("study: in a database whose address is not on record; not counted")
    else:
        _count_study(account, study.get_trials(deepcopy=False), outcome)
        _count_space(account, study, outcome.record.space)
    _count_records(account, outcome.trials)
    _count_board(account, outcome)
    _check_winner(account, outcome)
    return account


def audit(folder: Path) -> Account:
    """`take_account` of the sweep in a folder, and what MLflow has of it.

    Raises:
        ConfigError: The folder is not a sweep's, or its journal cannot be read.
        TrackingError: MLflow does not answer.
    """
    outcome = load_sweep(folder)
    account = take_account(outcome, _study_of(outcome.record))
    _count_mlflow(account, outcome)
    return account


def missing_in_mlflow(outcome: SweepOutcome) -> list[str]:
    """What a tracked sweep did not send, by its records alone; nothing if it has said why. A trial
    that was not sent when the outcome was read is looked at again.
    """
    record = outcome.record
    if (record.folder / ERROR_FILE).is_file() or not record.is_tracked:
        return []
    trials = [t for t in outcome.trials if t.status in _STATES and t.mlflow_run_id is None]
    lost = [t.trial_number or 0 for t in trials if not glance(t.folder).is_sent]
    return [f"MLflow: lacks {_named(sorted(lost))}"] if lost else []


def _study_of(record: RunRecord) -> optuna.Study | None:
    """A sweep's study, to read only; None if its database cannot be opened from here."""
    import optuna

    storage = record.params.get("sweep.storage", JOURNAL_FILE)
    if MASK in storage:
        return None
    place = str(record.folder / storage) if is_file(storage) else storage
    if is_file(storage) and not Path(place).is_file():
        return None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.load_study(study_name=record.name, storage=open_storage(place))
    except KeyError:
        return None


def _count_study(account: Account, trials: Sequence[FrozenTrial], outcome: SweepOutcome) -> None:
    """The study against the records and the space."""
    by_state = Counter(map(state_of, trials))
    states = ", ".join(f"{n} {state}" for state, n in by_state.most_common())
    account.counted.append(f"study: {plural(len(trials), 'trial')} ({states or 'none'})")
    records = {record.trial_number: record for record in outcome.trials}
    for trial in trials:
        account.wrong += _against_record(trial, records.get(trial.number), outcome)
    known = {trial.number for trial in trials}
    if more := sorted(set(_numbers(outcome.trials)) - known):
        account.wrong.append(f"study: lacks {_named(more)}, which are on disk")


def _count_space(account: Account, study: optuna.Study, space: Sequence[Mapping[str, Any]]) -> None:
    """Every trial lies in the space or is a reference."""
    if mixed := study.user_attrs.get(MIXED):
        account.counted.append(f"space: not checked; resume=force went on though {mixed[0]}")
        return
    trials = study.get_trials(deepcopy=False)
    for trial in trials:
        account.wrong += _outside_space(trial, space)
    references = [trial for trial in trials if trial.user_attrs.get(OUTSIDE)]
    inside = len(trials) - len(references)
    named = f", besides {plural(len(references), 'reference')}" if references else ""
    account.counted.append(f"space: {plural(inside, 'trial')} in it{named}")


def _against_record(
    trial: FrozenTrial, record: RunRecord | None, outcome: SweepOutcome
) -> Iterator[str]:
    state = state_of(trial)
    if state in _UNFINISHED:
        if record is not None and record.status in _STATES:
            yield f"trial {trial.number}: {state} in the study, {record.status} in its record"
        return
    if record is None:
        yield f"trial {trial.number}: {state} in the study, but its folder has no record"
        return
    if _STATES.get(record.status) != state:
        yield f"trial {trial.number}: {state} in the study, {record.status} in its record"
        return
    told = trial.user_attrs.get(REFERENCE, trial.values) if state == "complete" else None
    if told is not None and list(told) != list(outcome.objectives.values(record.metrics)):
        recorded = outcome.objectives.values(record.metrics)
        yield f"trial {trial.number}: {list(told)} in the study, {list(recorded)} in its record"


def _outside_space(trial: FrozenTrial, space: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Values that the space could not give, and those that a trial lacks; none of a reference."""
    if state_of(trial) in _UNFINISHED or not trial.params or trial.user_attrs.get(OUTSIDE):
        return
    drawn = {p["key"]: trial.params[p["name"]] for p in space if p["name"] in trial.params}
    for parameter in space:
        name = parameter["name"]
        if name in trial.params:
            if not _contains(parameter, trial.params[name]):
                yield f"trial {trial.number}: {name}={trial.params[name]} is outside the space"
        elif state_of(trial) != "fail" and _applies(parameter, drawn):
            yield f"trial {trial.number}: has no value for {name}, which is swept"


def _applies(parameter: Mapping[str, Any], drawn: Mapping[str, Any]) -> bool:
    when = parameter["when"]
    return all(any(same_value(drawn.get(key), one) for one in wanted) for key, wanted in when)


def _contains(parameter: Mapping[str, Any], value: Any) -> bool:
    if "choices" in parameter:
        return any(same_value(value, one) for one in parameter["choices"])
    return bool(parameter["low"] <= value <= parameter["high"])


def _count_records(account: Account, trials: Sequence[RunRecord]) -> None:
    by_state = Counter(trial.status for trial in trials)
    states = ", ".join(f"{n} {state}" for state, n in by_state.most_common())
    account.counted.append(f"records: {plural(len(trials), 'trial')} ({states or 'none'})")
    for folder, number in ((t.folder.name, t.trial_number) for t in trials):
        if folder != str(number):
            account.wrong.append(f"trial {folder}: its record is that of trial {number}")


def _count_board(account: Account, outcome: SweepOutcome) -> None:
    """Every finished trial is a row, or was scored on other rows than the best."""
    if outcome.is_apart:
        _count_sets(account, outcome)
        return
    on_board = {line.record.trial_number for line in outcome.lines}
    finished = [trial for trial in outcome.trials if trial.status == "FINISHED"]
    off = [trial for trial in finished if trial.trial_number not in on_board]
    rows = outcome.board.lines[0].record.rows if outcome.board else None
    others = [trial for trial in off if trial.rows != rows]
    same_rows = [trial for trial in off if trial.rows == rows]
    shown = {identity(line.record) for line in outcome.lines}
    lost = [trial for trial in same_rows if identity(trial) not in shown]
    n_repeats = len(same_rows) - len(lost)
    by_state = Counter(t.status.lower() for t in outcome.trials if t.status != "FINISHED")
    named = [f"{n} {state}" for state, n in by_state.most_common()]
    named += [f"{len(others)} on other rows or folds"] if others else []
    named += [plural(n_repeats, "exact repeat")] if n_repeats else []
    besides = f"; besides {', '.join(named)}" if named else ""
    account.counted.append(f"board: {plural(len(on_board), 'row')}{besides}")
    if lost:
        account.wrong.append(f"board: lacks {_named(_numbers(lost))}")


def _count_sets(account: Account, outcome: SweepOutcome) -> None:
    """Every finished trial counts in one set of those that can be compared; none has won."""
    lines = [line for board in outcome.boards for line in board.lines]
    n_counted = sum(line.record.n_repeats for line in lines)
    account.counted.append(
        f"board: {plural(len(lines), 'configuration')} of {plural(n_counted, 'trial')} in "
        f"{plural(len(outcome.boards), 'set')} that can be compared; no best among them all"
    )
    if n_counted != len(outcome.finished):
        lost = [t for t in outcome.finished if not math.isfinite(t.mean(t.objective))]
        account.wrong.append(f"board: lacks {_named(_numbers(lost or outcome.finished))}")


def _check_winner(account: Account, outcome: SweepOutcome) -> None:
    """The winner is the best trial, and its stored predictions give the figure on the board."""
    winner, best = outcome.winner, outcome.best
    if outcome.is_apart:
        earlier = (
            "" if winner is None else f"; that of trial {winner.trial_number} is an earlier one"
        )
        account.counted.append(f"winner: none, since the trials cannot be ranked{earlier}")
        return
    if winner is None or best is None:
        account.counted.append("winner: none")
        return
    if winner.trial_number != best.record.trial_number:
        account.wrong.append(
            f"winner: is trial {winner.trial_number}, the best is {best.record.trial_number}"
        )
        return
    try:
        scores = fold_scores(load_predictions(winner.folder / PREDICTIONS_FILE), outcome.metric)
    except (OSError, ValueError, StudentPerfError) as error:
        account.wrong.append(f"winner: its predictions cannot be read ({one_line(error)})")
        return
    figure, expected = float(scores.mean()), float(best.scores[: len(scores)].mean())
    # A winner is one run, with the first of a trial's seeds.
    what = f"winner: trial {winner.trial_number}, {outcome.metric} {format_number(figure)}"
    if math.isclose(figure, expected, rel_tol=_ONE_FIGURE, abs_tol=_ONE_FIGURE):
        account.counted.append(f"{what} by its stored predictions, as on the board")
    else:
        account.wrong.append(f"{what} by its stored predictions, {expected:.6g} on the board")


def _count_mlflow(account: Account, outcome: SweepOutcome) -> None:
    """One run in MLflow for each trial that came to its end, in the same state."""
    record = outcome.record
    if not record.is_tracked:
        account.counted.append("MLflow: the sweep was not tracked")
        return
    if not record.run_id:
        account.wrong.append(f"MLflow: has nothing of it; run: student_perf sync {record.folder}")
        return
    try:
        selection = Selection(parents=(record.run_id,), kinds=("trial",))
        runs = read_runs(tracking_of(record).uri, selection)
    except StudentPerfError as error:
        account.wrong.append(f"MLflow: cannot be asked ({one_line(error)})")
        return
    account.counted.append(f"MLflow: {plural(len(runs), 'run')} of trials")
    account.wrong += _against_mlflow(runs, _ended(outcome.trials), record.folder)


def _against_mlflow(
    runs: Sequence[RunRecord], ended: Sequence[RunRecord], folder: Path
) -> Iterator[str]:
    times = Counter(_numbers(runs))
    if lost := sorted(set(_numbers(ended)) - times.keys()):
        yield f"MLflow: lacks {_named(lost)}; run: student_perf sync {folder}"
    if more := sorted(times.keys() - set(_numbers(ended))):
        yield f"MLflow: has {_named(more)}, of which there is no record that came to its end"
    if doubled := sorted(number for number, n in times.items() if n > 1):
        yield f"MLflow: has {_named(doubled)} more than once"
    status = {run.trial_number: mlflow_status(run) for run in runs}
    for trial in ended:
        there = status.get(trial.trial_number)
        if there not in (None, mlflow_status(trial)):
            yield f"trial {trial.trial_number}: {there} in MLflow, {trial.status} in its record"


def _ended(trials: Sequence[RunRecord]) -> list[RunRecord]:
    return [trial for trial in trials if trial.status in _STATES]


def _numbers(trials: Sequence[RunRecord]) -> list[int]:
    return [trial.trial_number for trial in trials if trial.trial_number is not None]


def _named(numbers: Sequence[int]) -> str:
    """`trial 3`, `trials 3, 5`, `12 trials (3, 5, ...)`."""
    first = ", ".join(map(str, numbers[:_MOST_NAMED]))
    if len(numbers) > _MOST_NAMED:
        return f"{len(numbers)} trials ({first}, ...)"
    return f"{'trial' if len(numbers) == 1 else 'trials'} {first}"
