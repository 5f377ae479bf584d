"""A kept model's answers without pandas tables.

For a few rows, a scikit-learn pipeline spends most of its time selecting and checking pandas
columns. Here numbers go through the same fitted steps as an array, and each allowed word goes
through its steps once, when the server starts. This covers only steps that treat each column by
itself, and only models that give the golden rows the same answers to the last bit.

What it saves, as the server's CPU time for one request, from tables -> from arrays, in ms:

    model, dataset                          1 row            100 rows         1000 rows
    logreg, 31 columns, 17 of them words    13.9 ->  1.2     18.4 ->  2.8     38.8 -> 19.0
    xgb, the same                           17.1 ->  2.0     19.7 ->  4.0     37.5 -> 20.0
    logreg, econmath (16 numbers)            5.4 ->  1.1      5.4 ->  2.1     12.8 -> 10.6
    xgb, econmath                            5.5 ->  1.9      8.3 ->  3.8     19.7 -> 16.2
    rf, econmath (its trees take the time)  28.2 -> 23.5     35.5 -> 29.1

`python benchmarks/serve.py` compares both, and MLflow's server, by answered requests.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from student_perf.data.contract import Contract
from student_perf.encoders import CategoryCodes, CategoryShares, CrossFittedTargetEncoder
from student_perf.evaluation.contained import contained
from student_perf.scoring.checks import checked_answer
from student_perf.serving.request_rows import Columns
from student_perf.store.kept_model import KeptModel

_OF_NUMBERS = (SimpleImputer, StandardScaler)
_OF_WORDS = (
    *_OF_NUMBERS,
    *(OneHotEncoder, CategoryCodes, CategoryShares, CrossFittedTargetEncoder),
)


class _Part(Protocol):
    """Some columns of the preprocessing."""

    def transform(self, values: Columns) -> np.ndarray:
        """The model's input from these columns, shape (n, p)."""


@dataclass(frozen=True)
class _Numbers:
    columns: list[str]
    steps: list[Any]

    def transform(self, values: Columns) -> np.ndarray:
        array: Any = np.array([values[name] for name in self.columns], dtype=np.float64).T
        for step in self.steps:
            array = step.transform(array)
        return np.asarray(array)


@dataclass(frozen=True)
class _Word:
    """A column of words: the figures of each, shape (number of words, width), and the places of
    these figures in the model's input.
    """

    name: str
    positions: dict[str | None, int]
    places: np.ndarray
    figures: np.ndarray

    def of(self, values: Iterable[Any]) -> np.ndarray:
        rows = [self.positions[value if isinstance(value, str) else None] for value in values]
        return np.asarray(self.figures[rows])


@dataclass(frozen=True)
class _Words:
    """Columns of words; `base` holds the figures that do not depend on any word."""

    words: list[_Word]
    base: np.ndarray

    def transform(self, values: Columns) -> np.ndarray:
        array = np.tile(self.base, (len(values[self.words[0].name]), 1))
        for word in self.words:
            array[:, word.places] = word.of(values[word.name])
        return array


@dataclass(frozen=True)
class ArrayModel:
    """The fitted steps of a pipeline, on arrays: `joint` are those on all prepared columns."""

    parts: list[_Part]
    joint: list[Any]
    model: Any
    n_classes: int

    def output(self, values: Columns) -> np.ndarray:
        """Probabilities (n, K) or numbers (n,) for values that the contract allows.

        Raises:
            ModelError: The answer breaks a rule of `scoring.checks`.
        """
        blocks = [part.transform(values) for part in self.parts]
        array = blocks[0] if len(blocks) == 1 else np.hstack(blocks)
        for step in self.joint:
            array = step.transform(array)
        answer = self.model.predict_proba if self.n_classes else self.model.predict
        with contained("for the rows of a request"):
            known = answer(array)
        return checked_answer(known, len(array), self.n_classes, "for the rows of a request")


def make_array_model(kept: KeptModel, golden: pd.DataFrame) -> ArrayModel | None:
    """The array form of a kept model.

    None if a step is not known to treat each column by itself, or if any answer to the prepared
    golden rows differs in any bit.
    """
    pipeline = kept.model.estimator_ if kept.contract.classes else kept.model
    if not isinstance(pipeline, Pipeline):
        return None
    preprocess, model = pipeline.steps[0][1], pipeline.steps[-1][1]
    joint = []
    if isinstance(preprocess, Pipeline):
        (_, preprocess), *named = preprocess.steps
        joint = [step for _, step in named]
    if not isinstance(preprocess, ColumnTransformer):
        return None
    if not isinstance(preprocess.transform(golden), np.ndarray):
        return None  # the model was fitted on a table and needs one
    parts = []
    for _, steps, columns in preprocess.transformers_:
        part = _part(steps, list(columns), kept.contract)
        if part is None:
            return None
        parts.append(part)
    made = ArrayModel(parts, joint, model, len(kept.contract.classes))
    return made if np.array_equal(made.output(golden), kept.output(golden)) else None


def _part(steps: Any, columns: list[str], contract: Contract) -> _Part | None:
    kinds = {contract.columns[name].kind for name in columns}
    if not isinstance(steps, Pipeline) or len(kinds) != 1 or "text" in kinds:
        return None
    used = [step for _, step in steps.steps if step != "passthrough"]
    if kinds == {"categorical"}:
        is_known = bool(used) and all(isinstance(step, _OF_WORDS) for step in used)
        return _words(steps, columns, contract) if is_known else None
    if not all(isinstance(step, _OF_NUMBERS) for step in used):
        return None
    plain = copy.deepcopy(used)
    for step in plain:
        vars(step).pop("feature_names_in_", None)  # or it warns that arrays have no names
    return _Numbers(columns, plain)


def _words(steps: Pipeline, columns: list[str], contract: Contract) -> _Words | None:
    """The figures of every allowed word: those that change if only its column changes.

    None if two columns change the same figure, or if the steps do not return a plain array.
    """
    allowed = {name: _values(contract, name) for name in columns}
    if not all(allowed.values()):
        return None
    first = {name: values[0] for name, values in allowed.items()}
    words: list[_Word] = []
    taken: set[int] = set()
    base = np.empty(0)
    for name, values in allowed.items():
        rows = [first | {name: value} for value in values]
        figures = steps.transform(pd.DataFrame(rows, columns=columns, dtype="str"))
        if not isinstance(figures, np.ndarray):
            return None
        base = figures[0]
        places = np.flatnonzero((figures != base).any(axis=0))
        if taken & set(places.tolist()):
            return None
        taken |= set(places.tolist())
        positions = {value: position for position, value in enumerate(values)}
        words.append(_Word(name, positions, places, figures[:, places]))
    return _Words(words, base)


def _values(contract: Contract, name: str) -> list[str | None]:
    rules = contract.columns[name]
    return [*(rules.categories or []), *([None] if rules.may_be_missing else [])]
