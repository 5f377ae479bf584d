"""How well a model serves groups of rows, from held-out predictions alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.scoring.answers import Answers, once_each
from student_perf.scoring.bootstrap import bootstrap
from student_perf.scoring.intervals import Estimate
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
    dataset: Dataset,
    result: CVResult,
    columns: Sequence[str],
    objective: str,
    min_size: int,
    seed: int = 0,
) -> pd.DataFrame:
    """One line for each group and metric: `column`, `group`, `n` rows, `metric`, `value`, `low`,
    `high` and `note`; the first lines are those of all rows.

    `columns` are features or columns the model does not get. Values of a column are its groups,
    numbers of many values are cut at their quartiles. A row that several repeats predict counts
    once, with their mean. Intervals are those of `scoring.bootstrap`; a group of fewer than
    `min_size` rows is named, but not scored.
    """
    metrics = _subgroup_metrics(dataset.task, objective)
    number, answers = once_each(result.row, result.answers)
    table = pd.concat([dataset.features, dataset.dropped], axis=1).iloc[number]
    groups = {ALL: (np.zeros(len(number), dtype=np.int64), [""])}
    groups |= {column: group_codes(table[column]) for column in columns}
    lines = [
        {"column": column, **line}
        for column, (codes, names) in groups.items()
        for code in np.unique(codes)
        for line in _iter_lines(answers.take(codes == code), names[code], metrics, min_size, seed)
    ]
    return pd.DataFrame(lines)


def _iter_lines(
    answers: Answers, group: str, metrics: Sequence[Metric], min_size: int, seed: int
) -> Iterator[dict[str, object]]:
    n = len(answers)
    estimates = bootstrap(answers, metrics, seed) if n >= min_size else {}
    for metric in metrics:
        estimate = estimates.get(metric.name, _UNKNOWN)
        yield {
            "group": group,
            "n": n,
            "metric": metric.name,
            "value": estimate.mean,
            "low": estimate.low,
            "high": estimate.high,
            "note": "" if estimates else f"fewer than {min_size} rows",
        }


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
