"""A kept model's answers without tables in between.

For one row, most of the time of a scikit-learn pipeline goes into selecting and checking pandas
columns. Here the same fitted steps get the same values as arrays. Only steps known to take both are
used so, and only where the golden rows get the same answers to the last bit.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from student_perf.lifecycle.kept_model import KeptModel
from student_perf.lifecycle.request_rows import Columns

_STEPS = (SimpleImputer, StandardScaler, OneHotEncoder)


@dataclass(frozen=True)
class _Part:
    """The steps of some columns; `dtype` is that of their array."""

    columns: list[str]
    dtype: Any
    steps: list[Any]

    def transform(self, values: Columns) -> np.ndarray:
        array: Any = np.array([values[name] for name in self.columns], dtype=self.dtype).T
        if self.dtype is object:
            array[pd.isna(array)] = np.nan  # a table's mark of a missing word
        for step in self.steps:
            array = step.transform(array)
        return np.asarray(array)


@dataclass(frozen=True)
class ArrayModel:
    """The fitted steps of a pipeline, one after the other."""

    parts: list[_Part]
    model: Any
    is_classifier: bool

    def output(self, values: Columns) -> np.ndarray:
        """Probabilities (n, K) or numbers (n,) for values that the contract allows."""
        blocks = [part.transform(values) for part in self.parts]
        array = blocks[0] if len(blocks) == 1 else np.hstack(blocks)
        answer = self.model.predict_proba if self.is_classifier else self.model.predict
        return np.asarray(answer(array), dtype=np.float64)


def make_array_model(kept: KeptModel, golden: pd.DataFrame) -> ArrayModel | None:
    """The array form of a kept model, None where a step is not known to take arrays or the answers
    to the prepared golden rows differ in any bit.
    """
    pipeline = kept.model.estimator_ if kept.contract.classes else kept.model
    if not isinstance(pipeline, Pipeline):
        return None
    preprocess, model = pipeline.steps[0][1], pipeline.steps[-1][1]
    if not isinstance(preprocess, ColumnTransformer):
        return None
    if not isinstance(preprocess.transform(golden), np.ndarray):
        return None  # a model that was fitted on a table wants one
    parts = []
    for _, steps, columns in preprocess.transformers_:
        part = _part(steps, list(columns), kept)
        if part is None:
            return None
        parts.append(part)
    made = ArrayModel(parts, model, bool(kept.contract.classes))
    return made if np.array_equal(made.output(golden), kept.output(golden)) else None


def _part(steps: Any, columns: list[str], kept: KeptModel) -> _Part | None:
    if not isinstance(steps, Pipeline):
        return None
    plain = [copy.deepcopy(step) for _, step in steps.steps if step != "passthrough"]
    if not all(isinstance(step, _STEPS) for step in plain):
        return None
    if any(getattr(step, "sparse_output", False) for step in plain):
        return None
    for step in plain:
        vars(step).pop("feature_names_in_", None)  # else it warns that arrays have no names
    kinds = {kept.contract.columns[name].kind for name in columns}
    if len(kinds) != 1:
        return None
    return _Part(columns, np.float64 if kinds == {"numeric"} else object, plain)
