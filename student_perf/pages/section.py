"""One section of a report, and what sections share: rows, pictures, differences, facts."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from student_perf.compare.leaderboard import Leaderboard, Line
from student_perf.compare.show import closing
from student_perf.inspection.calibration import reliability
from student_perf.plots.classification import confusion_figure, reliability_figure
from student_perf.plots.study import (
    difference_figure,
    fold_scores_figure,
    prediction_pair_figure,
)
from student_perf.plots.style import png
from student_perf.runs.predictions import Predictions
from student_perf.runs.record import RunRecord
from student_perf.scoring.metric import METRICS
from student_perf.terminal import format_number

if TYPE_CHECKING:
    from student_perf.plots.style import Figure

PAGE_FILE = "report.html"
MOST_CONFIGS = 200  # runs whose configs the page can set side by side
_MOST_CLASSES = 12  # beyond them the cells of a confusion matrix cannot be read
_NO_CONFIG = ("features", "swept.", "space.", "sweep.", "test_over_train", "tracking.")


@dataclass(frozen=True)
class Picture:
    """A picture of the page: PNG as base64, and the words for those who do not see it. One with a
    `pair` stands in one row with the one after it.
    """

    png: str
    alt: str
    pair: bool = False


@dataclass(frozen=True)
class Row:
    """A line of a section's leaderboard, as text."""

    rank: int
    label: str
    mean: str
    interval: str
    to_best: str
    p: str
    tied: str
    seconds: str
    values: list[str]
    marked: bool


@dataclass(frozen=True)
class Change:
    """The keys in which two configs differ, each with its value in the first and in the second."""

    title: str
    first: str
    second: str
    rows: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Section:
    """What the template shows of one sweep or of one leaderboard; what is empty is left out."""

    name: str
    leaderboard: str
    what: str
    lead: list[str]
    rows: list[Row]
    columns: list[str]
    dummy: str
    below: list[str]
    pictures: list[Picture]
    change: Change | None
    configs: str
    facts: dict[str, str]
    commands: dict[str, str]
    space: dict[str, str] = field(default_factory=dict)
    failures: list[tuple[str, int]] = field(default_factory=list)


def make_row(
    rank: int, line: Line, label: str, values: Sequence[str] = (), marked: bool = False
) -> Row:
    """The figures of a leaderboard's line as the page shows them."""
    known = not math.isnan(line.p_value)
    return Row(
        rank=rank,
        label=label,
        mean=format_number(line.mean),
        interval=f"{format_number(line.low)} to {format_number(line.high)}",
        to_best=f"{line.to_best:+.3f}",
        p=f"{line.p_value:.2f}" if known else "",
        tied=("yes" if line.tied else "no") if known else "",
        seconds="" if math.isnan(line.seconds) else f"{line.seconds:.2g}",
        values=list(values),
        marked=marked,
    )


def leaderboard_title(metric: str) -> str:
    """`Leaderboard: accuracy, more is better`."""
    better = "more" if METRICS[metric].direction == "maximize" else "less"
    return f"Leaderboard: {METRICS[metric].label}, {better} is better"


def closing_lines(board: Leaderboard) -> list[str]:
    """What the terminal says below its table, without the mark that only its table has."""
    return [line.replace(" (=)", "") for line in closing(board, len(board.lines))]


def picture(figure: Figure, pair: bool = False) -> Picture:
    """A figure as it stands in the page."""
    alt = " ".join(figure.get_suptitle().split())
    return Picture(base64.b64encode(png(figure)).decode("ascii"), alt, pair)


def picture_of(file: Path, alt: str) -> Picture:
    """A picture that a run has left."""
    return Picture(base64.b64encode(file.read_bytes()).decode("ascii"), alt)


def fold_pictures(
    lines: Sequence[Line], labels: Sequence[str], board: Leaderboard, subtitle: str
) -> Iterator[Picture]:
    """Fold scores of these runs, and their differences to the best of the leaderboard; nothing
    where there is a single fold.
    """
    if board.n_folds < 2:
        return
    words = METRICS[board.metric].label, subtitle
    scores = np.array([line.scores for line in lines])
    yield picture(fold_scores_figure(labels, scores, board.dummy, words))
    tested = [i for i, line in enumerate(lines) if not math.isnan(line.to_best_low)]
    if len(tested) < 2:
        return
    gaps = [(lines[i].to_best, lines[i].to_best_low, lines[i].to_best_high) for i in tested]
    mean, low, high = np.array(gaps).T
    tied = np.array([lines[i].tied for i in tested])
    words = words[0], f"{subtitle}; p after Nadeau and Bengio, Holm"
    yield picture(difference_figure([labels[i] for i in tested], mean, low, high, tied, words))


def prediction_pictures(
    loaded: Mapping[str, Predictions], record: RunRecord, calibration: bool = False
) -> Iterator[Picture]:
    """Held-out predictions of one or two runs side by side: true over predicted numbers, or
    confusion matrices and, with `calibration`, reliability diagrams.
    """
    if not loaded:
        return
    first = next(iter(loaded.values()))
    target = record.params.get("dataset.target", "target")
    about = f"{record.tags.get('dataset', '')}, n = {len(first.y_true)} predictions"
    if first.task == "regression":
        pairs = {name: (one.y_true, one.output) for name, one in loaded.items()}
        yield picture(prediction_pair_figure(pairs, target, f"{about} each"))
        return
    pair = len(loaded) > 1
    if len(first.labels) <= _MOST_CLASSES:
        for name, one in loaded.items():
            counts = one.answers.counts.table
            figure = confusion_figure(counts, one.labels, target, f"{name}; {about}")
            yield picture(figure, pair)
    if calibration:
        n_repeats = max(1, round(len(first.row) / len(set(first.row.tolist()))))
        for name, one in loaded.items():
            bins = reliability(one.y_true, one.output, n_repeats)
            figure = reliability_figure(bins, one.labels, target, f"{name}; {about}")
            yield picture(figure, pair)


def config_of(record: RunRecord) -> dict[str, str]:
    """The composed config of a run by dotted key, without what describes its data or its sweep."""
    params = record.params.items()
    return {key: value for key, value in params if not key.startswith(_NO_CONFIG)}


def changed_keys(first: dict[str, str], second: dict[str, str]) -> list[tuple[str, str, str]]:
    """Keys in which two configs differ with both values, `not set` where one has none."""
    keys = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    return [(key, first.get(key, "not set"), second.get(key, "not set")) for key in keys]


def configs_json(base: dict[str, str], runs: Iterable[tuple[str, RunRecord]]) -> str:
    """JSON of a base config and, for each named run, what differs from it; null stands for a key
    it does not have. Safe inside a script element.
    """
    content = [{"name": name, "changed": _changed(base, config_of(run))} for name, run in runs]
    text = json.dumps({"base": base, "runs": content}, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":  # `</script>` in a name must not end the element
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _changed(base: dict[str, str], config: dict[str, str]) -> dict[str, str | None]:
    gone: dict[str, str | None] = dict.fromkeys(base.keys() - config.keys())
    return gone | {key: value for key, value in config.items() if base.get(key) != value}


def data_facts(record: RunRecord, n_folds: int | None) -> dict[str, str]:
    """The data card: which rows, which split; what is not known is left out."""
    tags, params = record.tags, record.params
    folds = f", {n_folds} folds" if n_folds else ""
    test_share = params.get("split.test_size", "0")
    facts = {
        "dataset": f"{tags.get('dataset', '')} {tags.get('dataset_version', '')}".strip(),
        "rows": params.get("n_rows", ""),
        "columns": params.get("n_features", ""),
        "missing cells": tags.get("student_perf.n_missing", ""),
        "target": tags.get("student_perf.target", ""),
        "data SHA-256": tags.get("student_perf.data_sha256", ""),
        "split": f"{params.get('split.kind', '')}{folds}, test share {test_share}",
        "split SHA-256": tags.get("student_perf.split_sha256", ""),
    }
    return {name: value for name, value in facts.items() if value}


def origin_facts(record: RunRecord) -> dict[str, str]:
    """Where a run comes from; what is not known is left out."""
    tags, params = record.tags, record.params
    commit = tags.get("mlflow.source.git.commit", "")
    dirty = " with uncommitted changes" if tags.get("mlflow.source.git.dirty") == "True" else ""
    facts = {
        "seed": params.get("seed", ""),
        "commit": commit and f"{commit}{dirty}",
        "started": datetime.fromtimestamp(record.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "MLflow": f"experiment {params.get('tracking.experiment', '')}",
    }
    return {name: value for name, value in facts.items() if value}
