"""The page of studies/field.py, from its results alone."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import rankdata, t

from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, row_difference
from student_perf.text import markdown_table
from studies.field_results import (
    METHODS,
    OURS,
    RIVALS,
    Fit,
    Setting,
    Truth,
    fit_file,
    folder_of,
    read_fit,
    read_truth,
    truth_file,
)
from studies.small_tables import FIELD, SmallTable

SUMMARY = ("method", "mean rank", "behind auto, 95 %", "normalised", "auto wins / ties / losses",
           "no answer", "fit, s", "predict, s")  # fmt: skip
MOST_FOLDS = 100
WHY = {  # what is known of a table on which auto loses to some method
    "fertil2 (children, 3 bands)": "the age at the first birth is missing where there is no child; "
    "the default preprocessing fills it with the median, AutoGluon does not. A run says so (SP404) "
    "and names the line to type, which was left out here.",
}


@dataclass(frozen=True)
class Scored:
    """What the methods reached on a table, over the folds that all of them have finished.

    Attributes:
        table: The table.
        n_folds: How many these are.
        setting: What each method might use.
        scores: Loss by row.
        dummy: The dummy's loss.
        fit: Mean seconds of a fit.
        predict: Mean seconds of answering the rows of a fold; NaN for a method without an answer.
        errors: Why there is no answer, for each fold without one.
        software: Name and version of what has answered.
    """

    table: SmallTable
    n_folds: int
    setting: Setting
    scores: dict[str, RowScores]
    dummy: float
    fit: dict[str, float]
    predict: dict[str, float]
    errors: dict[str, list[str]]
    software: frozenset[str]

    @property
    def ranks(self) -> dict[str, float]:
        """1 is the lowest loss."""
        return dict(zip(self.scores, rankdata([s.mean for s in self.scores.values()]), strict=True))

    def normalised(self, method: str) -> float:
        """1 for the best of the methods, 0 for one that the dummy equals or beats."""
        best = min(one.mean for one in self.scores.values())
        gain = self.dummy - self.scores[method].mean
        return gain / (self.dummy - best) if gain > 0 else 0.0


def scored_tables(place: Path) -> list[Scored]:
    """The tables that have a fold which all methods have finished; the methods are those that have
    a result at all. Raises ValueError for results of several settings.
    """
    methods = [m for m in METHODS if any(_finished(place, table, [m]) for table in FIELD)]
    numbers = {table: _finished(place, table, methods) for table in FIELD} if methods else {}
    found = [_scored(place, table, methods, n) for table, n in numbers.items() if n]
    if len(settings := {one.setting for one in found}) > 1:
        raise ValueError(f"{place}: holds results of several settings: {settings}")
    return found


def _finished(place: Path, table: SmallTable, methods: Sequence[str]) -> list[int]:
    """The folds that these methods have finished and whose true values are there."""
    if not folder_of(place, table).is_dir():
        return []
    return [
        number
        for number in range(MOST_FOLDS)
        if truth_file(place, table, number).is_file()
        and all(fit_file(place, table, number, method).is_file() for method in methods)
    ]


def _scored(
    place: Path, table: SmallTable, methods: Sequence[str], numbers: Sequence[int]
) -> Scored:
    truths = [read_truth(truth_file(place, table, number)) for number in numbers]
    fits = {m: [read_fit(fit_file(place, table, n, m)) for n in numbers] for m in methods}
    every = [fit for of_method in fits.values() for fit in of_method]
    if len(settings := {fit.setting for fit in every}) > 1:
        raise ValueError(f"{table.name}: has results of several settings: {settings}")
    scores = {m: _score(table, truths, [fit.output for fit in fits[m]]) for m in methods}
    return Scored(
        table,
        len(numbers),
        every[0].setting,
        scores,
        _score(table, truths, [truth.of_dummy for truth in truths]).mean,
        {m: float(np.mean([fit.seconds[0] for fit in fits[m]])) for m in methods},
        {m: _mean_of_known(fits[m]) for m in methods},
        {m: [fit.error for fit in fits[m] if fit.error] for m in methods},
        frozenset(fit.software for fit in every if fit.software),
    )


def _mean_of_known(fits: Sequence[Fit]) -> float:
    known = [fit.seconds[1] for fit in fits if np.isfinite(fit.seconds[1])]
    return float(np.mean(known or [np.nan]))


def _score(table: SmallTable, truths: Sequence[Truth], outputs: Sequence[np.ndarray]) -> RowScores:
    """Log loss, or RMSE: the mean over the folds, and how far each row moves it."""
    metric = METRICS["root_mean_squared_error" if table.kind == "numbers" else "log_loss"]
    parts = [Answers(t.target, output) for t, output in zip(truths, outputs, strict=True)]
    together = Answers(np.concatenate([t.target for t in truths]), np.concatenate(outputs))
    row = np.concatenate([truth.row for truth in truths])
    fold = np.repeat(np.arange(len(truths)), [len(truth.row) for truth in truths])
    return row_scores(metric, together, row, fold, float(np.mean([metric.of(p) for p in parts])))


def page(tables: Sequence[Scored]) -> str:
    """The Markdown page."""
    methods = list(tables[0].scores)
    by_table = [[one.table.name, *(_cell(one, method) for method in methods)] for one in tables]
    others = [method for method in methods if method != OURS]
    said = [f"- {_said_of(tables, method)}" for method in others]
    lost = {one.table.name for one in tables for method in others if _verdict(one, method) < 0}
    said += [f"- Why on {name}: {why}" for name, why in WHY.items() if name in lost]
    made_with = sorted(frozenset().union(*(one.software for one in tables)))
    return "\n".join(
        [
            "# Beside the field",
            "",
            _lines(_introduction(tables)),
            "",
            markdown_table(SUMMARY, [_line(tables, one) for one in methods], set(SUMMARY[1:])),
            "",
            *(_lines(line, "  ") for line in said),
            "",
            "By table; bold is the lowest loss, - significantly worse than auto, + better:",
            "",
            markdown_table(["table", *methods], by_table, set(methods)),
            "",
            _lines(f"Made with {', '.join(made_with)}."),
            "",
        ]
    )


def _lines(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 100, subsequent_indent=indent, break_on_hyphens=False)


def _introduction(tables: Sequence[Scored]) -> str:
    """What was done, and how to read it."""
    setting = tables[0].setting
    cores = "one core" if setting.cores == 1 else f"{setting.cores} cores"
    at_once = "" if setting.jobs == 1 else f", {setting.jobs} fits at a time"
    return (
        "Generated by `studies/field.py` from `studies/results/field`; no figure is typed by hand. "
        f"{len(tables)} of {len(FIELD)} real tables that had no part in choosing the portfolio; "
        f"{setting.seconds:g} seconds a fit on {cores} for every method{at_once}. "
        f"{_folds_said(tables)} Log loss for classes, RMSE for numbers. *Normalised* is 1 for the "
        "best method of a table and 0 for one that the dummy equals or beats. *Behind auto*: by "
        "how much the mean rank is higher, with Student's interval over the tables. Wins, ties and "
        "losses of `model=auto` follow from paired intervals on the same rows, as in `compare`: of "
        f"{len(tables)} tables of equal methods one or two come out apart. Times are means of a "
        "fit, and the median of answering the rows of a fold. A fold in which a method has no "
        "answer counts as that of the dummy."
    )


def _folds_said(tables: Sequence[Scored]) -> str:
    """How many folds count, by the number of tables."""
    counts = sorted({one.n_folds for one in tables}, reverse=True)
    parts = [f"{n} on {sum(one.n_folds == n for one in tables)}" for n in counts]
    return (
        f"Outer folds that all methods have finished: {', '.join(parts)} of these tables, out of "
        "five or, under 500 rows, twice five."
    )


def _line(tables: Sequence[Scored], method: str) -> list[object]:
    """What a method reached over all tables."""
    verdicts = [_verdict(one, method) for one in tables]
    won, lost = verdicts.count(1), verdicts.count(-1)
    answered = _answered(tables, method)
    return [
        method,
        f"{np.mean([one.ranks[method] for one in tables]):.2f}",
        "-" if method == OURS else _behind(tables, method),
        f"{np.mean([one.normalised(method) for one in tables]):.3f}",
        "-" if method == OURS else f"{won} / {len(tables) - won - lost} / {lost}",
        sum(len(one.errors[method]) for one in tables),
        f"{np.mean([one.fit[method] for one in tables]):.1f}",
        "-" if not answered else f"{np.median([one.predict[method] for one in answered]):.3f}",
    ]


def _behind(tables: Sequence[Scored], method: str) -> str:
    """By how much its mean rank is higher than that of auto, with an interval over the tables."""
    by_table = [one.ranks[method] - one.ranks[OURS] for one in tables]
    mean, n = float(np.mean(by_table)), len(tables)
    if n < 2:
        return f"{mean:+.2f}"
    half = float(t.ppf(0.975, n - 1)) * float(np.std(by_table, ddof=1)) / n**0.5
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def _said_of(tables: Sequence[Scored], method: str) -> str:
    """Where auto loses against a method, how long that takes to answer, and why it may not have."""
    lost = [one.table.name for one in tables if _verdict(one, method) < 0]
    said = f"`{OURS}` loses significantly against {method} on {', '.join(lost) or 'no table'}."
    if method not in RIVALS:
        return said
    if answered := _answered(tables, method):
        ratio = np.median([one.predict[method] / one.predict[OURS] for one in answered])
        said += f" {method} takes {ratio:.2g} times as long to answer (median over the tables)."
    if errors := sorted({error for one in tables for error in one.errors[method]}):
        said += f" Without an answer it said: {'; '.join(f'`{error}`' for error in errors)}."
    return said


def _answered(tables: Sequence[Scored], method: str) -> list[Scored]:
    """The tables of which a method has answered a fold."""
    return [one for one in tables if np.isfinite(one.predict[method])]


def _verdict(one: Scored, method: str) -> int:
    """1 if auto is better on the same rows beyond chance, -1 if it is worse, 0 for a tie."""
    change = row_difference(one.scores[OURS], one.scores[method])
    return int(-np.sign(change.mean)) if change.p_value < ALPHA else 0


def _cell(one: Scored, method: str) -> str:
    shown = f"{one.scores[method].mean:.4g}"
    if one.ranks[method] == min(one.ranks.values()):
        shown = f"**{shown}**"
    sign = {1: " -", -1: " +", 0: ""}[_verdict(one, method) if method != OURS else 0]
    return shown + sign
