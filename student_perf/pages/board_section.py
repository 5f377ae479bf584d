"""What a report shows of one leaderboard: the best run, those tied with it, how they differ."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from student_perf.compare.leaderboard import Leaderboard, Line, recommendation
from student_perf.compare.show import about, closing, heading
from student_perf.errors import TrackingError
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
    prediction_pictures,
)
from student_perf.plots.figures import figures_on
from student_perf.runs.layout import PREDICTIONS_FILE
from student_perf.runs.predictions import Predictions, load_predictions
from student_perf.scoring.metrics import METRICS
from student_perf.store.reader import fetch_file
from student_perf.text import format_number, plural


def board_section(
    board: Leaderboard, first: Leaderboard | None, top: int, store: str = ""
) -> Section:
    """Everything the page shows of a leaderboard: its `top` runs and the recommended one.

    `first` is the leaderboard above it, if there is one. Predictions and pictures come from two
    runs only, the best and the recommended: from their folders or from `store`.
    """
    shown = board.lines[:top]
    if board.recommended is not None and board.recommended not in shown:
        shown = [*shown, board.recommended]
    labels = [line.label for line in shown]
    about_folds = f"{board.dataset}, {board.folds}"
    chosen = _chosen(board)
    ranks = {id(line): rank for rank, line in enumerate(board.lines, start=1)}
    below = [line for line in closing(board, len(board.lines)) if line != recommendation(board)]
    if more := len(board.lines) - len(shown):
        below.insert(0, f"and {plural(more, 'more run')}.")
    return Section(
        name=heading(board),
        metric=METRICS[board.metric],
        what="run",
        lead=[recommendation(board), *about(board, first)],
        rows=[
            Row(ranks[id(line)], line.name, line, marked=line is board.recommended)
            for line in shown
        ],
        dummy=board.dummy,
        below=below,
        pictures=[
            *fold_pictures(shown, labels, board, about_folds),
            *_chosen_pictures(chosen, store),
        ],
        change=_change(chosen),
        configs=_configs(board),
        facts=data_facts(board.lines[0].record, board.folds) | _origins(board),
        commands=_commands(board),
    )


def _chosen(board: Leaderboard) -> list[Line]:
    """The best, and beside it the recommended run; if it is the best, the best of another model."""
    best = board.lines[0]
    if board.recommended is not None and board.recommended is not best:
        return [best, board.recommended]
    others = (line for line in board.lines if line.record.model != best.record.model)
    return [best, *islice(others, 1)]


def _chosen_pictures(chosen: Sequence[Line], store: str) -> Iterator[Picture]:
    """Predictions of the chosen runs side by side, then the pictures that the runs left."""
    loaded: dict[str, Predictions] = {}
    drawn: list[Picture] = []
    for line in chosen:
        file = _fetched(line, store, PREDICTIONS_FILE)
        if file is not None:
            loaded[line.label] = load_predictions(file)
        for figure in figures_on("board"):
            file = _fetched(line, store, figure.file)
            if file is not None:
                drawn.append(Picture(file.read_bytes(), f"{figure.caption}, {line.label}"))
    yield from prediction_pictures(loaded, chosen[0].record, calibration=True)
    yield from drawn


def _fetched(line: Line, store: str, name: str) -> Path | None:
    try:
        return fetch_file(line.record, store or line.record.tracking_uri, name)
    except TrackingError:
        return None


def _change(chosen: Sequence[Line]) -> Change | None:
    if len(chosen) < 2:
        return None
    first, second = (config_of(line.record) for line in chosen)
    names = [line.label for line in chosen]
    title = f"In which keys {names[0]} and {names[1]} differ"
    return Change(title, names[0], names[1], changed_keys(first, second))


def _configs(board: Leaderboard) -> str:
    lines = board.lines[:MOST_CONFIGS]
    if board.recommended is not None and board.recommended not in lines:
        lines = [*lines, board.recommended]
    runs = ((f"{line.label}: {format_number(line.mean)}", line.record) for line in lines)
    return configs_json(config_of(lines[0].record), runs)


def _origins(board: Leaderboard) -> dict[str, str]:
    """Where the runs come from; of a fact that they do not share, each value once."""
    values: dict[str, dict[str, None]] = {}
    for line in board.lines:
        for name, value in origin_facts(line.record).items():
            values.setdefault(name, {})[value] = None
    first = min(values.pop("started"))
    return {name: _listed(list(filter(None, each))) for name, each in values.items()} | {
        "first run": first
    }


def _listed(values: Sequence[str], most: int = 5) -> str:
    more = f" and {len(values) - most} more" if len(values) > most else ""
    return ", ".join(values[:most]) + more


def _commands(board: Leaderboard) -> dict[str, str]:
    line = board.recommended or board.lines[0]
    run = shlex.quote(line.record.mlflow_run_id or str(line.record.folder))
    module = "python -m student_perf"
    commands = {f"check that {line.label} comes out again": f"{module} reproduce {run}"}
    if line.record.kind != "trial":  # of a sweep only the winner keeps a model
        commands["make it the challenger in the registry"] = f"{module} promote {run}"
    return commands
