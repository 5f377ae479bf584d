"""One section of a report, and what sections share: rows, pictures, differences, facts.

>>> changed_keys({"model.C": "1.0", "seed": "0"}, {"model.C": "0.1"})
[('model.C', '1.0', '0.1'), ('seed', '0', 'not set')]
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import numpy as np

from student_perf.compare.leaderboard import Leaderboard, Line
from student_perf.inspection.calibration import reliability_of
from student_perf.plots.classification import confusion_figure, reliability_figure
from student_perf.plots.study import (
    difference_figure,
    fold_scores_figure,
    prediction_pair_figure,
)
from student_perf.plots.style import png
from student_perf.runs.predictions import Predictions
from student_perf.runs.record import SWEPT, RunRecord
from student_perf.scoring.metrics import METRICS, Metric
from student_perf.text import NO_VALUE

if TYPE_CHECKING:
    from student_perf.plots.style import Figure

MOST_CONFIGS = 200  # runs whose configs the page can set side by side
_MOST_CLASSES = 12  # beyond them the cells of a confusion matrix cannot be read
_NO_CONFIG = ("features", SWEPT, "space.", "sweep.", "test_over_train", "tracking.")


@dataclass(frozen=True)
class Picture:
    """A PNG file with its words for those who do not see it. One with `pair` shares a row with the
    next one.
    """

    png: bytes
    alt: str
    pair: bool = False


@dataclass(frozen=True)
class Row:
    """A line of a section's leaderboard; `values` are those of the section's columns, and `rank` is
    None for a line that is compared with no other.
    """

    rank: int | None
    label: str
    line: Line
    marked: bool
    values: Sequence[str] = ()

    @property
    def tied(self) -> str:
        """Whether it is tied with the best; a dash if nothing could be tested."""
        return NO_VALUE if math.isnan(self.line.p_value) else "yes" if self.line.tied else "no"


@dataclass(frozen=True)
class Change:
    """The keys in which two configs differ, each with its value in the first and in the second."""

    title: str
    first: str
    second: str
    rows: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Section:
    """What the template shows of one sweep or of one leaderboard; without what is empty.

    `what` a row is, a run, a trial or a configuration; `columns` are those of a sweep's parameters;
    `configs` is the JSON of `configs_json`; `commands` are what to type next, by purpose.
    """

    name: str
    metric: Metric
    what: Literal["run", "trial", "configuration"]
    lead: list[str]
    rows: list[Row]
    dummy: float
    below: list[str]
    pictures: list[Picture]
    change: Change | None
    configs: str
    facts: dict[str, str]
    commands: dict[str, str]
    columns: Sequence[str] = ()
    space: Mapping[str, str] = field(default_factory=dict)
    failures: Sequence[tuple[str, int]] = ()

    @property
    def title(self) -> str:
        """What the table is: a ranking only if all its rows are ranked against each other."""
        if all(row.rank for row in self.rows):
            return "Leaderboard"
        return "Side by side" if len(self.rows) > 1 else "Result"


def picture(figure: Figure, pair: bool = False) -> Picture:
    """A figure as the page shows it; its title says what it shows."""
    return Picture(png(figure), " ".join(figure.get_suptitle().split()), pair)


def fold_pictures(
    lines: Sequence[Line], labels: Sequence[str], board: Leaderboard, subtitle: str
) -> Iterator[Picture]:
    """Fold scores of these runs, and their differences to the best of the leaderboard; none for a
    single fold.
    """
    label = METRICS[board.metric].label
    if board.n_folds > 1:
        scores = np.array([line.scores for line in lines])
        yield picture(fold_scores_figure(labels, scores, board.dummy, (label, subtitle)))
    tested = [i for i, line in enumerate(lines) if not math.isnan(line.to_best_low)]
    if len(tested) < 2:
        return
    gaps = [(lines[i].to_best, lines[i].to_best_low, lines[i].to_best_high) for i in tested]
    mean, low, high = np.array(gaps).T
    tied = np.array([lines[i].tied for i in tested])
    words = label, f"{subtitle}; p for being the best"
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
    target = record.target_name or "target"
    about = f"{record.dataset}, n = {len(first.y_true)} predictions"
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
        for name, one in loaded.items():
            bins = reliability_of(one.answers, one.n_repeats)
            figure = reliability_figure(bins, one.labels, target, f"{name}; {about}")
            yield picture(figure, pair)


def config_of(record: RunRecord) -> dict[str, str]:
    """The composed config of a run by dotted key, without what describes its data or its sweep."""
    params = record.params.items()
    return {key: value for key, value in params if not key.startswith(_NO_CONFIG)}


def changed_keys(first: dict[str, str], second: dict[str, str]) -> list[tuple[str, str, str]]:
    """Keys in which two configs differ with both values; `not set` if one has none."""
    keys = sorted(key for key in first.keys() | second.keys() if first.get(key) != second.get(key))
    return [(key, first.get(key, "not set"), second.get(key, "not set")) for key in keys]


def configs_json(base: dict[str, str], runs: Iterable[tuple[str, RunRecord]]) -> str:
    """JSON of a base config and, for each named run, what differs from it; null stands for a key
    that it lacks. Safe inside a script element.
    """
    content = [{"name": name, "changed": _changed(base, config_of(run))} for name, run in runs]
    text = json.dumps({"base": base, "runs": content}, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":  # `</script>` in a name must not end the element
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _changed(base: dict[str, str], config: dict[str, str]) -> dict[str, str | None]:
    gone: dict[str, str | None] = dict.fromkeys(base.keys() - config.keys())
    return gone | {key: value for key, value in config.items() if base.get(key) != value}


def data_facts(record: RunRecord, folds: str) -> dict[str, str]:
    """The data card: which rows, which split with how many `folds`; empty texts for what is
    unknown.
    """
    folds = f", {folds}" if folds else ""
    return {
        "dataset": f"{record.dataset} {record.dataset_version}".strip(),
        "rows": str(record.n_rows or ""),
        "columns": record.n_features,
        "missing cells": record.n_missing,
        "target": record.target,
        "data SHA-256": record.data_sha256,
        "split": f"{record.split_kind}{folds}, test share {record.test_size or 0}",
        "split SHA-256": record.split_sha256,
        **{f"check {code}": said for code, said in record.checks.items()},
    }


def origin_facts(record: RunRecord) -> dict[str, str]:
    """Where a run comes from; empty texts for what is unknown."""
    dirty = " with uncommitted changes" if record.is_dirty else ""
    return {
        "seed": record.seed,
        "commit": record.commit and f"{record.commit}{dirty}",
        "started": datetime.fromtimestamp(record.started, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "MLflow": f"experiment {record.experiment}",
    }
