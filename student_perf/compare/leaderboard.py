"""From records to leaderboards: who is best, who is tied with it, which one to take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from student_perf.compare.comparable import REPEATS, Key, answered_rows, merged, ranking_key
from student_perf.compare.disagreement import Disagreement, disagreement
from student_perf.compare.distinct import distinct, n_distinct, times_mark
from student_perf.compare.pairs import by_same_units, over_dummy
from student_perf.errors import ConfigError, TrackingError, suggest
from student_perf.models.libraries import MANY_TREES
from student_perf.runs.layout import PREDICTIONS_FILE, holds_record
from student_perf.runs.looks import count_tries
from student_perf.runs.record import RunRecord
from student_perf.scoring.best import may_be_best
from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import METRICS, Metric
from student_perf.scoring.paired import (
    ALPHA,
    Differences,
    PairedDifference,
    against_best,
    by_folds,
    by_rows,
)
from student_perf.store.client import REPLACED
from student_perf.store.reader import fetch_file
from student_perf.text import folds, format_change, format_interval, format_number, format_short

# From the simplest to explain and keep to the least; within a family time decides.
FAMILIES: tuple[tuple[str, frozenset[str]], ...] = (
    ("a fixed rule", frozenset({"dummy", "previous_grade"})),
    ("linear", frozenset({"logreg", "ridge", "elastic_net", "ordinal_logit", "naive_bayes"})),
    ("a single tree", frozenset({"tree"})),
    ("a curve for each column", frozenset({"ebm"})),
    ("neighbours or a kernel", frozenset({"knn", "svm", "gp"})),
    ("many trees", MANY_TREES),
    ("a network", frozenset({"mlp", "realmlp", "tabicl"})),
    (
        "a model around models",
        frozenset({"ordinal", "calibrated", "voting", "stacking", "resampled", "auto"}),
    ),
)
REFITTED = ("final", "kept", REPLACED)  # kinds that repeat a trial of their sweep
_SAME_TIME = 2.0  # fits that take less than twice the time count as equally fast
_ROPE = 0.01
_SURELY = 0.95  # few rows leave the test little power; the posterior may still be sure
MOST_BY_ROWS = 200  # of the best: reading predictions takes a millisecond a run


@dataclass(frozen=True, eq=False)
class Line:
    """One candidate. Gaps are its mean minus the other's; `p_value` is that of being the best, NaN
    if nothing can be tested; `worse`, `equivalent` and `better` are probabilities against the best;
    `by_rows` says whether rows were paired, not folds; `times` counts the exact repeats that the
    record stands for, itself among them.
    """

    record: RunRecord
    label: str
    scores: np.ndarray
    mean: float
    std: float
    low: float
    high: float
    to_dummy: float
    to_best: float
    to_best_low: float
    to_best_high: float
    p_value: float
    worse: float
    equivalent: float
    better: float
    seconds: float
    by_rows: bool = False
    times: int = 1

    @property
    def repeats_mark(self) -> str:
        """`x3` if the line stands for three exact repeats; empty for a single run."""
        return times_mark(self.times)

    @property
    def name(self) -> str:
        """Its label, and how many exact repeats it stands for."""
        return f"{self.label} {self.repeats_mark}" if self.repeats_mark else self.label

    @property
    def tied(self) -> bool:
        """Whether it may be as good as the best."""
        return self.p_value > ALPHA

    @property
    def family(self) -> int:
        """Place of its model in `FAMILIES`; unknown ones come after all."""
        families = (i for i, (_, names) in enumerate(FAMILIES) if self.record.model in names)
        return next(families, len(FAMILIES))

    @property
    def family_name(self) -> str:
        """What kind of model it is."""
        return FAMILIES[self.family][0] if self.family < len(FAMILIES) else "of its own kind"


@dataclass(frozen=True)
class Leaderboard:
    """Candidates that share data and folds, best first; `left_out` says which runs are not among
    them and why, `n_looked_at` how many were tried, `n_tries` how many configurations are known to
    have been tried on the same data, by other folds or metrics too, `over_dummy` what the best
    gains over the dummy baseline on the same rows.
    """

    metric: str
    lines: list[Line]
    dataset: str
    data_sha256: str
    split: str
    split_sha256: str
    n_folds: int
    dummy: float
    rope: float
    n_looked_at: int
    left_out: dict[str, int]
    recommended: Line | None
    over_dummy: PairedDifference[float] | None = None
    n_tries: int = 1

    @property
    def n_repeats(self) -> int:
        """How many seeds the figures are means of."""
        return self.lines[0].record.n_repeats if self.lines else 1

    @cached_property
    def disagreement(self) -> Disagreement | None:
        """How much the answers depend on which tied run is taken, the recommended one first; None
        if it is not known, or nothing is tied.
        """
        tied = [line for line in self.lines if line.tied]
        can_win = [line for line in tied if not line.record.outside]
        can_win.sort(key=lambda line: line is not self.recommended)
        return disagreement([line.record for line in can_win], len(tied))

    @property
    def folds(self) -> str:
        """`5 folds`, `3 repeats of 5 folds`, `1 validation part`."""
        return folds(self.n_folds, self.n_repeats)


def make_leaderboards(
    records: Sequence[RunRecord],
    metric: str | None = None,
    rope: float | None = None,
    store: str = "",
    ranked: bool = False,
) -> list[Leaderboard]:
    """One leaderboard for each set of runs that share data, classes and folds, the largest first.

    Trials of a sweep that repeat a configuration with other seeds become one line, their mean; a
    sweep over several objectives has a leaderboard for each. `metric` is by default the objective
    of a set's latest run. Fold scores that a record lacks are computed from its predictions,
    which may lie in `store`. `rope` is half the width of the
    region of practical equivalence, by default 0.01, or 1 % of the best mean for metrics without
    an upper bound. `ranked` keeps the order of `records`; by default the mean decides, and
    references, which lie outside the space of their sweep, come after the others.

    Raises:
        ConfigError: No run can be scored by the metric.
    """
    apart = set() if metric else _studies_of_several_objectives(records)
    groups: dict[Key, list[RunRecord]] = {}
    for record in merged(_without_first_repeats(records)):
        if record.kind != "sweep" and all(record.rows):
            key = ranking_key(record) if record.study in apart else answered_rows(record)
            groups.setdefault(key, []).append(record)
    boards = [_leaderboard(group, metric, rope, store, ranked) for group in groups.values()]
    filled = [board for board in boards if board.lines]
    if not filled:
        raise ConfigError(_why_none(records, metric, store))
    return sorted(filled, key=lambda board: -len(board.lines))


def _without_first_repeats(records: Sequence[RunRecord]) -> list[RunRecord]:
    """The records without kept models whose trial is among them and was judged by several seeds:
    such a model has only the first seed's folds.
    """
    trials = {(r.study, r.trial_number): r.rows for r in records if r.kind == "trial"}
    return [
        record
        for record in records
        if record.kind not in REFITTED
        or trials.get((record.study, record.trial_number), record.rows) == record.rows
    ]


def _studies_of_several_objectives(records: Sequence[RunRecord]) -> set[str | None]:
    pairs = {(r.study, r.objective) for r in records if r.kind == "trial"}
    times = Counter(study for study, _ in pairs)
    return {study for study, n in times.items() if n > 1}


def recommend(lines: Sequence[Line], metric: str) -> Line | None:
    """The simplest of those tied with the best and not worse by more than the region of practical
    equivalence with probability 0.95: of the first family among them those that take less than
    twice the time of its fastest, and of these the one with the best mean. A reference, which lies
    outside its sweep's space, is not recommended.
    """
    tied = [line for line in lines if line.tied and line.worse < _SURELY]
    tied = [line for line in tied if not line.record.outside]
    if not tied:
        return None
    simplest = min(line.family for line in tied)
    family = [line for line in tied if line.family == simplest]
    fastest = min((line.seconds for line in family), default=0.0)
    quick = [line for line in family if not line.seconds > _SAME_TIME * fastest]
    return max(quick or family, key=lambda line: METRICS[metric].sign * line.mean)


def recommendation(board: Leaderboard) -> str:
    """One sentence: which model to take, by which numbers."""
    chosen, best, label = board.recommended, board.lines[0], METRICS[board.metric].label
    if len(board.lines) == 1 and not best.record.outside:
        return (
            f"{best.label}: {label} {format_number(best.mean)} in {_seconds(best)}; the only one, "
            "so nothing is ranked."
        )
    if chosen is None:
        return (
            f"Best: {best.label}, {label} {format_number(best.mean)}. A single validation part "
            "without its predictions does not show which differences are real."
        )
    n_tied = sum(line.tied for line in board.lines)
    model = f"{chosen.label} ({chosen.family_name}), {label} {format_number(chosen.mean)}"
    if n_tied == 1:
        return f"Recommended: {model}, better than each of the others ({_seconds(chosen)})."
    if chosen is best:
        return (
            f"Recommended: {model} in {_seconds(chosen)}: the best and simplest of {n_tied} tied."
        )
    interval = format_interval(chosen.to_best_low, chosen.to_best_high, format_change)
    theirs = f"{best.label} ({format_number(best.mean)} in {_seconds(best)})"
    if chosen.family == best.family and chosen.seconds < best.seconds:
        why = f"of {n_tied} tied, as simple as the best and faster; the best is {theirs}"
    else:
        why = f"the simplest of {n_tied} tied with the best, {theirs}"
    return (
        f"Recommended: {model} in {_seconds(chosen)}: {why}; difference {chosen.to_best:+.3f}, "
        f"95 % interval {interval}, p = {chosen.p_value:.2f}; worse by more than {board.rope:.2g} "
        f"with probability {chosen.worse:.2f}."
    )


def _seconds(line: Line) -> str:
    return "unknown time" if math.isnan(line.seconds) else f"{format_short(line.seconds)} s"


def _leaderboard(
    group: list[RunRecord], metric: str | None, rope: float | None, store: str, ranked: bool
) -> Leaderboard:
    metric = metric or max(group, key=lambda one: one.started).objective
    _check_metric(metric)
    every, left_out = _candidates(group)
    counted = distinct(every, ranked)
    candidates = [record for record, _ in counted]
    scored = {i: _fold_scores(record, metric, store) for i, record in enumerate(candidates)}
    n_folds = max((len(values) for values in scored.values()), default=0)
    usable = [i for i, v in scored.items() if len(v) == n_folds > 0 and np.isfinite(v).all()]
    missed = Counter(_why_left_out(metric, scored[i], n_folds) for i in scored.keys() - set(usable))
    left_out |= missed
    if not ranked:
        usable.sort(key=lambda i: _place(candidates[i], METRICS[metric].sign * scored[i].mean()))
    first, dummy = group[0], _dummy(group, metric)
    table = np.array([scored[i] for i in usable])
    rope = _rope(METRICS[metric], table) if rope is None else rope
    lines = [
        line if counted[i][1] == 1 else replace(line, times=counted[i][1])
        for i, line in zip(
            usable,
            _lines([candidates[i] for i in usable], table, METRICS[metric], rope, dummy, store),
            strict=True,
        )
    ]
    n_looked_at = n_distinct([r for r in group if r.kind not in REFITTED]) or n_distinct(group)
    return Leaderboard(
        metric=metric,
        lines=lines,
        dataset=first.dataset,
        data_sha256=first.data_sha256,
        split=first.split_kind,
        split_sha256=first.split_sha256,
        n_folds=n_folds,
        dummy=dummy,
        rope=rope,
        n_looked_at=n_looked_at,
        n_tries=max(n_looked_at, count_tries(lines[0].record if lines else first)),
        left_out=left_out,
        recommended=recommend(lines, metric),
        over_dummy=over_dummy(lines[0].record, metric, dummy) if lines else None,
    )


def _rope(metric: Metric, table: np.ndarray) -> float:
    """0.01, or that share of the best mean without an upper bound; fold scores are (M, J)."""
    is_bounded = math.isfinite(metric.highest) or not len(table)
    return _ROPE * (1.0 if is_bounded else abs(float(table[0].mean())))


def _candidates(group: list[RunRecord]) -> tuple[list[RunRecord], dict[str, int]]:
    """Finished runs, each configuration once: a kept model of a sweep repeats one of its trials."""
    trials = {(r.study, r.trial_number) for r in group if r.kind == "trial"}
    kept, left_out = [], Counter[str]()
    for record in group:
        if record.kind in REFITTED and (record.study, record.trial_number) in trials:
            continue
        if record.status == "FINISHED":
            kept.append(record)
        else:
            left_out[record.status.lower()] += 1
    return kept, dict(left_out)


def _fold_scores(record: RunRecord, metric: str, store: str) -> np.ndarray:
    """Recorded fold scores, or those of the stored predictions; empty if there are neither."""
    recorded = record.fold_scores(metric)
    if len(recorded) or record.task != METRICS[metric].task:
        return recorded
    try:
        path = fetch_file(record, store or record.tracking_uri, PREDICTIONS_FILE)
    except TrackingError:
        return np.empty(0)
    from student_perf.runs.predictions import fold_scores, load_predictions

    return fold_scores(load_predictions(path), metric)


def _row_scores(record: RunRecord, metric: str, store: str) -> RowScores | None:
    """The metric by row; of a run that is not on this machine by the predictions in its store."""
    known = record.row_scores(metric)
    if known is not None or holds_record(record.folder):
        return known
    try:
        path = fetch_file(record, store or record.tracking_uri, PREDICTIONS_FILE)
    except TrackingError:
        return None
    return replace(record, folder=path.parent).row_scores(metric)


def _lines(
    records: list[RunRecord],
    table: np.ndarray,
    metric: Metric,
    rope: float,
    dummy: float,
    store: str,
) -> list[Line]:
    if not records:
        return []
    first = records[:MOST_BY_ROWS]
    by_row = [_row_scores(record, metric.name, store) for record in first]
    alike = by_same_units(first, by_row, metric.name)
    without: list[RowScores | None] = [None] * (len(records) - len(first))
    differences, paired = _differences(table, [*alike, *without], records[0].test_over_train)
    by_row += without
    posterior, tests = differences.posterior(rope), differences.tested()
    p_values = _p_values(differences, alike, paired, metric)
    shares = [posterior.below, posterior.inside, posterior.above]
    worse, equivalent, better = shares[:: metric.sign]
    return [
        Line(
            record=record,
            label=label,
            scores=table[i],
            **vars(record.estimate(metric.name, table[i], by_row[i])),
            to_dummy=float(table[i].mean()) - dummy,
            to_best=float(tests.mean[i]),
            to_best_low=float(tests.low[i]),
            to_best_high=float(tests.high[i]),
            p_value=float(p_values[i]),
            worse=float(worse[i]),
            equivalent=float(equivalent[i]),
            better=float(better[i]),
            seconds=record.number("fit_seconds"),
            by_rows=i in paired,
        )
        for i, (record, label) in enumerate(zip(records, _labels(records), strict=True))
    ]


def _differences(
    table: np.ndarray, by_row: list[RowScores | None], ratio: float
) -> tuple[Differences, set[int]]:
    """Each candidate against the first: by their rows where both have them, else by their folds,
    (M, J); and which are by rows. A single fold without rows tests nothing.
    """
    n_candidates, n_folds = table.shape
    if n_folds < 2:
        unknown = np.full(n_candidates, np.nan)
        differences = Differences((table - table[0]).mean(axis=1), unknown, unknown)
    else:
        differences = by_folds(table, table[0], ratio)
    best = by_row[0]
    if best is None:
        return differences, set()
    known = {
        i: one
        for i, one in enumerate(by_row)
        if one is not None and np.array_equal(one.unit, best.unit)
    }
    return differences.replaced(list(known), by_rows(list(known.values()), best)), set(known)


def _p_values(
    differences: Differences, by_row: list[RowScores | None], paired: set[int], metric: Metric
) -> np.ndarray:
    """Whether each may be the best: by the rows of all that have them, else against the first by
    folds.
    """
    p_values = against_best(differences, 0)
    places = sorted(paired)
    known = [one for i in places if (one := by_row[i]) is not None]
    if len(known) > 1:
        p_values[places] = may_be_best(known, metric.sign)
        p_values[0] = 1.0  # a reference may be better, but cannot win
    return p_values


def _dummy(group: list[RunRecord], metric: str) -> float:
    """The baseline's mean from any run of the group: on the same folds it is the same for all."""
    known = (record.dummy(metric) for record in group)
    return next((value for value in known if not math.isnan(value)), math.nan)


def _labels(records: list[RunRecord]) -> list[str]:
    """Short names that tell the candidates apart: of two sweeps both may have a trial `xgb-0`."""
    short = [_label(record) for record in records]
    times = Counter(short)
    more = [(r.study or r.mlflow_run_id or r.folder.name)[-8:] for r in records]
    return [
        name if times[name] == 1 else f"{name} {other}"
        for name, other in zip(short, more, strict=True)
    ]


def _label(record: RunRecord) -> str:
    if record.kind in ("trial", REPEATS):
        return f"{record.name} reference" if record.outside else record.name
    return f"{record.model} {record.name[-8:]}"


def _place(record: RunRecord, worth: float) -> tuple[bool, float, int]:
    """By which runs are sorted: references last, then the best; of equal trials the earlier number,
    as in the sweep itself, though a trial that was run again has started later.
    """
    return bool(record.outside), -worth, record.trial_number or 0


def _check_metric(metric: str) -> None:
    if metric not in METRICS:
        raise ConfigError(f"--metric {metric}: no such metric; {suggest(metric, METRICS)}")


def _why_left_out(metric: str, scores: np.ndarray, n_folds: int) -> str:
    where = _undefined_folds(scores) if len(scores) == n_folds else ""
    return f"{metric} is undefined in {where}" if where else f"{metric} is not known on every fold"


def _undefined_folds(scores: np.ndarray) -> str:
    """`fold 3`, or `folds 1, 3`; empty if a score of each is known."""
    numbers = [str(i + 1) for i in np.flatnonzero(~np.isfinite(scores))]
    return f"fold{'s' if len(numbers) > 1 else ''} {', '.join(numbers)}" if numbers else ""


def _why_none(records: Sequence[RunRecord], metric: str | None, store: str) -> str:
    known = [record for record in records if all(record.rows)]
    if not known:
        return (
            f"compare: none of the {len(records)} runs says which data and folds it had "
            "(their SHA-256), so none can be compared"
        )
    finished = [r for r in known if r.status == "FINISHED" and r.kind != "sweep"]
    if not finished:
        return f"compare: none of the {len(records)} runs is finished"
    for record in finished:
        name = metric or record.objective
        if where := _undefined_folds(_fold_scores(record, name, store)):
            return (
                f"--metric {name}: is undefined in {where} of {record.name}, whose validation rows "
                "lack a class or are all alike; choose a metric that every fold defines"
            )
    tasks = sorted({r.task or "?" for r in known})
    return (
        f"--metric {metric or 'by default'}: none of the {len(finished)} finished runs "
        f"({', '.join(tasks)}) has it, and none has predictions that it could be computed from"
    )
