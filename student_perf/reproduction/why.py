"""Why do two runs differ? What they were made from, and the difference of their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from student_perf.scoring.metric import METRICS
from student_perf.scoring.paired import paired_difference
from student_perf.sweep.report import fold_scores


@dataclass(frozen=True)
class Explanation:
    """What differs between two runs, in four parts, and one sentence on their scores."""

    differences: list[Difference]
    score: str


def explain(a: Recorded, b: Recorded, project: Path = PROJECT_DIR) -> Explanation:
    """Compare two runs by what they recorded. Raises ConfigError where they share no metric."""
    return Explanation(
        [
            compare_config(a.composed, b.composed),
            compare_data(recorded_data(a), recorded_data(b)),
            compare_code(recorded_code(a), recorded_code(b), project),
            compare_environment(recorded_environment(a), recorded_environment(b)),
        ],
        score_difference(a, b),
    )


def score_difference(a: Recorded, b: Recorded) -> str:
    """The objective of the first run in both, with the interval of the difference b - a where they
    share data and folds.
    """
    metric = _shared_metric(a, b)
    first, second = (fold_scores(run.record, metric) for run in (a, b))
    aim = "more" if METRICS[metric].direction == "maximize" else "less"
    means = (
        f"{METRICS[metric].label} ({aim} is better): "
        f"{np.nanmean(first):.4f} -> {np.nanmean(second):.4f}"
    )
    unpaired = _why_not_paired(a, b, first, second)
    if unpaired is not None:
        return f"{means}. No interval: {unpaired}."
    share = float(a.record.params["test_over_train"])
    found = paired_difference(second, first, share)
    return (
        f"{means}, difference {found.mean:+.4f}, 95 % interval {found.low:+.4f} to "
        f"{found.high:+.4f}, p = {found.p_value:.3f}, paired over {len(first)} folds "
        "(Nadeau and Bengio's correction)."
    )


def _shared_metric(a: Recorded, b: Recorded) -> str:
    wanted = str((a.composed.get("objective") or {}).get("metric", ""))
    shared = [
        name.removeprefix("fold_")
        for name in a.record.metrics
        if name.startswith("fold_") and name in b.record.metrics
    ]
    if not shared:
        raise ConfigError(
            f"{a.record.name} and {b.record.name}: have no metric in common, one predicts classes "
            "and the other numbers; name two runs of the same task"
        )
    return wanted if wanted in shared else shared[0]


def _why_not_paired(a: Recorded, b: Recorded, first: np.ndarray, second: np.ndarray) -> str | None:
    tags = a.record.tags, b.record.tags
    data, split = (
        [one.get(f"student_perf.{name}_sha256") for one in tags] for name in ("data", "split")
    )
    if data[0] != data[1]:
        return "the runs are not paired, their data differ"
    if split[0] is None or split[0] != split[1]:
        return "the runs are not paired, their folds differ"
    if len(first) < 2:
        return "a single fold has no paired test"
    if np.isnan(first).any() or np.isnan(second).any() or len(first) != len(second):
        return "the metric is not defined on every fold"
    if "test_over_train" not in a.record.params:
        return "the record does not tell the sizes of the folds"
    return None
