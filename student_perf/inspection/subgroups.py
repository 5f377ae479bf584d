"""How well a model serves groups of rows, from held-out predictions alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd

from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.scoring.scores import confusion_matrix, label_scores, percentile_interval, scores

ALL = "all rows"
MISSING = "missing"
BIAS = "bias"
_MOST_VALUES = 10  # numbers with more different values are cut at their quartiles
_N_RESAMPLES = 1000
_SIDE_METRICS = {
    "classification": ("f1_macro", "accuracy"),
    "regression": (BIAS, "root_mean_squared_error"),
}


@dataclass(frozen=True)
class _Rows:
    """Every held-out row once: truth, output of the model, and which task they belong to."""

    dataset: Dataset
    number: np.ndarray
    y_true: np.ndarray
    output: np.ndarray
    metrics: tuple[str, ...]

    def scores(self, chosen: np.ndarray) -> dict[str, float]:
        """Every metric of some rows, given by position, and for numbers the bias."""
        y_true, output = self.y_true[chosen], self.output[chosen]
        values = scores(self.dataset.task, y_true, output, self.dataset.ordered)
        if self.dataset.task == "regression":
            values[BIAS] = float((output - y_true).mean())
        return values


def subgroup_metrics(task: str, objective: str) -> tuple[str, ...]:
    """What a group is measured by: the objective, then macro F1 and accuracy, or for numbers the
    bias (mean of prediction minus truth) and RMSE.
    """
    return tuple(dict.fromkeys((objective, *_SIDE_METRICS[task])))


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
    numbers of many values are cut at their quartiles. Where several repeats predict a row, their
    mean counts. Intervals are 95 % percentile ones over 1,000 resamples of the group's rows (Efron
    and Tibshirani 1993); a group of fewer than `min_size` rows is named, but not scored.
    """
    rows = _unique_rows(dataset, result, subgroup_metrics(dataset.task, objective))
    table = pd.concat([dataset.features, dataset.dropped], axis=1).iloc[rows.number]
    everything = np.zeros(len(rows.number), dtype=np.int64)
    lines = list(_iter_lines(rows, ALL, everything, [""], min_size, seed))
    for column in columns:
        codes, names = group_codes(table[column])
        lines += _iter_lines(rows, column, codes, names, min_size, seed)
    return pd.DataFrame(lines)


def _iter_lines(
    rows: _Rows, column: str, codes: np.ndarray, names: list[str], min_size: int, seed: int
) -> Iterator[dict[str, object]]:
    from fairlearn.metrics import MetricFrame, count

    def value(metric: str, chosen: np.ndarray, _: np.ndarray) -> float:
        return rows.scores(chosen)[metric] if len(chosen) >= min_size else float("nan")

    # Positions stand for truth and prediction, since a metric may need all probabilities.
    positions = np.arange(len(codes))
    frame = MetricFrame(
        metrics={"n": count} | {m: partial(value, m) for m in rows.metrics},
        y_true=positions,
        y_pred=positions,
        sensitive_features=pd.Series(codes, name=column),
    )
    for code, of_group in frame.by_group.iterrows():
        n = int(of_group["n"])
        large_enough = n >= min_size
        # MetricFrame's own bootstrap groups a table anew for each resample, which takes seconds.
        bounds = _intervals(rows, np.flatnonzero(codes == code), seed) if large_enough else {}
        for metric in rows.metrics:
            low, high = bounds.get(metric, (float("nan"), float("nan")))
            yield {
                "column": column,
                "group": names[int(str(code))],
                "n": n,
                "metric": metric,
                "value": float(of_group[metric]),
                "low": low,
                "high": high,
                "note": "" if large_enough else f"fewer than {min_size} rows",
            }


def _intervals(rows: _Rows, chosen: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """95 % percentile bootstrap interval of each metric over the rows `chosen`."""
    draws: dict[str, list[float]] = {metric: [] for metric in rows.metrics}
    for values in _iter_resampled(rows, chosen, np.random.default_rng(seed)):
        for metric, of_metric in draws.items():
            of_metric.append(values[metric])
    return {metric: percentile_interval(of_metric) for metric, of_metric in draws.items()}


def _iter_resampled(
    rows: _Rows, chosen: np.ndarray, rng: np.random.Generator
) -> Iterator[dict[str, float]]:
    """Metrics of resampled rows. Where a confusion matrix is enough it is drawn directly, as
    multinomial counts, which is the same distribution in a tenth of the time.
    """
    if rows.dataset.task == "classification":
        n_classes = rows.output.shape[1]
        labels = rows.output[chosen].argmax(axis=1)
        counts = confusion_matrix(rows.y_true[chosen], labels, n_classes)
        if set(rows.metrics) <= label_scores(counts).keys():
            shares = counts.ravel() / counts.sum()
            for drawn in rng.multinomial(len(chosen), shares, size=_N_RESAMPLES):
                yield label_scores(drawn.reshape(n_classes, n_classes))
            return
    for _ in range(_N_RESAMPLES):
        yield rows.scores(rng.choice(chosen, len(chosen)))


def _unique_rows(dataset: Dataset, result: CVResult, metrics: tuple[str, ...]) -> _Rows:
    """Each row of the result once, with the mean of its outputs."""
    number, position = np.unique(result.row, return_inverse=True)
    total = np.zeros((len(number), *result.output.shape[1:]))
    np.add.at(total, position, result.output)
    times = np.bincount(position).reshape(-1, *[1] * (result.output.ndim - 1))
    return _Rows(dataset, number, dataset.target[number], total / times, metrics)


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
