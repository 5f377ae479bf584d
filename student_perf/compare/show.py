"""A leaderboard as people and programs read it: on the terminal, as CSV, JSON and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from student_perf.compare.comparable import REPEATS
from student_perf.compare.leaderboard import (
    MOST_BY_ROWS,
    REFITTED,
    Leaderboard,
    Line,
    recommendation,
)
from student_perf.evaluation.registry import Compared, Finding
from student_perf.evaluation.result_checks import look
from student_perf.runs.record import RunRecord, to_json
from student_perf.scoring.metrics import ABOUT_FEW, METRICS
from student_perf.scoring.paired import ALPHA, for_tries, times_of_tries
from student_perf.terminal import Terminal, words
from student_perf.text import (
    format_change,
    format_interval,
    format_number,
    format_p,
    format_probability,
    format_short,
    markdown_table,
    plural,
)

NOT_TUNED = "SP502"
_MOST_NAMED = 5  # runs in one line
FORMATS = ("csv", "json", "markdown")
_HEADINGS = ("mean", "std", "95 % interval", "-dummy", "-best", "p", "worse", "s")  # 80 columns
ABOUT_INTERVALS = (
    "The seeds share rows, so more of them narrow the interval only so far: a row counts once, "
    "however many seeds have answered it."
)
_COLUMNS = (*_HEADINGS[:3], "minus dummy", "minus best", "p (best)", "P(worse)", "seconds")


def show_boards(boards: Sequence[Leaderboard], top: int, terminal: Terminal) -> None:
    """Print every leaderboard with the sentences about it; several of them with the reason."""
    for number, board in enumerate(boards):
        terminal.heading(heading(board))
        terminal.lines(*about(board, boards[0] if number else None), "")
        _show_table(board, top, terminal)
        terminal.lines("", *closing(board, top, mark=" (=)"), "")


def heading(board: Leaderboard) -> str:
    """What is compared, in one line."""
    what = "configuration" if board.lines[0].record.kind == REPEATS else "run"
    return (
        f"{plural(len(board.lines), what)} on {board.dataset}, {METRICS[board.metric].label}, "
        f"{board.split}, {board.folds}"
    )


def closing(board: Leaderboard, top: int, mark: str = "") -> list[str]:
    """Sentences below the table: what was left out, which runs are tied, which to take, what to
    doubt. `mark` is what the table shows beside a tied run.
    """
    lines = []
    if len(board.lines) > top:
        lines.append(f"and {len(board.lines) - top} more; --top {len(board.lines)} shows all.")
    few = METRICS[board.metric].rests_on_few
    if any(few(line.mean, line.low, line.high) for line in board.lines[:top]):
        lines.append(ABOUT_FEW)
    if board.left_out:
        reasons = ", ".join(f"{n} {why}" for why, n in board.left_out.items())
        lines.append(f"Not compared: {reasons}.")
    lines += _objective_lines(board)
    if board.lines[0].record.kind == REPEATS:
        lines += repeat_lines(board, top)
    if not math.isnan(board.lines[0].p_value) and len(board.lines) > 1:
        lines += _tied_lines(board, mark)
    lines.append(recommendation(board))
    if board.disagreement is not None:
        lines.append(board.disagreement.sentence())
    if any(line.record.outside for line in board.lines):
        lines.append("A reference lies outside its sweep's space: it is compared and cannot win.")
    lines += _dummy_lines(board)
    lines += [f"{finding}." for finding in untuned(board)]
    if board.n_looked_at > 1 and len(board.lines) > 1:
        others = board.n_tries - board.n_looked_at
        more = f", and {others} more on these rows," if others else ""
        lines.append(
            f"Choosing the best of {board.n_looked_at} runs{more} by this figure makes the figure "
            "too good."
        )
    return lines


def _objective_lines(board: Leaderboard) -> list[str]:
    """Which runs were made for another metric than that of the board."""
    objectives = Counter(line.record.objective for line in board.lines)
    return [
        f"{plural(n, 'run')} had the objective {name}: --metric {name} ranks by it."
        for name, n in objectives.most_common()
        if name and name != board.metric
    ]


def _tied_lines(board: Leaderboard, mark: str) -> list[str]:
    """How many may be as good as the best, and by which test."""
    n_tied = sum(line.tied for line in board.lines)
    n_by_folds = sum(not line.by_rows for line in board.lines)
    by_folds = "their folds, corrected for shared training rows (Nadeau and Bengio)"
    pairs = "the rows that both have answered" if n_by_folds < len(board.lines) else by_folds
    lines = [
        f"{n_tied} of {len(board.lines)} may be the best{mark}: p, which pairs {pairs} and is "
        "corrected for all candidates, is above 0.05."
    ]
    if 0 < n_by_folds < len(board.lines):
        why = (
            "have no predictions here, declare other groups of rows than the best or come after "
            f"the best {MOST_BY_ROWS}"
        )
        lines.append(f"{n_by_folds} of them {why}: p pairs {by_folds}, and sees less.")
    return lines


def _dummy_lines(board: Leaderboard) -> list[str]:
    """Whether the best is not shown to be better than the dummy baseline, which an interval beside
    the baseline's figure would not say.
    """
    gain = board.over_dummy
    words = "The best is not shown to be better than the dummy baseline"
    if gain is not None:
        interval = format_interval(gain.low, gain.high, format_change)
        corrected = for_tries(gain.p_value, board.n_tries)
        is_shown = corrected < ALPHA and gain.mean > 0
        known = f"gain on the same rows {format_change(gain.mean)}, 95 % interval {interval}"
        tried = f"{board.n_tries} tried ({times_of_tries(board.n_tries)})"
        for_all = f", corrected for {tried}" if board.n_tries > 1 else ""
        return [] if is_shown else [f"{words}: {known}, p {format_p(corrected)}{for_all}."]
    if math.isnan(board.dummy):
        return []
    return [
        f"{words} ({format_number(board.dummy)}): their answers cannot be paired here. A run of "
        "its own says whether it is."
    ]


def repeat_lines(board: Leaderboard, top: int) -> list[str]:
    """How far the repeats of each configuration lie apart, and what the interval allows for."""
    return [*(repeat_line(line, board.metric) for line in board.lines[:top]), ABOUT_INTERVALS]


def repeat_line(line: Line, metric: str) -> str:
    """Mean, interval and spread of a configuration over its seeds."""
    means, interval = line.record.repeat_means(metric), ""
    if not math.isnan(line.low):
        interval = f" (95 % interval {METRICS[metric].interval(line.mean, line.low, line.high)})"
    spread = float(means.std(ddof=1)) if len(means) > 1 else math.nan
    return (
        f"{line.label} over {plural(len(means), 'seed')}: {METRICS[metric].label} "
        f"{format_number(line.mean)}{interval}; single seeds from "
        f"{format_interval(means.min(), means.max())}, standard deviation {format_number(spread)}."
    )


def about(board: Leaderboard, first: Leaderboard | None) -> list[str]:
    """Which rows the runs share, and what separates them from those of `first`."""
    dummy = "not recorded by these runs" if math.isnan(board.dummy) else format_number(board.dummy)
    lines = [
        f"data {board.data_sha256[:12]}, folds {board.split_sha256[:12]}, dummy baseline {dummy}"
    ]
    if first is not None:
        lines += [f"{finding}." for finding in unpaired(board, first)]
    return lines


def unpaired(board: Leaderboard, first: Leaderboard) -> list[Finding]:
    """What a check says of runs that cannot be paired with those of `first`, by whose levels."""
    pairs = {
        "data": (_data(first), _data(board)),
        "folds": (first.split_sha256, board.split_sha256),
        "metric": (first.metric, board.metric),
    }
    differ = [name for name, (theirs, ours) in pairs.items() if theirs != ours]
    return look(Compared(differ), first.lines[0].record.guards)


def untuned(board: Leaderboard) -> list[Finding]:
    """Runs with their model's defaults beside runs that a search has chosen: a line for all."""
    mine = [line for line in board.lines if NOT_TUNED in line.record.checks]
    searched = [line for line in board.lines if _is_searched(line.record)]
    if not mine or not searched:
        return []
    named = ", ".join(line.label for line in mine[:_MOST_NAMED])
    more = f" and {len(mine) - _MOST_NAMED} more" if len(mine) > _MOST_NAMED else ""
    models = dict.fromkeys(line.record.model for line in mine)
    text = (
        f"{named}{more} ran with defaults, {searched[0].label} was searched: the difference may be "
        f"the search; search {', '.join(f'-m search={model}' for model in models)} too"
    )
    return [Finding(NOT_TUNED, text)]


def findings(boards: Sequence[Leaderboard]) -> list[Finding]:
    """What the numbered checks say of a whole comparison."""
    apart = [one for board in boards[1:] for one in unpaired(board, boards[0])]
    return [*(one for board in boards for one in untuned(board)), *apart]


def has_error(boards: Sequence[Leaderboard]) -> bool:
    """Whether a finding is of level `error` by the best run's levels."""
    guards = boards[0].lines[0].record.guards
    return any(guards.level(one.code) == "error" for one in findings(boards))


def _is_searched(record: RunRecord) -> bool:
    """Whether a sweep varied values of its model, or chose it."""
    return record.kind in REFITTED or any(key.startswith("model.") for key in record.swept)


def _data(board: Leaderboard) -> tuple[object, ...]:
    return board.data_sha256, *(line.record.encoding for line in board.lines[:1])


def _show_table(board: Leaderboard, top: int, terminal: Terminal) -> None:
    shown = list(board.lines[:top])
    if board.recommended is not None and board.recommended not in shown:
        shown.append(board.recommended)
    marks = [">" if x is board.recommended else "=" if x.tied else "" for x in shown]
    terminal.table(
        [words(), words("run", 18), *_HEADINGS],
        [
            (mark, line.name, *_cells(line, board.metric))
            for mark, line in zip(marks, shown, strict=True)
        ],
        ["bold" if mark == ">" else "" for mark in marks],
        dense=True,
    )


def _cells(line: Line, metric: str) -> list[str]:
    return [
        format_number(line.mean),
        format_number(line.std),
        METRICS[metric].interval(line.mean, line.low, line.high),
        format_change(line.to_dummy),
        format_change(line.to_best),
        format_probability(line.p_value),
        format_probability(line.worse),
        format_short(line.seconds),
    ]


def rows(board: Leaderboard) -> list[dict[str, Any]]:
    """Every line with all its figures in full precision, for programs."""
    return [
        {
            "rank": rank,
            "run": line.label,
            "model": line.record.model or None,
            "mlflow_run_id": line.record.mlflow_run_id,
            "folder": str(line.record.folder),
            "metric": board.metric,
            "mean": line.mean,
            "std": line.std,
            "ci95_low": line.low,
            "ci95_high": line.high,
            "rests_on_few": METRICS[board.metric].rests_on_few(line.mean, line.low, line.high),
            "minus_dummy": line.to_dummy,
            "minus_best": line.to_best,
            "minus_best_ci95_low": line.to_best_low,
            "minus_best_ci95_high": line.to_best_high,
            "p_best": line.p_value,
            "tied": line.tied,
            "probability_worse": line.worse,
            "probability_equivalent": line.equivalent,
            "probability_better": line.better,
            "fit_seconds": line.seconds,
            "recommended": line is board.recommended,
            "times": line.times,
            "data_sha256": board.data_sha256,
            "split_sha256": board.split_sha256,
        }
        for rank, line in enumerate(board.lines, start=1)
    ]


def formatted(boards: Sequence[Leaderboard], kind: str, top: int) -> str:
    """All leaderboards as text of one of `FORMATS`; CSV and JSON hold every run."""
    if kind == "json":
        content = [_summary(board) | {"runs": rows(board)} for board in boards]
        found = [asdict(one) for one in findings(boards)]
        return to_json({"leaderboards": content, "findings": found})
    if kind == "csv":
        return _csv([row for board in boards for row in rows(board)])
    return "\n".join(_markdown(board, top) for board in boards)


def _summary(board: Leaderboard) -> dict[str, Any]:
    return {
        "metric": board.metric,
        "dataset": board.dataset,
        "data_sha256": board.data_sha256,
        "split_sha256": board.split_sha256,
        "n_folds": board.n_folds,
        "dummy": board.dummy,
        "rope": board.rope,
        "n_looked_at": board.n_looked_at,
        "left_out": board.left_out,
        "recommendation": recommendation(board),
        "disagreement": None if board.disagreement is None else asdict(board.disagreement),
    }


def _csv(table: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def _markdown(board: Leaderboard, top: int) -> str:
    body = [
        [line.name, *_cells(line, board.metric), "yes" if line.tied else "no"]
        for line in board.lines[:top]
    ]
    table = markdown_table(["run", *_COLUMNS, "tied"], body, figures=_COLUMNS)
    sentences = (f"- {line}" for line in closing(board, top))
    return "\n".join([f"### {heading(board)}", "", table, "", *sentences, ""])
