"""The curves of a model that is a sum of them: what each value of a column adds to its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator


def shape_table(model: BaseEstimator, classes: Sequence[Any]) -> pd.DataFrame | None:
    """What a kept model adds up, bin by bin; None for a model that has no curves.

    One row for each output and bin of each column, the most important column first: `column`,
    `importance` (mean over rows of how far the curve moves an answer), `output` (the class, empty
    for a number), `bin`, `low` and `high` (the bounds of numbers), `n` (weight of the rows of the
    fit) and `score` (log-odds, or units of the target). A pair of columns has a single row without
    bins: its name is `a x b`.

    Args:
        model: The fitted model that a run keeps.
        classes: The labels of its classes, none for numbers.
    """
    inner = getattr(model, "estimator_", model)  # what answers in codes, below the labels
    last = inner.steps[-1][1]
    if not hasattr(last, "curves"):
        return None
    # Of two classes the one that is positive has a score.
    outputs = [str(label) for label in (classes[1:] if len(classes) == 2 else classes)] or [""]
    tables = [
        _of_output(curve, k, name) for curve in last.curves() for k, name in enumerate(outputs)
    ]
    pairs = last.pair_importance()
    names = [" x ".join(pair) for pair in pairs]
    tables.append(pd.DataFrame({"column": names, "importance": [*pairs.values()]}))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _of_output(curve: Any, place: int, name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "column": curve.column,
            "importance": curve.importance,
            "output": name,
            "bin": curve.bins,
            "low": np.asarray(curve.low, np.float64),
            "high": np.asarray(curve.high, np.float64),
            "n": curve.n,
            "score": curve.scores[:, place],
        }
    )
