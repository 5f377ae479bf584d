"""What a report shows of one sweep: its best, its trials, its space and its failures."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from student_perf.compare.apart import deciding_keys, set_name
from student_perf.compare.leaderboard import Leaderboard, Line
from student_perf.compare.outcome import SweepOutcome, sentences
from student_perf.compare.show import closing
from student_perf.pages.section import (
    MOST_CONFIGS,
    Change,
    Picture,
    Row,
    Section,
    changed_keys,
    config_of,
    configs_json,
    data_facts,
    fold_pictures,
    origin_facts,
    picture,
    prediction_pictures,
)
from student_perf.plots.figures import figures_on
from student_perf.plots.study import (
    history_figure,
    make_dimension,
    parallel_figure,
    parameter_importance_figure,
    pareto_figure,
    slice_figure,
)
from student_perf.render import render
from student_perf.runs.layout import PAGE_FILE, PREDICTIONS_FILE
from student_perf.runs.predictions import Predictions, load_predictions
from student_perf.scoring.metrics import METRICS, OBJECTIVES
from student_perf.text import (
    NO_VALUE,
    format_interval,
    format_number,
    markdown_code,
    plural,
    short_value,
)

if TYPE_CHECKING:
    from student_perf.plots.style import Figure

_MOST_LINES = 20  # of a leaderboard and the pictures beside it
_MOST_DIMENSIONS = 8


def sweep_section(sweep: SweepOutcome) -> Section:
    """Everything the page shows of one sweep."""
    if sweep.is_apart:
        return _apart_section(sweep)
    shown = _shown(sweep)
    columns = list(dict.fromkeys(key for line in shown for key in line.record.swept))
    below = _below(sweep.board) if sweep.board else []
    if more := len(sweep.lines) - len(shown):
        below.insert(0, f"and {plural(more, 'more trial')}.")
    lead = [] if sweep.record.status == "FINISHED" else [_so_far(sweep)]
    return Section(
        name=sweep.record.name,
        metric=METRICS[sweep.metric],
        what="trial",
        lead=lead + sentences(sweep),
        rows=[_row(sweep, line, columns) for line in shown],
        columns=[key.removeprefix("model.") for key in columns],
        dummy=sweep.board.dummy if sweep.board else math.nan,
        below=below,
        pictures=list(_pictures(sweep, shown)),
        change=_change(sweep),
        configs=_configs(sweep),
        facts=_facts(sweep),
        commands=_commands(sweep),
        space=sweep.space,
        failures=_failures(sweep),
    )


def _apart_section(sweep: SweepOutcome) -> Section:
    """Configurations instead of trials, those that can be ranked together; no best is marked."""
    keys, rows = deciding_keys(sweep.boards), []
    for board in sweep.boards:
        several = len(board.lines) > 1  # else there is nothing to rank it against
        for rank, line in enumerate(board.lines[:_MOST_LINES], start=1):
            named = [set_name(board, keys)] if keys else []
            drawn = [*named, *_seeds_of(board, line)]
            rows.append(Row(rank if several else None, line.name, line, False, drawn))
    lead = [] if sweep.record.status == "FINISHED" else [_so_far(sweep)]
    return Section(
        name=sweep.record.name,
        metric=METRICS[sweep.metric],
        what="configuration",
        lead=lead + sentences(sweep),
        rows=rows,
        columns=[*(["compared within"] if keys else []), "seeds", "single seeds"],
        dummy=sweep.boards[0].dummy if len(sweep.boards) == 1 else math.nan,
        below=[],
        pictures=list(_apart_pictures(sweep)),
        change=None,
        configs=_configs(sweep),
        facts=_facts(sweep),
        commands=_commands(sweep),
        space=sweep.space,
        failures=_failures(sweep),
    )


def _seeds_of(board: Leaderboard, line: Line) -> tuple[str, str]:
    """How many seeds a line is the mean of, and the lowest and highest of their means."""
    means = line.record.repeat_means(board.metric)
    if len(means) < 2:
        return "1", NO_VALUE
    return str(len(means)), format_interval(means.min(), means.max())


def _apart_pictures(sweep: SweepOutcome) -> Iterator[Picture]:
    """Fold scores of the configurations in each set of several folds."""
    for board in sweep.boards[:_MOST_DIMENSIONS]:
        name = set_name(board, deciding_keys(sweep.boards))
        subtitle = f"{name or sweep.record.dataset}, {board.folds}"
        lines = board.lines[:_MOST_LINES]
        yield from fold_pictures(lines, [line.label for line in lines], board, subtitle)


def _below(board: Leaderboard) -> list[str]:
    """The sentences below the table, without the one that stands above it already."""
    said = board.disagreement.sentence() if board.disagreement else ""
    return [line for line in closing(board, len(board.lines)) if line != said]


def _so_far(sweep: SweepOutcome) -> str:
    return f"This sweep is {sweep.record.status}: the page shows the trials so far."


def markdown_note(sweep: SweepOutcome) -> str:
    """The outcome for MLflow's page, as a Markdown list."""
    return render(
        "sweep_note.md.j2",
        sentences=sentences(sweep, code=markdown_code),
        trials=_trials(sweep),
        winner=sweep.winner,
        page=PAGE_FILE,
    )


def _shown(sweep: SweepOutcome) -> list[Line]:
    """The best trials, and the defaults whatever their place."""
    shown = sweep.lines[:_MOST_LINES]
    also = [line for line in (sweep.best, sweep.defaults) if line and line not in shown]
    return shown + also


def _row(sweep: SweepOutcome, line: Line, columns: Sequence[str]) -> Row:
    values = line.record.swept
    rank = next(i for i, other in enumerate(sweep.lines, start=1) if other is line)
    marks = ["defaults"] if line.record.is_default else []
    marks += ["reference"] if line.record.outside else []
    marks += [line.repeats_mark] if line.repeats_mark else []
    label = str(line.record.trial_number) + (f" ({', '.join(marks)})" if marks else "")
    drawn = [short_value(values.get(key, "")) for key in columns]
    return Row(rank, label, line, line is sweep.best, drawn)


def _trials(sweep: SweepOutcome) -> str:
    """`14 finished, 2 failed`."""
    return ", ".join(f"{n} {state}" for state, n in sweep.states.items())


def _facts(sweep: SweepOutcome) -> dict[str, str]:
    """The data card, and where the sweep comes from."""
    only = sweep.boards[0] if len(sweep.boards) == 1 else None
    facts = data_facts(sweep.record, only.folds if only else "")
    about = {"sampler": sweep.record.sampler, "trials": _trials(sweep)}
    return facts | about | origin_facts(sweep.record)


def _pictures(sweep: SweepOutcome, shown: Sequence[Line]) -> Iterator[Picture]:
    """The pictures in the order of the page, without those that would show nothing."""
    if sweep.board is None or not sweep.lines:
        return
    trials = plural(len(sweep.lines), "finished trial")
    subtitle = f"{sweep.record.dataset}, n = {trials}, {sweep.board.folds}"
    best = list(shown[:_MOST_LINES])
    yield from fold_pictures(best, _names(best), sweep.board, subtitle)
    yield from map(picture, _figures(sweep, sweep.board.dummy, subtitle))
    yield from _predictions(sweep)
    yield from _winner_pictures(sweep)


def _figures(sweep: SweepOutcome, dummy: float, subtitle: str) -> Iterator[Figure]:
    """The history, the front, the importances, and all parameters with at least two values."""
    trials = sorted(sweep.lines, key=lambda line: line.record.trial_number or 0)
    values, metric = np.array([line.mean for line in trials]), METRICS[sweep.metric]
    if len(trials) > 1:
        numbers = np.array([line.record.trial_number for line in trials])
        default = sweep.defaults.record.trial_number if sweep.defaults else None
        yield history_figure(numbers, values, metric, dummy, default, subtitle)
        if sweep.front:
            yield _pareto(sweep, f"{subtitle}; trial numbers")
    if sweep.importances:
        yield parameter_importance_figure(sweep.importances, subtitle)
    drawn = [line.record.swept for line in trials]
    columns = {key: [values.get(key) for values in drawn] for key in sweep.parameters}
    varied = [key for key, column in columns.items() if len(set(column)) > 1]
    axes = [make_dimension(key, columns[key], sweep.is_log(key)) for key in varied]
    axes = axes[:_MOST_DIMENSIONS] if len(trials) > 2 else []
    if len(axes) > 1:
        yield parallel_figure(axes, values, metric, subtitle)
    if axes:
        yield slice_figure(axes, values, metric, subtitle)


def _winner_pictures(sweep: SweepOutcome) -> Iterator[Picture]:
    for figure in figures_on("sweep"):
        file = sweep.winner.file(figure.file) if sweep.winner else None
        if file is not None and file.is_file():
            yield Picture(file.read_bytes(), f"{figure.caption}, winner")


def _names(lines: Sequence[Line]) -> list[str]:
    """`trial 14`, or `rf (14)` if several models were tried."""
    several = len({line.record.model for line in lines}) > 1
    names = []
    for record in (line.record for line in lines):
        number = record.trial_number
        name = f"{record.model} ({number})" if several else f"trial {number}"
        names.append(f"{name}, defaults" if record.is_default else name)
    return names


def _pareto(sweep: SweepOutcome, subtitle: str) -> Figure:
    """The first two of several objectives; the front is that of all of them."""
    objectives = [OBJECTIVES[name] for name in sweep.objectives.metrics[:2]]
    records = [line.record for line in sweep.lines]
    values = np.array([[record.number(o.key) for o in objectives] for record in records])
    front = {record.trial_number for record in sweep.front}
    is_front = np.array([record.trial_number in front for record in records])
    labels = [str(record.trial_number) for record in records]
    return pareto_figure(labels, values, is_front, objectives, subtitle)


def _predictions(sweep: SweepOutcome) -> Iterator[Picture]:
    """Held-out predictions of the best beside those of the defaults; a grid has only the best."""
    pair = {"defaults": sweep.defaults} if sweep.defaults is not sweep.best else {}
    loaded: dict[str, Predictions] = {}
    for name, line in (pair | {"best": sweep.best}).items():
        file = line.record.file(PREDICTIONS_FILE) if line else None
        if line is not None and file is not None and file.is_file():
            loaded[f"{name}: trial {line.record.trial_number}"] = load_predictions(file)
    yield from prediction_pictures(loaded, sweep.record)


def _failures(sweep: SweepOutcome) -> list[tuple[str, int]]:
    """Why trials failed, and how many for each reason."""
    reasons = Counter(t.error or "unknown" for t in sweep.trials if t.status == "FAILED")
    return reasons.most_common(5)


def _change(sweep: SweepOutcome) -> Change | None:
    if sweep.best is None:
        return None
    rows = changed_keys(config_of(sweep.record), config_of(sweep.best.record))
    return Change("What the best changes in the config", "base config", "best", rows)


def _configs(sweep: SweepOutcome) -> str:
    if sweep.is_apart:
        trials = ((trial.name, trial) for trial in sweep.finished[:MOST_CONFIGS])
        return configs_json(config_of(sweep.record), trials)
    chosen = sweep.lines[:MOST_CONFIGS]
    chosen += [line for line in (sweep.best, sweep.defaults) if line and line not in chosen]
    named = zip(_names(chosen), chosen, strict=True)
    runs = ((f"{name}: {format_number(line.mean)}", line.record) for name, line in named)
    return configs_json(config_of(sweep.record), runs)


def _commands(sweep: SweepOutcome) -> dict[str, str]:
    """What to type next, by purpose."""
    module, folder = "python -m student_perf", shlex.quote(str(sweep.record.folder))
    commands = {}
    if command := sweep.record.command:
        commands["continue the sweep; a larger hydra.sweeper.n_trials adds trials"] = command
    if sweep.winner is not None:
        run = shlex.quote(sweep.winner.run_id or str(sweep.winner.folder))
        commands["check that the winner comes out again"] = f"{module} reproduce {run}"
    commands["compare its trials on the terminal"] = f"{module} compare {folder}"
    commands["make this page again"] = f"{module} report {folder}"
    return commands
