"""What came of a sweep, from the records in its folder; needs neither Optuna nor MLflow.

`load_sweep` reads the folder. `sentences` says the outcome in words; the terminal, the report and
the note in MLflow all show these.
"""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.compare.apart import NO_WINNER, apart_lines
from student_perf.compare.comparable import can_be_ranked, is_seed
from student_perf.compare.distinct import n_distinct
from student_perf.compare.halved import halving_lines, is_stopped
from student_perf.compare.leaderboard import Leaderboard, Line, make_leaderboards, recommend
from student_perf.compare.pairs import paired_runs
from student_perf.errors import ConfigError
from student_perf.runs.layout import RECORD_FILE, holds_record, trial_numbers
from student_perf.runs.record import RunRecord, load_record, load_winner
from student_perf.scoring.metrics import METRICS, OBJECTIVES
from student_perf.scoring.objectives import Objectives
from student_perf.scoring.paired import ALPHA, PairedDifference
from student_perf.text import (
    format_change,
    format_interval,
    format_number,
    format_p,
    plural,
    short_value,
)

if TYPE_CHECKING:
    from student_perf.evaluation.registry import Finding, Range

_MOST_ON_FRONT = 10
_MOST_IMPORTANT = 6
_LEAST_SHARE = 0.01  # of an importance worth a word
_FEW_TRIED = 2  # so few configurations may agree by chance
_MOST_REASONS = 3  # why trials failed
_MOST_NUMBERS = 5  # of trials that failed for one of them
_FEW_ENDS = 4  # numbers of a list, from which on the first or last says something
_LONGEST_REASON = 200  # characters


@dataclass(frozen=True, eq=False)
class SweepOutcome:
    """A sweep's own record, those of its trials by number, and its winner's if there is one.

    `importances` are the shares of the parameters by their names in the study; empty if unknown.
    """

    record: RunRecord
    trials: list[RunRecord]
    winner: RunRecord | None
    importances: Mapping[str, float] = field(default_factory=dict)

    def closed(self, record: RunRecord, winner: RunRecord | None) -> SweepOutcome:
        """The same trials with the sweep's record and the winner as they came to be. The winner
        repeats a trial, so what ranks the trials holds and is not computed again.
        """
        new = replace(self, record=record, winner=winner)
        computed = [n for n, kind in vars(SweepOutcome).items() if type(kind) is cached_property]
        vars(new).update({name: vars(self)[name] for name in computed if name in vars(self)})
        return new

    @cached_property
    def objectives(self) -> Objectives:
        """What the sweep optimises under which limits."""
        known = self.record.objectives
        return Objectives.from_dict(known) if known else Objectives((self.record.objective,))

    @property
    def metric(self) -> str:
        """Name of the metric that decides."""
        return self.objectives.metrics[0]

    @cached_property
    def finished(self) -> list[RunRecord]:
        """The finished trials of the space."""
        return [t for t in self.trials if t.status == "FINISHED" and not t.outside]

    @cached_property
    def is_apart(self) -> bool:
        """Whether its trials are repeats, or differ in data, folds or metric: then no trial is the
        best, no winner is fitted, and `boards` show what can be compared.
        """
        return not can_be_ranked(self.finished)

    @cached_property
    def boards(self) -> list[Leaderboard]:
        """A leaderboard for each set of configurations that share data, folds and metric, in the
        order of the trials; the one `board` if that is all.
        """
        if not self.is_apart:
            return [self.board] if self.board else []
        try:
            boards = make_leaderboards(self.finished)
        except ConfigError:
            return []
        return sorted(boards, key=lambda b: min(line.record.started for line in b.lines))

    @cached_property
    def ranked(self) -> list[RunRecord]:
        """The finished trials of the space, best first: those that keep the limits before the
        others. A reference is none of them; none are ranked if they cannot be.
        """
        if self.is_apart:
            return []
        finished = self.finished
        logged = dict(enumerate(trial.metrics for trial in finished))
        return [finished[i] for i in self.objectives.ranked(logged)]

    @property
    def references(self) -> list[RunRecord]:
        """The finished trials outside the space, which the others are compared with."""
        return [t for t in self.trials if t.status == "FINISHED" and t.outside]

    @cached_property
    def board(self) -> Leaderboard | None:
        """The leaderboard of the trials, references last; None without one, or if the trials cannot
        be ranked.
        """
        if self.is_apart:
            return None
        others = [trial for trial in self.trials if trial.status != "FINISHED"]
        try:
            boards = make_leaderboards(
                [*self.ranked, *self.references, *others], self.metric, ranked=True
            )
        except ConfigError:
            return None
        best = self.ranked[0] if self.ranked else None
        board = next((b for b in boards if b.lines[0].record is best), boards[0])
        kept = [line for line in board.lines if self.keeps_limits(line)]
        if 0 < len(kept) < len(board.lines):
            return replace(board, recommended=recommend(kept, self.metric))
        return board

    @cached_property
    def lines(self) -> list[Line]:
        """The trials that can be compared to the best, with their figures, best first."""
        lines = self.board.lines if self.board else []
        return [line for line in lines if line.record.kind == "trial"]

    @property
    def best(self) -> Line | None:
        """The best trial; the first of `ranked`."""
        return next((line for line in self.lines if not line.record.outside), None)

    @property
    def defaults(self) -> Line | None:
        """The trial that ran the model's defaults; a grid has none."""
        return next((line for line in self.lines if line.record.is_default), None)

    @property
    def gain(self) -> PairedDifference[float] | None:
        """By how much the best is better than the defaults on the same rows, more is better."""
        best, default = self.best, self.defaults
        if best is None or default is None or best is default:
            return None
        pair = best.record, default.record
        if not METRICS[self.metric].maximizes:
            pair = default.record, best.record
        try:
            return paired_runs(*pair, self.metric)[0]
        except ValueError:  # a single validation part, and its predictions are gone
            return None

    @property
    def front(self) -> list[RunRecord]:
        """The Pareto front of several objectives, ranked; empty with one objective."""
        if len(self.objectives.metrics) < 2:
            return []
        logged = dict(enumerate(trial.metrics for trial in self.ranked))
        return [self.ranked[i] for i in self.objectives.front(logged)]

    @property
    def states(self) -> dict[str, int]:
        """Number of trials by state, in lower case, the most frequent first."""
        return dict(Counter(trial.status.lower() for trial in self.trials).most_common())

    @property
    def n_tried(self) -> int:
        """Number of configurations whose trials have ended, without those that could not win."""
        rivals = [trial for trial in self.trials if not trial.outside]
        return n_distinct([t for t in rivals if t.status in ("FINISHED", "PRUNED", "FAILED")])

    @property
    def space(self) -> dict[str, str]:
        """The values of each parameter, described, by its name in the study."""
        return {parameter["name"]: parameter["values"] for parameter in self.record.space}

    @property
    def parameters(self) -> list[str]:
        """Every key that a trial drew, the most important first, else as the space has them."""
        key_of = {parameter["name"]: parameter["key"] for parameter in self.record.space}
        keys = dict.fromkeys(key_of.values())
        keys |= dict.fromkeys(key for line in self.lines for key in line.record.swept)
        share = Counter[str]()
        for name, value in self.importances.items():
            share[key_of.get(name, name)] += value  # type: ignore[assignment]
        return sorted(keys, key=lambda key: -share[key])

    def is_log(self, key: str) -> bool:
        """Whether a parameter was drawn on a logarithmic scale."""
        return any(p.get("log", False) for p in self.record.space if p["key"] == key)

    def keeps_limits(self, line: Line) -> bool:
        """Whether a trial keeps the constraints."""
        return self.objectives.keeps_limits(line.record.metrics)

    @cached_property
    def findings(self) -> list[Finding]:
        """What the numbered checks say of the best trial and the space it was found in."""
        if self.best is None:
            return []
        from student_perf.evaluation.registry import Chosen
        from student_perf.evaluation.result_checks import look

        drawn = self.best.record.swept
        tried = ((p["key"], _range_of(p, drawn)) for p in self.record.space)
        ranges = {key: one for key, one in tried if one is not None and not is_seed(key)}
        chosen = Chosen(drawn, ranges, "what the sweep tried", as_good=self._as_good())
        return look(chosen, self.record.guards)

    def _as_good(self) -> list[Mapping[str, str]]:
        """What the trials drew that rank below the best only since they came later."""

        def rank(trial: RunRecord) -> tuple[bool, Any]:
            value = trial.metrics.get(OBJECTIVES[self.metric].key)
            return self.objectives.keeps_limits(trial.metrics), value

        best, *others = self.ranked
        return [trial.swept for trial in others if rank(trial) == rank(best)]

    @property
    def is_flat(self) -> bool:
        """Whether several configurations all gave the same value."""
        values = {trial.metrics.get(METRICS[self.metric].key) for trial in self.ranked}
        if len(values) != 1:
            return False
        return len({tuple(sorted(trial.swept.items())) for trial in self.ranked}) > _FEW_TRIED


def load_sweep(folder: Path, importances: Mapping[str, float] | None = None) -> SweepOutcome:
    """Read a sweep's folder. Raises ConfigError if it is not one."""
    if not holds_record(folder):
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a sweep")
    record = load_record(folder)
    if record.kind != "sweep":
        raise ConfigError(f"{folder}: is a {record.kind} run; name the folder of a sweep")
    paths = [folder / str(number) for number in trial_numbers(folder)]
    with _without_collector():
        trials = [load_record(path) for path in paths if holds_record(path)]
    return SweepOutcome(record, trials, load_winner(folder), importances or {})


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python's collector of cycles rests. It would walk the records of thousands of trials again
    and again while they are read, which hold none.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sentences(sweep: SweepOutcome, code: Callable[[str], str] = str) -> list[str]:
    """What came of a sweep, each as `Topic: what is to say.`

    Args:
        sweep: The outcome.
        code: Marks up drawn values, as for Markdown.
    """
    if sweep.is_apart:
        lines = apart_lines(sweep.finished, sweep.boards)
        lines += [] if sweep.winner else [NO_WINNER]
        return [*lines, *_end_lines(sweep, code)]
    best = sweep.best
    if best is None:
        whole = "No trial of the space has finished." if sweep.lines else "No trial has finished."
        return [whole, *_end_lines(sweep, code)]
    lines = [
        f"Best: trial {best.record.trial_number}, {METRICS[sweep.metric].label} "
        f"{_with_interval(best, sweep.metric)}, with {described(best.record, code)}."
    ]
    lines += _repeat_lines(sweep, best)
    lines += _gain_lines(sweep, code)
    if sweep.board is not None and sweep.board.disagreement is not None:
        lines.append(sweep.board.disagreement.sentence())
    if not sweep.keeps_limits(best):
        lines.append("Constraints: no trial keeps them; this one is the best anyway.")
    lines += _test_lines(sweep)
    lines += _front_lines(sweep, code)
    shares = list(sweep.importances.items())[:_MOST_IMPORTANT]
    named = [f"{code(name)} {share:.0%}" for name, share in shares if share >= _LEAST_SHARE]
    if named:
        lines.append(f"What mattered (PED-ANOVA): {', '.join(named)}.")
    lines += [f"{one.code}: {_marked(one.text, code)}." for one in sweep.findings]
    if sweep.is_flat:
        lines.append("All trials have the same objective: nothing that was swept matters to it.")
    return lines + _end_lines(sweep, code)


def _end_lines(sweep: SweepOutcome, code: Callable[[str], str]) -> list[str]:
    """Which trials did not come to their end, and why."""
    why = sweep.record.why_ended
    ended = [f"Ended: {why}"] if why else []
    return [*halving_lines(sweep.trials), *ended, *_failure_lines(sweep, code)]


def _repeat_lines(sweep: SweepOutcome, best: Line) -> list[str]:
    """Of a search that judges by several seeds: how far they lie apart for the best."""
    means, n = best.record.repeat_means(sweep.metric), best.record.n_repeats
    if n < 2:
        return []
    return [
        f"Repeats: every figure is the mean over {n} seeds; single seeds of the best give "
        f"{format_interval(means.min(), means.max())}. The winner is fitted with the first seed, "
        "and the test rows are the same for all."
    ]


def _gain_lines(sweep: SweepOutcome, code: Callable[[str], str]) -> list[str]:
    """The best against the model's defaults, on the same rows."""
    default, gain = sweep.defaults, sweep.gain
    if default is not None and default is sweep.best:
        stopped = " by what ran on all rows" if any(map(is_stopped, sweep.trials)) else ""
        return [f"The defaults were not beaten{stopped}."]
    if default is None or gain is None:
        return []
    theirs = format_number(default.mean)
    is_rival = sweep.keeps_limits(default) and not default.record.outside
    verb = "better than" if is_rival else "against"
    against = f"{format_change(gain.mean)} {verb} the defaults ({theirs})"
    if default.record.outside:
        against += f", which lie outside the space ({code(default.record.outside)}) and cannot win"
    elif not sweep.keeps_limits(default):
        against += ", which break the constraints"
    # The best was chosen for being the best: whether another one is better at all is asked of all
    # of them together.
    p_value = max(gain.p_value, default.p_value)
    verdict = "more than the rows' noise" if p_value < ALPHA else "within the rows' noise"
    return [
        f"Gain: {against}, 95 % interval {format_interval(gain.low, gain.high, format_change)}, "
        f"p {format_p(p_value)}, corrected for the choice: {verdict}. It is the best of "
        f"{sweep.n_tried} tries, so the gain is likely too high."
    ]


def _failure_lines(sweep: SweepOutcome, code: Callable[[str], str]) -> list[str]:
    """Which trials failed, by reason; those of the most frequent ones."""
    by_reason: dict[str, list[int]] = {}
    failed = [trial for trial in sweep.trials if trial.status == "FAILED"]
    for trial in failed:
        by_reason.setdefault(trial.error or "unknown", []).append(trial.trial_number or 0)
    if not failed:
        return []
    lines = [f"Failed: {len(failed)} of {len(sweep.trials)} trials."]
    most_first = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    for reason, numbers in most_first[:_MOST_REASONS]:
        named = ", ".join(map(str, numbers[:_MOST_NUMBERS]))
        if len(numbers) > _MOST_NUMBERS:
            named += f" and {len(numbers) - _MOST_NUMBERS} more"
        noun = "trial" if len(numbers) == 1 else "trials"
        lines.append(f"  {noun} {named}: {code(reason[:_LONGEST_REASON])}")
    if len(by_reason) > _MOST_REASONS:
        lines.append(f"  and {plural(len(by_reason) - _MOST_REASONS, 'other reason')}")
    return lines


def _test_lines(sweep: SweepOutcome) -> list[str]:
    estimate = sweep.winner.test_estimate(sweep.metric) if sweep.winner is not None else None
    if estimate is None:
        return []
    interval = METRICS[sweep.metric].interval(estimate.mean, estimate.low, estimate.high)
    return [
        f"Test rows, kept out of the whole search: {format_number(estimate.mean)} "
        f"(95 % interval {interval})."
    ]


def _front_lines(sweep: SweepOutcome, code: Callable[[str], str]) -> list[str]:
    front = sweep.front
    if not front:
        return []
    lines = [f"Pareto front: {len(front)} trials, none of which another beats in everything."]
    objectives = [OBJECTIVES[name] for name in sweep.objectives.metrics]
    for trial in front[:_MOST_ON_FRONT]:
        values = zip(objectives, sweep.objectives.values(trial.metrics), strict=True)
        shown = ", ".join(f"{one.label} {format_number(value)}" for one, value in values)
        lines.append(f"  trial {trial.trial_number}: {shown}; {described(trial, code)}")
    if len(front) > _MOST_ON_FRONT:
        lines.append(f"  and {len(front) - _MOST_ON_FRONT} more")
    return lines


def _range_of(parameter: Mapping[str, Any], drawn: Mapping[str, str]) -> Range | None:
    """The numbers of a parameter that applies to what was drawn; None if it has no ends, or is a
    list of so few numbers that the best is often the first or last.
    """
    from student_perf.evaluation.registry import Range

    if not all(drawn.get(k) in [str(v) for v in wanted] for k, wanted in parameter.get("when", [])):
        return None
    if "low" in parameter:
        return Range(parameter["low"], parameter["high"], parameter.get("log", False))
    choices = parameter.get("choices", [])
    are_numbers = all(type(value) in (int, float) for value in choices)
    return Range(min(choices), max(choices)) if are_numbers and len(choices) >= _FEW_ENDS else None


def _marked(text: str, code: Callable[[str], str]) -> str:
    """The text of a check with its `key=value` marked up."""
    pair, colon, rest = text.partition(": ")
    return f"{code(pair)}{colon}{rest}"


def _with_interval(line: Line, metric: str) -> str:
    """`0.512 (95 % interval 0.490 to 0.534)`; the mean alone if there is no interval."""
    mean = format_number(line.mean)
    if math.isnan(line.low):
        return mean
    return f"{mean} (95 % interval {METRICS[metric].interval(line.mean, line.low, line.high)})"


def described(record: RunRecord, code: Callable[[str], str] = str) -> str:
    """`model.C=0.03434, model.class_weight=None`."""
    pairs = (code(f"{key}={short_value(value)}") for key, value in record.swept.items())
    return ", ".join(pairs) or "the defaults"
