"""What a sweep shows on the terminal: its plan, its progress in one line, its outcome."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.text import Text

from student_perf.compare.apart import deciding_keys, set_name
from student_perf.compare.distinct import distinct, times_mark
from student_perf.compare.leaderboard import Line
from student_perf.compare.outcome import SweepOutcome, described, sentences
from student_perf.runs.layout import holds_record
from student_perf.runs.record import RunRecord, begun_run_id, load_record
from student_perf.scoring.intervals import Estimate
from student_perf.scoring.metrics import METRICS
from student_perf.store.stage import Stage, run_stage
from student_perf.sweep.plan import SweepPlan, iter_rows
from student_perf.sweep.plateau import place_of
from student_perf.sweep.study import complete_trials, counts, n_done
from student_perf.terminal import make_table, print_lines, words
from student_perf.text import duration, format_interval, format_number, plural

if TYPE_CHECKING:
    import optuna

log = logging.getLogger(__name__)

_MOST_TRIALS = 10
_REDRAW_SECONDS = 0.5
_LOG_SECONDS = 30  # between two lines if the output is a file


def show_plan(plan: SweepPlan, console: Console, seconds: float | None, resolution: str) -> None:
    """The space as a table, how many of its configurations are tried, the time that takes if it is
    known, and what the rows can show.
    """
    columns = [words("parameter"), words("values"), words("default")]
    table = make_table(columns, iter_rows(plan))
    console.print(Padding(table, (1, 2)), soft_wrap=False)
    how = _grid(plan) if plan.is_grid else f"drawn by {plan.sampler}"
    jobs = plural(plan.options.n_jobs, "worker")
    took = "" if seconds is None else f", about {duration(seconds)} by earlier trials"
    if seconds is None and not plan.folder.exists():
        took = ", how long is not known before the first of them"
    print_lines(
        console,
        f"{plan.n_trials} trials{_share(plan)}, {how}; {plan.objectives.describe()}; {jobs}{took}",
    )
    if not plan.comparison.is_apart:  # nothing is ranked
        print_lines(console, resolution)
    if plan.options.patience is not None:
        counted = " on all rows" if plan.rungs else ""
        print_lines(
            console,
            f"Ends when the best has not improved for {plan.options.patience} trials{counted}, "
            "which saves time and tests nothing.",
        )
    lines = [*_halving_lines(plan), *_repeat_lines(plan), *plan.comparison.sentences]
    print_lines(console, *(f"{line}." for line in lines))


def _grid(plan: SweepPlan) -> str:
    """How much of a grid is run: `n_trials` may end it before its last combination."""
    size = sum(1 for _ in plan.space.grid())
    return "every combination once" if plan.n_trials >= size else f"the first of {size:,}"


def _share(plan: SweepPlan) -> str:
    """` of 144 configurations`, if a search draws from a space of finite size."""
    size = plan.space.size
    if plan.is_grid or plan.options.custom_search_space or math.isinf(size):
        return ""
    if plan.n_trials >= size:
        return f", all {size:,.0f} configurations of the space"
    return f" of {size:,.0f} configurations"


def _halving_lines(plan: SweepPlan) -> list[str]:
    if not plan.rungs:
        return []
    *samples, n_all = plan.rungs
    first = ", then ".join(f"{size:,}" for size in samples)
    return [
        f"Halving: each trial first learns from {first} of the {n_all:,} training rows of one "
        "fold, and goes on while it is in the best third so far. Only trials on all rows have a "
        "score; the defaults are never stopped, and what needs many rows may be"
    ]


def _repeat_lines(plan: SweepPlan) -> list[str]:
    if (n := plan.options.repeats) == 1:
        return []
    seed = plan.base.seed
    return [
        f"Each configuration is judged by its mean over {n} seeds ({seed} to {seed + n - 1}): "
        "other folds, the same test rows"
    ]


def show_lost_run(plan: SweepPlan, console: Console) -> None:
    """Say what becomes of a sweep whose run is not in MLflow any more, before trials are run."""
    run_id = begun_run_id(plan.folder)
    lines = {
        Stage.DELETED: "Its run in MLflow was deleted: it comes back from the bin with its trials.",
        Stage.ABSENT: "Its run is not in this MLflow store: a new one gets all its trials.",
    }
    if run_id and (line := lines.get(run_stage(plan.base.tracking.uri, run_id))):
        print_lines(console, line)


class Progress:
    """One line that says how far the sweep is: redrawn on a terminal, repeated rarely in a file."""

    def __init__(self, plan: SweepPlan, study: optuna.Study, console: Console) -> None:
        self._plan, self._study, self._console = plan, study, console
        self._status: Status | None = None
        self._started = time.monotonic()
        self._done_before = n_done(counts(study))
        self._seen: set[int] = set()
        self._place: tuple[bool, float, int] | None = None  # of the best
        self._best: RunRecord | None = None
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
        """Redraw if it is time to; cheap enough to call after each trial."""
        pause = _REDRAW_SECONDS if self._status is not None else _LOG_SECONDS
        if time.monotonic() - self._last_line < pause:
            return
        self._last_line = time.monotonic()
        if self._status is not None:
            self._status.update(Text(self._line()))
        else:
            self._print_line()

    def _line(self) -> str:
        by_state = counts(self._study)
        done = n_done(by_state)
        parts = [f"{done}/{self._plan.n_trials} trials"]
        verbs = {"pruned": "pruned", "fail": "failed", "running": "running"}
        parts += [f"{by_state[state]} {verb}" for state, verb in verbs.items() if by_state[state]]
        self._update_best()
        if self._best is not None:
            parts.append(f"best {_value(self._best, self._plan.base.objective.metric)}")
        if left := self._seconds_left(done):
            parts.append(f"{duration(left)} left")
        return ", ".join(parts)

    def _update_best(self) -> None:
        """Rank the trials that are new and the best so far, as the study knows them; only the
        record of a new best is read.
        """
        if self._plan.comparison.is_apart:
            return
        complete = complete_trials(self._study)
        new = complete.keys() - self._seen
        self._seen |= new
        places = [place_of(self._study, complete[number]) for number in new]
        if not places or (self._place is not None and self._place < min(places)):
            return
        self._place = min(places)
        folder = self._plan.folder / str(self._place[-1])
        self._best = load_record(folder) if holds_record(folder) else None

    def _seconds_left(self, done: int) -> float:
        new = done - self._done_before
        if new <= 0 or done >= self._plan.n_trials:
            return 0.0
        return (time.monotonic() - self._started) / new * (self._plan.n_trials - done)


def show_trials(outcome: SweepOutcome, console: Console) -> None:
    """The best trials with their intervals, best first, then the references; of trials that cannot
    be ranked each set of configurations by itself.
    """
    if outcome.is_apart:
        _show_sets(outcome, console)
        return
    ranked = distinct(outcome.ranked, ranked=True)
    if len(outcome.ranked) + len(outcome.references) > 1:
        references = [(trial, 1) for trial in outcome.references]
        _print_trials(outcome, [*ranked[:_MOST_TRIALS], *references], console)
        if len(ranked) > _MOST_TRIALS:
            console.print(f"    and {len(ranked) - _MOST_TRIALS} more")
    console.print()


def _print_trials(
    outcome: SweepOutcome, trials: Sequence[tuple[RunRecord, int]], console: Console
) -> None:
    """Trials in their order, each with the number of exact repeats that it stands for."""
    rows = []
    for trial, times in trials:
        estimate = trial.estimate(outcome.metric)
        interval = _interval(outcome.metric, estimate)
        mean = format_number(estimate.mean)
        mark = "reference" if trial.outside else times_mark(times)
        number = f"{trial.trial_number} ({mark})" if mark else str(trial.trial_number)
        rows.append((number, described(trial), mean, interval))
    label = METRICS[outcome.metric].label
    table = make_table(["trial", words(), label, "95 % interval"], rows)
    console.print(Padding(table, (0, 2)), soft_wrap=False)


def _show_sets(outcome: SweepOutcome, console: Console) -> None:
    """Each set of configurations by itself; of a single one the seeds that its mean is over."""
    if [len(board.lines) for board in outcome.boards] == [1]:
        _print_trials(outcome, [(trial, 1) for trial in outcome.finished[:_MOST_TRIALS]], console)
        if len(outcome.finished) > _MOST_TRIALS:
            console.print(f"    and {len(outcome.finished) - _MOST_TRIALS} more")
        console.print()
        return
    keys = deciding_keys(outcome.boards)
    for board in outcome.boards:
        name = set_name(board, keys)
        label, rows = METRICS[board.metric].label, []
        for line in board.lines[:_MOST_TRIALS]:
            means = line.record.repeat_means(board.metric)
            single = format_interval(means.min(), means.max()) if len(means) > 1 else ""
            interval = _interval(board.metric, line)
            rows.append((line.label, format_number(line.mean), interval, single))
        table = make_table([words(), label, "95 % interval", "single seeds"], rows)
        if board.n_repeats == 1:
            table = make_table([words(), label, "95 % interval"], [row[:3] for row in rows])
        if name:
            console.print(Padding(f"{name}, {board.folds}", (0, 2)), style="bold")
        console.print(Padding(table, (0, 2)), soft_wrap=False)
        if more := len(board.lines) - len(rows):
            console.print(f"    and {more} more")
        console.print()


def show_outcome(outcome: SweepOutcome, console: Console) -> None:
    """What came of the sweep, on the terminal and in its log."""
    for line in sentences(outcome):
        log.info("%s", line)
        print_lines(console, line)


def _value(record: RunRecord, metric: str) -> str:
    """`0.512 (0.490 to 0.534)`; the mean alone of a single fold."""
    estimate = record.estimate(metric)
    text = format_number(estimate.mean)
    if math.isfinite(estimate.low):
        text += f" ({_interval(metric, estimate)})"
    return text


def _interval(metric: str, known: Estimate | Line) -> str:
    """As text, marked if few rows carry the figure."""
    return METRICS[metric].interval(known.mean, known.low, known.high)
