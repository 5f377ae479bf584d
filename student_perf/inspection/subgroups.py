"""How well a model serves groups of rows, from held-out predictions alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.scoring.influence import row_scores
from student_perf.scoring.intervals import Estimate, row_interval
from student_perf.scoring.metrics import METRICS, Metric

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


def subgroup_table(
    dataset: Dataset, result: CVResult, columns: Sequence[str], objective: str, min_size: int
) -> pd.DataFrame:
    """One line for each group and metric: `column`, `group`, `n` rows, `metric`, `value`, `low`,
    `high` and `note`; the first lines are those of all rows, with the figures of the run.

    `columns` are features or columns the model does not get. Values of a column are its groups,
    numbers of many values are cut at their quartiles. A group's figure is that of all its rows, the
    mean over repeats of the split; its interval is by rows. A group of fewer than `min_size` rows
    is named, but not scored.
    """
    metrics = _subgroup_metrics(dataset.task, objective)
    table = pd.concat([dataset.features, dataset.dropped], axis=1).iloc[result.row]
    everything = np.ones(len(result.row), dtype=bool)
    lines = [{"column": ALL, **line} for line in _iter_lines(result, everything, "", metrics, 0)]
    for column in columns:
        codes, names = group_codes(table[column])
        for code in np.unique(codes):
            mine = _iter_lines(result, codes == code, names[code], metrics, min_size)
            lines += [{"column": column, **line} for line in mine]
    return pd.DataFrame(lines)


def _iter_lines(
    result: CVResult, chosen: np.ndarray, group: str, metrics: Sequence[Metric], min_size: int
) -> Iterator[dict[str, object]]:
    n = len(np.unique(result.row[chosen]))
    is_scored = n >= min_size
    for metric in metrics:
        estimate = _estimate(result, chosen, metric) if is_scored else _UNKNOWN
        yield {
            "group": group,
            "n": n,
            "metric": metric.name,
            "value": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "note": "" if is_scored else f"fewer than {min_size} rows",
        }


def _estimate(result: CVResult, chosen: np.ndarray, metric: Metric) -> Estimate:
    """A metric on some of the held-out predictions; on all of them the one that the run shows."""
    if chosen.all() and metric.name in result.fold_scores:
        return result.estimate(metric.name)
    answers = result.answers.take(chosen)
    scores = row_scores(metric, answers, result.row[chosen], result.fold[chosen])
    return row_interval(scores, metric)


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
