"""Why two runs differ: their inputs, and the difference of their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from student_perf.compare.pairs import paired_runs
from student_perf.errors import ConfigError
from student_perf.paths import PROJECT_DIR
from student_perf.reproduction.differences import (
    Difference,
    compare_code,
    compare_config,
    compare_data,
    compare_environment,
    recorded_code,
    recorded_data,
    recorded_environment,
)
from student_perf.runs.record import Recorded
from student_perf.scoring.metrics import METRICS, metrics_logged


@dataclass(frozen=True)
class Explanation:
    """The differences between two runs in four parts, and one sentence about their scores."""

    differences: list[Difference]
    score: str


def explain(a: Recorded, b: Recorded, project: Path | None = PROJECT_DIR) -> Explanation:
    """Compare two runs by their records. Raises ConfigError if they share no metric."""
    return Explanation(
        [
            compare_config(a.composed, b.composed),
            compare_data(recorded_data(a), recorded_data(b)),
            compare_code(recorded_code(a), recorded_code(b), project),
            compare_environment(recorded_environment(a), recorded_environment(b)),
        ],
        _score_difference(a, b),
    )


def _score_difference(a: Recorded, b: Recorded) -> str:
    """The first run's objective in both runs; if they share data and folds, with the interval of
    the difference b - a on the same rows.
    """
    name = _shared_metric(a, b)
    metric = METRICS[name]
    first, second = (run.record.fold_scores(name) for run in (a, b))
    means = f"{metric.label} ({metric.aim}): {np.nanmean(first):.4f} -> {np.nanmean(second):.4f}"
    unpaired = _why_not_paired(a, b, first, second)
    if unpaired is not None:
        return f"{means}. No interval: {unpaired}."
    try:
        change, over = paired_runs(b.record, a.record, name)
    except ValueError:
        return f"{means}. No interval: a single fold without predictions has no paired test."
    return (
        f"{means}, difference {change.mean:+.4f}, 95 % interval {change.low:+.4f} to "
        f"{change.high:+.4f}, p = {change.p_value:.3f}, paired over {over}."
    )


def _shared_metric(a: Recorded, b: Recorded) -> str:
    wanted = str((a.composed.get("objective") or {}).get("metric", ""))
    first, second = (metrics_logged(run.record.metrics, "folds") for run in (a, b))
    shared = [name for name in first if name in second]
    if not shared:
        raise ConfigError(
            f"{a.record.name} and {b.record.name}: have no metric in common, one predicts classes "
            "and the other numbers; name two runs of the same task"
        )
    return wanted if wanted in shared else shared[0]


def _why_not_paired(a: Recorded, b: Recorded, first: np.ndarray, second: np.ndarray) -> str | None:
    if a.record.data_sha256 != b.record.data_sha256:
        return "the runs are not paired, their data differ"
    if not a.record.split_sha256 or a.record.split_sha256 != b.record.split_sha256:
        return "the runs are not paired, their folds differ"
    if np.isnan(first).any() or np.isnan(second).any() or len(first) != len(second):
        return "the metric is not defined on every fold"
    if np.isnan(a.record.test_over_train):
        return "the record does not hold the sizes of the folds"
    return None
