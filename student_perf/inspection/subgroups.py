"""How well a model serves groups of rows, from held-out predictions alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.scoring.answers import Answers
from student_perf.scoring.groups import apart
from student_perf.scoring.influence import row_scores
from student_perf.scoring.intervals import Estimate, row_interval
from student_perf.scoring.metrics import METRICS, Metric, default_metric

ALL = "all rows"
MISSING = "missing"
BIAS = Metric(
    "bias",
    "bias",
    "minimize",
    task="regression",
    lowest=-math.inf,
    highest=math.inf,
    of_rows=lambda answers: -answers.errors,
)
_MOST_VALUES = 10  # numbers with more different values are cut at their quartiles
_SIDE_METRICS = {
    "classification": (METRICS["f1_macro"], METRICS["accuracy"]),
    "regression": (BIAS, METRICS["root_mean_squared_error"]),
}
_UNKNOWN = Estimate(math.nan, math.nan, math.nan, math.nan)


def _subgroup_metrics(task: str, objective: str) -> tuple[Metric, ...]:
    """What a group is measured by: the objective, then macro F1 and accuracy, or for numbers the
    bias (mean of prediction minus truth) and RMSE.
    """
    return tuple(dict.fromkeys((METRICS[objective], *_SIDE_METRICS[task])))


def _tested_metric(task: str, objective: str) -> Metric:
    """The metric in which groups are told apart: the objective, or accuracy or RMSE if rows can
    move it without their group being better or worse. R2 of all rows, for example, is higher than
    that of each of two groups at different levels.
    """
    metric = METRICS[objective]
    return metric if metric.tells_parts_apart else METRICS[default_metric(task)]


def subgroup_table(
    dataset: Dataset, result: CVResult, columns: Sequence[str], objective: str, min_size: int
) -> pd.DataFrame:
    """One line for each group and metric: `column`, `group`, `n` rows, `metric`, `value`, `low`,
    `high`, `p` and `note`; the first lines are those of all rows, with the figures of the run.

    `columns` are features or columns the model does not get. Values of a column are its groups,
    numbers of many values are cut at their quartiles. A group's figure is that of all its rows, the
    mean over repeats of the split. The intervals, by rows, hold for all groups at once; `p`, of
    the objective, or else of accuracy or RMSE, is that of `scoring.groups.apart`, also for all
    groups in which that metric is defined. A group of fewer than `min_size` rows is named, but not
    scored.
    """
    metrics = _subgroup_metrics(dataset.task, objective)
    table = pd.concat([dataset.features, dataset.dropped], axis=1).iloc[result.row]
    everything = _Group(ALL, "", np.ones(len(result.row), dtype=bool), result)
    groups = []
    for column in columns:
        codes, names = group_codes(table[column])
        groups += [_Group(column, names[k], codes == k, result) for k in np.unique(codes)]
    scored = [group for group in groups if group.n >= min_size]
    found = {group: group.estimates(metrics, len(scored)) for group in scored}
    tested = _tested_metric(dataset.task, objective)
    defined = [one for one in scored if not math.isnan(found[one][tested.name].mean)]
    p_values = dict(zip(defined, _p_values(result, defined, tested), strict=True))
    lines = list(_iter_lines(everything, everything.estimates(metrics), {}))
    unknown = dict.fromkeys((metric.name for metric in metrics), _UNKNOWN)
    for group in groups:
        note = "" if group in found else f"fewer than {min_size} rows"
        p_value = {tested.name: p_values.get(group, math.nan)}
        lines += _iter_lines(group, found.get(group, unknown), p_value, note)
    return pd.DataFrame(lines)


@dataclass(frozen=True, eq=False)
class _Group:
    """Those of the held-out predictions that are of a group, by a mask of shape (n,)."""

    column: str
    name: str
    chosen: np.ndarray
    result: CVResult

    @cached_property
    def n(self) -> int:
        """Number of its rows."""
        return len(np.unique(self.result.row[self.chosen]))

    def estimates(self, metrics: Sequence[Metric], n_together: int = 1) -> dict[str, Estimate]:
        """Each metric; of all rows those that the run shows."""
        return {metric.name: self._estimate(metric, n_together) for metric in metrics}

    def _estimate(self, metric: Metric, n_together: int) -> Estimate:
        result, chosen = self.result, self.chosen
        if chosen.all() and n_together == 1 and metric.name in result.fold_scores:
            return result.estimate(metric.name)
        answers = result.answers.take(chosen)
        scores = row_scores(metric, answers, result.row[chosen], result.fold[chosen])
        return row_interval(scores, metric, n_together=n_together)


def _iter_lines(
    group: _Group, estimates: dict[str, Estimate], p_value: dict[str, float], note: str = ""
) -> Iterator[dict[str, object]]:
    for metric, estimate in estimates.items():
        yield {
            "column": group.column,
            "group": group.name,
            "n": group.n,
            "metric": metric,
            "value": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "p": p_value.get(metric, math.nan),
            "note": note,
        }


def _p_values(result: CVResult, groups: Sequence[_Group], metric: Metric) -> np.ndarray:
    """Whether each group differs from all other rows; NaN where nothing says how far single rows
    move the metric.
    """
    known = result.answers
    answers = Answers(known.y_true, known.output, known.weights)
    mean = float(result.fold_scores[metric.name].mean())
    scores = row_scores(metric, answers, result.row, result.fold, mean)
    rows, first = np.unique(result.row, return_index=True)
    if len(scores.unit) < len(rows) or np.isnan(scores.moved).any():
        return np.full(len(groups), np.nan)
    member = np.array([group.chosen[first] for group in groups]).reshape(len(groups), -1).T
    codes = np.where(member, np.arange(len(groups)), -1)
    if known.groups is None:
        return apart(scores.moved, codes)
    # Rows of a unit in the same groups count as one: they are not dealt apart.
    kinds, unit = np.unique(
        np.column_stack([known.groups[first], codes]), axis=0, return_inverse=True
    )
    return apart(np.bincount(unit, scores.moved) / np.bincount(unit), kinds[:, 1:])


def group_codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Code of each row's group, shape (n,), and the names of the groups in order of value; rows
    without a value are the last group.
    """
    missing = column.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > _MOST_VALUES:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        edges = np.unique(np.quantile(numbers[~missing], [0.25, 0.5, 0.75]))
        codes = np.searchsorted(edges, numbers, side="left")
        between = [f"over {a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
        names = [f"up to {edges[0]:.4g}", *between, f"over {edges[-1]:.4g}"]
    else:
        codes, values = pd.factorize(column, sort=True)
        names = [f"{v:g}" if isinstance(v, float) else str(v) for v in values]
    return np.where(missing, len(names), codes), [*names, MISSING]
