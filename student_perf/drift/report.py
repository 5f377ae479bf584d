"""One drift report: both sides loaded, compared and judged, with a model's answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from student_perf.drift.columns import ColumnDrift, Role, compare_columns, compare_tables, judge
from student_perf.drift.limits import Thresholds
from student_perf.drift.sides import Rules, Side, load_sides
from student_perf.errors import DataError
from student_perf.evaluation.column_checks import FEWEST_ROWS, identifies_rows
from student_perf.runs.layout import PREDICTIONS_FILE, holds_record
from student_perf.runs.predictions import load_predictions
from student_perf.runs.record import load_record
from student_perf.scoring.answers import Answers, once_each
from student_perf.scoring.bootstrap import percentile_interval, resample
from student_perf.scoring.metrics import METRICS, default_metric
from student_perf.scoring.shifts import smallest_share_change, smallest_shift
from student_perf.store.kept_model import KeptModel, load_kept_model

_RESAMPLES = 500
_PREDICTION = "prediction"
_SMALLEST = (smallest_shift, smallest_share_change)


@dataclass(frozen=True)
class PerformanceChange:
    """A metric on both sides, its change (current minus reference) with the 95 % bootstrap
    interval, and the one-sided p-value of a change for the worse.
    """

    metric: str
    reference: float
    current: float
    change: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class DriftReport:
    """The result of one comparison; `columns` come worst first.

    `smallest_shift` is what these rows show of a number, in standard deviations, and
    `smallest_share_change` of a category's share; infinity if they show none.
    """

    reference: str
    current: str
    n_reference: int
    n_current: int
    thresholds: Thresholds
    columns: list[ColumnDrift]
    performance: PerformanceChange | None
    notes: list[str]
    smallest_shift: float
    smallest_share_change: float

    @property
    def has_alarm(self) -> bool:
        """Whether any column alarms."""
        return any(column.severity == "alarm" for column in self.columns)

    @property
    def is_undecided(self) -> bool:
        """Whether no column alarms, though with these rows hardly any could."""
        return not self.has_alarm and self.smallest_shift > self.thresholds.visible

    def to_dict(self) -> dict[str, Any]:
        """Plain content for JSON."""
        return asdict(self) | {"alarm": self.has_alarm, "undecided": self.is_undecided}


def make_report(
    reference: str,
    current: str,
    thresholds: Thresholds,
    *,
    named: Mapping[str, Any] | None = None,
    target: str | None = None,
    model: str | None = None,
    store: str | None = None,
    seed: int = 0,
) -> DriftReport:
    """Compare two sides.

    Args: as in `sides.load_sides`, and
        model: a kept model. Its predictions become another column, and if both sides have the
            target, the change of its performance too.
        seed: that of the bootstrap.

    Raises:
        ConfigError, DataError, TrackingError: A side or the model cannot be loaded.
    """
    kept = load_kept_model(model, store) if model else None
    left, right, rules = load_sides(
        reference, current, named, target, kept.contract if kept else None, model, store
    )
    left, right, notes = _as_compared(left, right, rules)
    columns = _compare_sides(left, right, thresholds, rules)
    change = None
    if kept is not None and model is not None:
        outputs = _outputs(kept, model, left, right, notes)
        # Test rows have no held-out prediction; that is not a missing answer.
        before, now = (pd.Series(_answers(kept, output)).dropna() for output in outputs)
        drift = compare_columns(_PREDICTION, before, now, thresholds, kept.contract.classes)
        columns.append(replace(drift, role="prediction"))
        change = _performance(kept, (left, right), outputs, seed)
    if change is not None:
        columns.append(
            ColumnDrift(change.metric, "numeric", test="bootstrap", p=change.p, role="performance")
        )
    judged = judge(columns, thresholds)
    counts = (len(left.features), len(right.features))
    tested = max(1, sum(column.p == column.p for column in judged))
    visible = [find(*counts, tested, thresholds.alpha) for find in _SMALLEST]
    return DriftReport(reference, current, *counts, thresholds, judged, change, notes, *visible)


def _as_compared(left: Side, right: Side, rules: Rules | None) -> tuple[Side, Side, list[str]]:
    """The sides with the columns that are compared, and notes.

    Of two files, columns that identify rows are left out, since they differ between any two tables.
    Where a dataset or run says what the features are, its model may learn from them.
    """
    notes = [f"{side.name}: {side.left_out}" for side in (left, right) if side.left_out]
    if rules is not None:
        return left, right, [*notes, *_about_rules(rules)]
    found = [str(n) for n in left.features if n in right.features and _identifies(n, left, right)]
    if not found or len(found) == len(left.features.columns):
        return left, right, notes
    noun = "an identifier" if len(found) == 1 else "identifiers"
    notes.append(f"Left out, as {noun} of rows (see SP201): {', '.join(found)}")
    sides = [replace(side, features=side.features.drop(columns=found)) for side in (left, right)]
    return sides[0], sides[1], notes


def _identifies(name: Any, left: Side, right: Side) -> bool:
    """By the rule of SP201 on both sides; rows too few for it have no value twice."""
    before, now = (_as_feature(side.features[name]) for side in (left, right))
    if not identifies_rows(before):
        return False
    return identifies_rows(now) or (len(now) < FEWEST_ROWS and now.is_unique)


def _as_feature(column: pd.Series) -> pd.Series:
    is_number = pd.api.types.is_numeric_dtype(column)
    return column.astype("float64") if is_number else column.astype("str").where(column.notna())


def _about_rules(rules: Rules) -> list[str]:
    """That declared weights are not used, since a shift is one of the rows that arrive, and what of
    columns of text is compared.
    """
    weight, notes = rules.contract.weight, []
    if weight is not None:
        line = f"Rows count alike here, in the model's figures too: dataset.weight={weight}"
        notes.append(f"{line} is not used")
    if text := _text_columns(rules):
        notes.append(f"Of the text in {', '.join(text)} the number of words is compared")
    return notes


def _text_columns(rules: Rules) -> list[str]:
    return [name for name, column in rules.contract.columns.items() if column.kind == "text"]


def _with_lengths(features: pd.DataFrame, rules: Rules | None) -> pd.DataFrame:
    """A copy of the features with the number of words in place of each text."""
    text = [] if rules is None else [name for name in _text_columns(rules) if name in features]
    return features.assign(**{name: features[name].str.count(r"\S+") for name in text})


def _compare_sides(
    left: Side, right: Side, thresholds: Thresholds, rules: Rules | None
) -> list[ColumnDrift]:
    """Features and, if both sides have it, the target, column by column."""
    tables = [_with_lengths(side.features, rules) for side in (left, right)]
    roles: dict[str, Role] = {}
    if left.target is not None and right.target is not None:
        name = str(left.target.name)
        roles[name] = "target"
        for table, target in zip(tables, (left.target, right.target), strict=True):
            table[name] = target.to_numpy()
    return compare_tables(tables[0], tables[1], thresholds, _known(rules), roles)


def _known(rules: Rules | None) -> dict[str, list[str]]:
    """Categories that a config declares, which are never new."""
    if rules is None:
        return {}
    contract = rules.contract
    declared = {
        name: column.categories
        for name, column in contract.columns.items()
        if column.categories is not None and name in contract.declared
    }
    return declared | {contract.target: contract.classes}


def _outputs(
    kept: KeptModel, model: str, left: Side, right: Side, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """The model's output for both sides. For rows it was trained on, its held-out output: only that
    compares with rows it has not seen.
    """
    outputs = []
    for side in (left, right):
        held_out = _held_out(kept, kept.folder, side)
        if held_out is not None:
            notes.append(f"{side.name}: predictions are the run's held-out ones")
        lacking = [name for name in kept.contract.columns if name not in side.features]
        if held_out is None and lacking:
            raise DataError(
                f"--model {model}: needs the column '{lacking[0]}', absent in {side.name}; leave "
                "--model out"
            )
        features = side.features[[c for c in kept.contract.columns if c in side.features]]
        outputs.append(kept.output(features) if held_out is None else held_out)
    return outputs[0], outputs[1]


def _held_out(kept: KeptModel, folder: Path, side: Side) -> np.ndarray | None:
    """Held-out output for each row, NaN for rows that were in no validation fold.

    None if the side is not the data of the model's run, or if the run's folder is not on this disk.
    """
    if side.dataset is None or not holds_record(folder):
        return None
    record = load_record(folder)
    predictions = record.file(PREDICTIONS_FILE)
    if record.data_sha256 != side.dataset.sha256 or not predictions.is_file():
        return None
    stored = load_predictions(predictions)
    rows, answers = once_each(stored.row, stored.answers)
    output = np.full((side.dataset.n_rows, *stored.output.shape[1:]), np.nan)
    output[rows] = answers.output
    return output


def _answers(kept: KeptModel, output: np.ndarray) -> np.ndarray | pd.Series:
    if not kept.contract.classes:
        return output
    unknown = np.isnan(output).any(axis=1)
    labels = np.asarray(kept.contract.classes)[np.nan_to_num(output).argmax(axis=1)]
    return pd.Series(labels).astype("str").where(~unknown).to_numpy()


def _performance(
    kept: KeptModel, sides: tuple[Side, Side], outputs: tuple[np.ndarray, np.ndarray], seed: int
) -> PerformanceChange | None:
    """Change of the task's default metric; the two sides are resampled apart. None without labels.

    Source of the interval: Efron and Tibshirani 1993, chapter 13; the p-value takes the change as
    normal with the deviation of the resamples.
    """
    if any(side.target is None for side in sides):
        return None
    task = "classification" if kept.contract.classes else "regression"
    metric = METRICS[default_metric(task)]
    scored = [_scored(kept, side, output) for side, output in zip(sides, outputs, strict=True)]
    if any(len(one) < 2 for one in scored):
        return None
    rng = np.random.default_rng(seed)  # one stream, so that the sides draw different rows
    left, right = (metric.of(one) for one in scored)
    draws = [resample(one, [metric], rng, _RESAMPLES)[metric.name] for one in scored]
    changes = draws[1] - draws[0]
    low, high = percentile_interval(changes, right - left)
    spread = float(np.nanstd(changes))
    worse = metric.sign * (right - left)
    p = float(norm.cdf(worse / spread)) if spread > 0 else float(worse >= 0)
    return PerformanceChange(metric.name, left, right, right - left, low, high, p)


def _scored(kept: KeptModel, side: Side, output: np.ndarray) -> Answers:
    """Rows whose target and prediction are both there; a label the model does not know is none."""
    assert side.target is not None
    classes = kept.contract.classes
    position = {label: code for code, label in enumerate(classes)}
    truth = side.target.map(position) if classes else side.target.astype("float64")
    answered = ~np.isnan(output.reshape(len(output), -1)).any(axis=1)
    usable = truth.notna().to_numpy() & answered
    values = truth[usable].to_numpy(dtype=np.int64 if classes else np.float64)
    return Answers(values, output[usable])
