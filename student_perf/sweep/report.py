"""What a sweep shows: its plan, its progress in one line, its outcome."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from student_perf.runs.record import RunRecord, load_record
from student_perf.scoring.metric import METRICS, OBJECTIVES
from student_perf.scoring.paired import paired_difference
from student_perf.scoring.scores import fold_estimate
from student_perf.sweep.plan import SweepPlan, iter_rows
from student_perf.sweep.study import (
    counts,
    is_default,
    keeps_constraints,
    main_value,
    n_done,
    swept_values,
)
from student_perf.terminal import format_number

if TYPE_CHECKING:
    import optuna

_MOST_TRIALS = 10
_LOG_SECONDS = 30  # between two lines where the terminal cannot redraw one


def show_plan(plan: SweepPlan, console: Console, seconds: float | None) -> None:
    """The space as a table, the number of trials, and the time they will take where known."""
    table = Table(box=None, padding=(0, 2), header_style="bold", pad_edge=False)
    for column in ("parameter", "values", "default"):
        table.add_column(column, overflow="fold")
    for row in iter_rows(plan):
        table.add_row(*row)
    console.print(Padding(table, (1, 2)), soft_wrap=False)
    how = "every combination once" if plan.is_grid else f"drawn by {plan.sampler}"
    jobs = f"{plan.options.n_jobs} worker{'s' if plan.options.n_jobs > 1 else ''}"
    took = "" if seconds is None else f", about {duration(seconds)} by earlier trials"
    if seconds is None and not plan.folder.exists():
        took = ", how long is not known before the first of them"
    text = f"{plan.n_trials} trials, {how}; {plan.objectives.describe()}; {jobs}{took}"
    console.print(Padding(text, (0, 0, 0, 2), expand=False), soft_wrap=False)


class Progress:
    """One line that says how far the sweep is; redrawn on a terminal, now and then in a file."""

    def __init__(self, plan: SweepPlan, study: optuna.Study, console: Console) -> None:
        self._plan, self._study, self._console = plan, study, console
        self._status: Status | None = None
        self._started = time.monotonic()
        self._done_before = n_done(counts(study))
        self._best: tuple[int, str] | None = None
        self._last_line = time.monotonic()
        self._printed = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the line while trials run."""
        if not self._console.is_terminal:
            yield
            self._print_line()
            return
        with self._console.status("starting") as self._status:
            yield
        self._print_line()

    def _print_line(self) -> None:
        line = self._line()
        if line != self._printed:
            self._console.print(f"  {line}", soft_wrap=True)
        self._printed = line

    def update(self) -> None:
        """Called after trials or now and then; draws at most twice a second."""
        pause = 0.5 if self._status is not None else _LOG_SECONDS
        if time.monotonic() - self._last_line < pause:
            return
        self._last_line = time.monotonic()
        if self._status is not None:
            self._status.update(Text(self._line()))
        else:
            self._print_line()

    def _line(self) -> str:
        found = counts(self._study)
        done = n_done(found)
        parts = [f"{done}/{self._plan.n_trials} trials"]
        words = {"pruned": "pruned", "fail": "failed", "running": "running"}
        parts += [f"{found[state]} {word}" for state, word in words.items() if found[state]]
        if best := best_trial(self._study):
            parts.append(self._describe(best))
        if left := self._seconds_left(done):
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _describe(self, best: optuna.trial.FrozenTrial) -> str:
        if self._best is None or self._best[0] != best.number:
            metric = self._plan.base.objective.metric
            record = load_record(self._plan.folder / str(best.number))
            low, high = interval(record, metric)
            text = f"best {format_number(main_value(best))}"
            if math.isfinite(low):
                text += f" ({format_number(low)} to {format_number(high)})"
            self._best = best.number, text
        return self._best[1]

    def _seconds_left(self, done: int) -> float:
        new = done - self._done_before
        if new <= 0 or done >= self._plan.n_trials:
            return 0.0
        return (time.monotonic() - self._started) / new * (self._plan.n_trials - done)


def best_trial(study: optuna.Study) -> optuna.trial.FrozenTrial | None:
    """The complete trial with the best value, of those that keep the constraints if any does."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return min(complete, key=partial(rank, study), default=None)


def rank(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> tuple[bool, float, int]:
    """Key that sorts complete trials: those that keep the constraints first, then by the value
    that decides, the earlier of equals first.
    """
    from optuna.study import StudyDirection

    sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
    return not keeps_constraints(trial), sign * main_value(trial), trial.number


def interval(record: RunRecord, metric: str) -> tuple[float, float]:
    """Corrected 95 % interval of a recorded trial's metric; NaN for a single fold."""
    scores = fold_scores(record, metric)
    if len(scores) < 2:
        return math.nan, math.nan
    estimate = fold_estimate(metric, scores, float(record.params["test_over_train"]))
    return estimate.low, estimate.high


def fold_scores(record: RunRecord, metric: str) -> np.ndarray:
    """Scores of a recorded run by fold, shape (J,)."""
    return np.atleast_1d(np.asarray(record.metrics[f"fold_{metric}"], dtype=np.float64))


def show_trials(plan: SweepPlan, study: optuna.Study, console: Console) -> None:
    """The best trials with their intervals, best first."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    ranked = sorted(complete, key=partial(rank, study))
    if len(ranked) < 2:
        return
    metric = plan.base.objective.metric
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("trial", justify="right")
    table.add_column("", overflow="fold")
    for column in (METRICS[metric].label, "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    for trial in ranked[:_MOST_TRIALS]:
        low, high = interval(load_record(plan.folder / str(trial.number)), metric)
        table.add_row(
            str(trial.number),
            _describe_values(plan, trial),
            format_number(main_value(trial)),
            f"{format_number(low)} to {format_number(high)}",
        )
    console.print(Padding(table, (0, 2)), soft_wrap=False)
    if len(ranked) > _MOST_TRIALS:
        console.print(f"    and {len(ranked) - _MOST_TRIALS} more")
    console.print()


def _describe_values(plan: SweepPlan, trial: optuna.trial.FrozenTrial) -> str:
    values = swept_values(plan, trial)
    return ", ".join(f"{key}={_short(value)}" for key, value in values.items()) or "the defaults"


def outcome_lines(plan: SweepPlan, study: optuna.Study) -> list[str]:
    """Sentences about the finished sweep: the best, its gain, what mattered, what to doubt."""
    best = best_trial(study)
    if best is None:
        return ["No trial has finished."]
    lines = [_best_line(plan, best), *_gain_lines(plan, study, best)]
    if not keeps_constraints(best):
        lines.append("No trial keeps the constraints; this one is the best of all the same.")
    if len(plan.objectives.metrics) > 1:
        lines += _front_lines(plan, study)
    lines += _importance_lines(study)
    on_bound = [
        f"{p.key}={values[p.name]}"
        for values in [best.params]
        for p in plan.space.parameters
        if not p.choices and p.name in values and values[p.name] in p.corners
    ]
    if on_bound and not plan.is_grid:
        lines.append(f"On the edge of its range: {', '.join(on_bound)}; consider a wider one.")
    complete = [t for t in study.get_trials(deepcopy=False) if t.values]
    n_values = len({t.values[0] for t in complete})
    n_tried = len({tuple(sorted(t.params.items())) for t in complete})
    if n_values == 1 and n_tried > 2:
        lines.append("All trials have the same objective: nothing that was swept matters to it.")
    return lines


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _best_line(plan: SweepPlan, best: optuna.trial.FrozenTrial) -> str:
    chosen = _describe_values(plan, best)
    return f"Best: trial {best.number}, {plan.base.objective.metric} " + (
        f"{format_number(main_value(best))} with {chosen}."
    )


def _gain_lines(plan: SweepPlan, study: optuna.Study, best: optuna.trial.FrozenTrial) -> list[str]:
    """How the best compares with the model's defaults on the same folds."""
    default = next((t for t in study.get_trials(deepcopy=False) if is_default(t)), None)
    if default is None or not default.values:
        return []
    if default.number == best.number:
        return ["The defaults were not beaten."]
    metric = plan.base.objective.metric
    records = [load_record(plan.folder / str(t.number)) for t in (best, default)]
    ours, theirs = (fold_scores(record, metric) for record in records)
    if len(ours) < 2:
        return []
    gain = paired_difference(ours, theirs, float(records[0].params["test_over_train"]))
    sign = 1 if plan.maximizes else -1
    verdict = "more than the folds' noise" if gain.p_value < 0.05 else "within the folds' noise"
    return [
        f"Against the defaults ({format_number(main_value(default))}): {sign * gain.mean:+.3f} "
        f"better, 95 % interval {min(sign * gain.low, sign * gain.high):+.3f} to "
        f"{max(sign * gain.low, sign * gain.high):+.3f}, p = {gain.p_value:.2f}: {verdict}. "
        f"It is the best of {n_done(counts(study))} tries, so it flatters itself."
    ]


def _front_lines(plan: SweepPlan, study: optuna.Study) -> list[str]:
    """The Pareto front: trials that none beats in every objective."""
    front = sorted(study.best_trials, key=partial(rank, study))
    lines = [f"Pareto front of {len(front)} trials, none of which another beats in everything:"]
    for trial in front[:_MOST_TRIALS]:
        pairs = zip(plan.objectives.metrics, trial.values, strict=True)
        shown = ", ".join(
            f"{OBJECTIVES[metric].label} {format_number(value)}" for metric, value in pairs
        )
        lines.append(f"  trial {trial.number}: {shown}; {_describe_values(plan, trial)}")
    if len(front) > _MOST_TRIALS:
        lines.append(f"  and {len(front) - _MOST_TRIALS} more")
    return lines


def _importance_lines(study: optuna.Study) -> list[str]:
    named = [f"{name} {share:.0%}" for name, share in importances(study).items() if share >= 0.01]
    return [f"What mattered (PED-ANOVA): {', '.join(named[:6])}."] if named else []


def importances(study: optuna.Study) -> dict[str, float]:
    """Share of each parameter in what the study saw, the largest first; empty where fewer than ten
    trials or equal values say nothing.
    """
    from optuna.importance import get_param_importances
    from optuna.study import StudyDirection
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < 10 or len({main_value(t) for t in complete}) < 2:
        return {}
    try:
        # Optuna takes the direction from a single objective; of a target less is better.
        sign = -1 if study.directions[0] == StudyDirection.MAXIMIZE else 1
        several = len(study.directions) > 1
        target = (lambda trial: sign * main_value(trial)) if several else None
        with warnings.catch_warnings():  # that few trials say little is known: shares are a hint
            warnings.simplefilter("ignore", UserWarning)
            return get_param_importances(study, target=target)
    except (RuntimeError, ValueError):  # no parameter is shared by enough trials
        return {}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
