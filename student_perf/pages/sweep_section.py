"""What a report shows of one sweep: its best, its trials, its space and its failures."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from student_perf.compare.leaderboard import Line
from student_perf.compare.outcome import SweepOutcome, sentences
from student_perf.compare.show import closing
from student_perf.pages.section import (
    MOST_CONFIGS,
    PAGE_FILE,
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
from student_perf.runs.layout import PREDICTIONS_FILE
from student_perf.runs.predictions import Predictions, load_predictions
from student_perf.scoring.metrics import METRICS, OBJECTIVES
from student_perf.text import format_number, markdown_code, plural, short_value

if TYPE_CHECKING:
    from student_perf.plots.style import Figure

_MOST_LINES = 20  # of a leaderboard and the pictures beside it
_MOST_DIMENSIONS = 8


def sweep_section(sweep: SweepOutcome) -> Section:
    """Everything the page shows of one sweep."""
    shown = _shown(sweep)
    columns = list(dict.fromkeys(key for line in shown for key in line.record.swept))
    below = closing(sweep.board, len(sweep.board.lines)) if sweep.board else []
    if more := len(sweep.lines) - len(shown):
        below.insert(0, f"and {plural(more, 'more trial')}.")
    lead = [] if sweep.record.status == "FINISHED" else [
        f"This sweep is {sweep.record.status}: the page shows the trials so far."
    ]  # fmt: skip
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
    label = str(line.record.trial_number) + (" (defaults)" if line.record.is_default else "")
    drawn = [short_value(values.get(key, "")) for key in columns]
    return Row(rank, label, line, line is sweep.best, drawn)


def _trials(sweep: SweepOutcome) -> str:
    """`14 finished, 2 failed`."""
    return ", ".join(f"{n} {state}" for state, n in sweep.states.items())


def _facts(sweep: SweepOutcome) -> dict[str, str]:
    """The data card, and where the sweep comes from."""
    facts = data_facts(sweep.record, sweep.board.n_folds if sweep.board else None)
    about = {"sampler": sweep.record.sampler, "trials": _trials(sweep)}
    return facts | about | origin_facts(sweep.record)


def _pictures(sweep: SweepOutcome, shown: Sequence[Line]) -> Iterator[Picture]:
    """The pictures in the order of the page, without those that would show nothing."""
    if not sweep.lines or sweep.board is None:
        return
    best = list(shown[:_MOST_LINES])
    makers: list[Callable[[], Figure | None]] = [
        lambda: _history(sweep),
        lambda: _pareto(sweep),
        lambda: _importance(sweep),
        lambda: _parallel(sweep),
        lambda: _slices(sweep),
    ]
    yield from fold_pictures(best, _names(best), sweep.board, _subtitle(sweep))
    for make in makers:
        figure = make()
        if figure is not None:
            yield picture(figure)
    yield from _predictions(sweep)
    yield from _winner_pictures(sweep)


def _winner_pictures(sweep: SweepOutcome) -> Iterator[Picture]:
    for figure in figures_on("sweep"):
        file = sweep.winner.folder / figure.file if sweep.winner else None
        if file is not None and file.is_file():
            yield Picture(file.read_bytes(), f"{figure.caption}, winner")


def _subtitle(sweep: SweepOutcome, more: str = "") -> str:
    assert sweep.board is not None
    folds = plural(sweep.board.n_folds, "fold")
    return f"{sweep.record.dataset}, n = {len(sweep.lines)} finished trials, {folds}{more}"


def _names(lines: Sequence[Line]) -> list[str]:
    """`trial 14`, or `rf (14)` if several models were tried."""
    several = len({line.record.model for line in lines}) > 1
    names = []
    for line in lines:
        name = f"trial {line.record.trial_number}"
        if several:
            name = f"{line.record.model} ({line.record.trial_number})"
        names.append(f"{name}, defaults" if line.record.is_default else name)
    return names


def _pareto(sweep: SweepOutcome) -> Figure | None:
    """The first two of several objectives; the front is that of all of them."""
    objectives = [OBJECTIVES[name] for name in sweep.objectives.metrics]
    if len(objectives) < 2 or len(sweep.lines) < 2:
        return None
    records = [line.record for line in sweep.lines]
    values = np.array([[record.number(o.key) for o in objectives[:2]] for record in records])
    front = {record.trial_number for record in sweep.front}
    is_front = np.array([record.trial_number in front for record in records])
    labels = [str(record.trial_number) for record in records]
    return pareto_figure(
        labels, values, is_front, objectives[:2], _subtitle(sweep, "; trial numbers")
    )


def _history(sweep: SweepOutcome) -> Figure | None:
    if len(sweep.lines) < 2 or sweep.board is None:
        return None
    numbers, values = _values(sweep)
    default = sweep.defaults.record.trial_number if sweep.defaults else None
    return history_figure(
        numbers, values, METRICS[sweep.metric], sweep.board.dummy, default, _subtitle(sweep)
    )


def _importance(sweep: SweepOutcome) -> Figure | None:
    if not sweep.importances:
        return None
    return parameter_importance_figure(sweep.importances, _subtitle(sweep))


def _values(sweep: SweepOutcome) -> tuple[np.ndarray, np.ndarray]:
    pairs = [(line.record.trial_number, line.mean) for line in _by_number(sweep)]
    numbers, values = zip(*pairs, strict=True)
    return np.array(numbers), np.array(values)


def _by_number(sweep: SweepOutcome) -> list[Line]:
    return sorted(sweep.lines, key=lambda line: line.record.trial_number or 0)


def _dimensions(sweep: SweepOutcome) -> list[Any]:
    """Axes of the parameters with at least two values, trials in order of their number."""
    drawn = [line.record.swept for line in _by_number(sweep)]
    keys = [key for key in sweep.parameters if len({values.get(key) for values in drawn}) > 1]
    return [
        make_dimension(key, [values.get(key) for values in drawn], sweep.is_log(key))
        for key in keys[:_MOST_DIMENSIONS]
    ]


def _parallel(sweep: SweepOutcome) -> Figure | None:
    dimensions = _dimensions(sweep)
    if len(dimensions) < 2 or len(sweep.lines) < 3:
        return None
    return parallel_figure(dimensions, _values(sweep)[1], METRICS[sweep.metric], _subtitle(sweep))


def _slices(sweep: SweepOutcome) -> Figure | None:
    dimensions = _dimensions(sweep)
    if not dimensions or len(sweep.lines) < 3:
        return None
    return slice_figure(dimensions, _values(sweep)[1], METRICS[sweep.metric], _subtitle(sweep))


def _predictions(sweep: SweepOutcome) -> Iterator[Picture]:
    """Held-out predictions of the best beside those of the defaults; a grid has only the best."""
    pair = {"defaults": sweep.defaults} if sweep.defaults is not sweep.best else {}
    loaded: dict[str, Predictions] = {}
    for name, line in (pair | {"best": sweep.best}).items():
        file = line.record.folder / PREDICTIONS_FILE if line else None
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
