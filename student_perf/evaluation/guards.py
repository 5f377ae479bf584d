"""Checks before any training, for columns and splits that would make a score meaningless.

Each guard is `error`, `warn` or `off` in `guards.` of the config. Guards of columns look at
development rows only; `shared_rows` compares features of all sides. None reads a test row's target.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from student_perf.config.schema import DatasetConfig, GuardsConfig
from student_perf.data.dataset import Dataset
from student_perf.errors import DataError
from student_perf.evaluation.splits import Split
from student_perf.scoring.answers import roc_auc

# One-hot columns of a target reach 1.000; the strongest honest feature known here, an earlier grade
# (G2 of Cortez and Silva's data), stays below 0.99.
LEAK_STRENGTH = 0.999
# Two grades of one subject, an honest pair (G2 and G3), have 0.4 and correlate by 0.96.
COPY_SHARE = 0.95
COPY_CORRELATION = 0.99
# What to do about rows that are known, where the split itself cannot keep them together.
_DROP_COPIES = "if they are copies: 'dataset.clean=[normalise_text,drop_duplicates]'"
_KNOWN_ROWS = {
    "group_kfold": f"they are of other groups; {_DROP_COPIES}",
    "stratified_group_kfold": f"they are of other groups; {_DROP_COPIES}",
    "temporal": f"those are older; {_DROP_COPIES}",
    "column": f"the column puts them on two sides; {_DROP_COPIES}",
}
_ID_SHARE = 0.95
_ID_ROWS = 30
_SOME_ROWS = 5000


def check_guards(
    dataset: Dataset,
    split: Split,
    config: DatasetConfig,
    guards: GuardsConfig,
) -> list[str]:
    """Warnings of the guards that are set to `warn`.

    Raises:
        DataError: A guard that is set to `error` has something to say.
    """
    rows, features = split.development, dataset.features
    findings: dict[str, Callable[[], Iterator[str]]] = {
        "disguised_column": lambda: _disguised(dataset, rows, config),
        "leaking_feature": lambda: _leaking(dataset, rows),
        "id_like": lambda: _id_like(features, rows),
        "constant": lambda: _constant(features, rows),
        "shared_rows": lambda: _shared(dataset, split),
    }
    warnings = []
    for name, find in findings.items():
        level = getattr(guards, name)
        if level == "off":
            continue
        lines = list(find())
        if lines and level == "error":
            more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            raise DataError(f"{lines[0]}{more}; guards.{name}=warn goes on anyway")
        warnings += lines
    return warnings


def label_noise_limit(dataset: Dataset) -> float:
    """Best accuracy any classifier can reach on these rows, or for numbers the lowest RMSE.

    A fact about the whole table, the test rows included; no model and no choice depends on it.
    Rows with identical features get one answer: the majority of their targets, or the mean. Rows
    count by their weights, if they have some.
    """
    if dataset.weights is not None:
        return _weighted_limit(dataset, dataset.weights)
    groups = dataset.duplicate_groups
    target = pd.Series(dataset.target)
    if dataset.task == "classification":
        counts = target.groupby([groups, dataset.target]).size()
        return float(counts.groupby(level=0).max().sum() / dataset.n_rows)
    residuals = target - target.groupby(groups).transform("mean")
    return float(np.sqrt((residuals**2).mean()))


def _weighted_limit(dataset: Dataset, weights: np.ndarray) -> float:
    groups, weight = dataset.duplicate_groups, pd.Series(weights)
    if dataset.task == "classification":
        of_class = weight.groupby([groups, dataset.target]).sum()
        return float(of_class.groupby(level=0).max().sum() / weight.sum())
    # From the first row of each group on, so that a row alone has a residual of exactly 0.
    beyond = dataset.target - pd.Series(dataset.target).groupby(groups).transform("first")
    means = (weight * beyond).groupby(groups).sum() / weight.groupby(groups).sum()
    residuals = beyond - means.to_numpy()[groups]
    return float(np.sqrt((weight * residuals**2).sum() / weight.sum()))


def feature_strength(column: pd.Series, target: np.ndarray, task: str) -> float:
    """How far a single feature determines the target, 0 to 1: by its values if it is not
    missing, or by being missing at all, whichever says more.

    Classes: the highest one-vs-rest AUC of its values (either direction) or, for text, of its
    categories' class shares. Numbers: absolute rank correlation, or the share of variance between
    categories (eta squared). Text with fewer than five rows a category says nothing and gives 0.
    """
    present = column.notna()
    by_value = _strength_of_values(column[present], target[present.to_numpy()], task)
    if present.all():
        return by_value
    return max(by_value, _strength_of_values(present.astype("float64"), target, task))


def _strength_of_values(values: pd.Series, y: np.ndarray, task: str) -> float:
    if len(y) < 10 or values.nunique() < 2 or len(np.unique(y)) < 2:
        return 0.0
    numeric = values.dtype == np.float64
    if not numeric and len(y) < 5 * values.nunique():
        return 0.0
    if task == "regression":
        if numeric:
            return _correlation(rankdata(values), rankdata(y))
        return _eta_squared(values, y)
    strengths = []
    for code in np.unique(y):
        positive = y == code
        score = (
            values if numeric else pd.Series(positive).groupby(values.to_numpy()).transform("mean")
        )
        area = roc_auc(positive, np.asarray(score, dtype=np.float64))
        strengths.append(max(area, 1 - area))
    return max(strengths)


def _leaking(dataset: Dataset, rows: np.ndarray) -> Iterator[str]:
    def strength(name: str, rows: np.ndarray) -> float:
        column = dataset.features[name].iloc[rows]
        return feature_strength(column, dataset.target[rows], dataset.task)

    # A leak shows in some thousand rows; all rows are looked at only to confirm it.
    some = rows[:: max(1, len(rows) // _SOME_ROWS)]
    for name in map(str, dataset.features):
        if strength(name, some) >= LEAK_STRENGTH and strength(name, rows) >= LEAK_STRENGTH:
            yield (
                f"column '{name}': determines the target '{dataset.target_name}' almost perfectly "
                f"({strength(name, rows):.4f}, leaks start at {LEAK_STRENGTH}); add it to "
                "dataset.drop unless it is known before the target"
            )


def _disguised(dataset: Dataset, rows: np.ndarray, config: DatasetConfig) -> Iterator[str]:
    """Features that repeat, under another name, a column the chosen setup leaves out."""
    for forbidden in config.setups.get(config.setup or "", []):
        if forbidden not in dataset.dropped:
            continue
        hidden = dataset.dropped[forbidden].iloc[rows]
        for name in dataset.features:
            if _same_information(dataset.features[name].iloc[rows], hidden):
                yield (
                    f"column '{name}': is '{forbidden}' under another name, which setup "
                    f"{config.setup} leaves out; add it to dataset.drop"
                )


def _same_information(one: pd.Series, two: pd.Series) -> bool:
    """Whether nearly every value of one column goes with a single value of the other and back, or
    both order the rows alike: a copy stays one with a few cells changed or a little noise added.
    """
    both = (one.notna() & two.notna()).to_numpy()
    if both.sum() < max(2, COPY_SHARE * len(one)):
        return False
    a, b = pd.factorize(one[both])[0], pd.factorize(two[both])[0]
    if min(a.max(), b.max()) < 1:
        return False
    if min(_association(a, b), _association(b, a)) >= COPY_SHARE:
        return True
    if one.dtype != np.float64 or not pd.api.types.is_numeric_dtype(two):
        return False
    x, y = one[both].to_numpy(np.float64), two[both].to_numpy(np.float64)
    return max(_correlation(x, y), _correlation(rankdata(x), rankdata(y))) >= COPY_CORRELATION


def _association(a: np.ndarray, b: np.ndarray) -> float:
    """Goodman and Kruskal's lambda (1954): by which share knowing `a` lessens the errors made when
    `b` is guessed as the commonest value, 0 to 1; both are codes with two values or more.
    """
    counts = pd.Series(b).groupby([a, b]).size()
    known = counts.groupby(level=0).max().sum()
    guessed = np.bincount(b).max()
    return float((known - guessed) / (len(b) - guessed))


def _id_like(features: pd.DataFrame, rows: np.ndarray) -> Iterator[str]:
    if len(rows) < _ID_ROWS:
        return
    for name in features:
        # Where the first rows already repeat themselves, the whole column need not be counted.
        if not _looks_like_id(features[name].iloc[rows[:_SOME_ROWS]]):
            continue
        column = features[name].iloc[rows]
        if _looks_like_id(column):
            yield (
                f"column '{name}': looks like an identifier ({column.nunique()} different values "
                f"in {len(rows)} rows); add it to dataset.drop"
            )


def _looks_like_id(column: pd.Series) -> bool:
    values = column.dropna()
    whole = values.dtype != np.float64 or bool((values == values.round()).all())
    return whole and len(values) > 0 and values.nunique() >= _ID_SHARE * len(column)


def _constant(features: pd.DataFrame, rows: np.ndarray) -> Iterator[str]:
    for name in features:
        if features[name].iloc[rows[:_SOME_ROWS]].nunique(dropna=False) > 1:
            continue
        column = features[name].iloc[rows]
        if column.isna().all():
            yield f"column '{name}': is missing in every row; add it to dataset.drop"
        elif column.nunique(dropna=False) == 1:
            yield f"column '{name}': holds the same value in every row; add it to dataset.drop"


def _shared(dataset: Dataset, split: Split) -> Iterator[str]:
    groups = dataset.duplicate_groups
    known = np.isin(groups[split.test], groups[split.development]).sum()
    for fold in split.folds:
        known += np.isin(groups[fold.validation], groups[fold.train]).sum()
    if known:
        yield (
            f"split: {known} held-out rows have the features of a training row; "
            f"{_KNOWN_ROWS.get(split.kind, 'use split.keep_duplicates_together=true')}"
        )


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return abs(float(np.corrcoef(a, b)[0, 1]))


def _eta_squared(values: pd.Series, y: np.ndarray) -> float:
    means = pd.Series(y).groupby(values.to_numpy()).transform("mean").to_numpy()
    return float(((means - y.mean()) ** 2).sum() / ((y - y.mean()) ** 2).sum())
