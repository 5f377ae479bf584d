"""Models that misbehave, each in one way: what they do must stay theirs."""

from __future__ import annotations

import os
import random
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

LEFT_BEHIND = "STUDENT_PERF_LEFT_BEHIND"


class _Ending(BaseException):
    """What no `except Exception` catches."""


class _MuteError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def _raise(error):
    raise error


# What a fit or a predict raises, and a word of the line that must say so.
RAISED = {
    "SystemExit: 0": lambda: sys.exit(0),
    "SystemExit: enough": lambda: sys.exit("enough"),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt),
    "GeneratorExit": lambda: _raise(GeneratorExit),
    "_Ending: over": lambda: _raise(_Ending("over")),
    "ValueError: menu\\udce9": lambda: _raise(ValueError("menu\udce9")),
    "ValueError: xxxx": lambda: _raise(ValueError("x" * 1_000_000)),
    "_MuteError": lambda: _raise(_MuteError),
}

# What an answer of right probabilities, shape (n, K), becomes, and a word of the line.
ANSWERED = {
    "that sum to 3": lambda p: np.full_like(p, 3 / p.shape[1]),
    "nan": lambda p: p * np.nan,
    "inf": lambda p: p + np.inf,
    "from 0 to 1": lambda p: p - 1,
    "rows": lambda p: p[:-1],
    "classes": lambda p: np.column_stack([p, 0 * p[:, 0]]),
    "shape": lambda p: p[:, 0],
    "of <U": lambda p: p.astype(str),
    "NoneType": lambda _: None,
    "of object": lambda p: np.array([["a"] * p.shape[1]] * len(p), dtype=object),
    "complex": lambda p: p.astype(complex),
}

# The same for numbers, shape (n,).
NUMBERS = {
    "nan": lambda y: y * np.nan,
    "-inf": lambda y: y - np.inf,
    "rows": lambda y: y[1:],
    "shape": lambda y: y[:, None],
    "of <U": lambda y: y.astype(str),
    "NoneType": lambda _: None,
}

# What a fit does to the process.
CHANGES = {
    "seeds": lambda: (np.random.seed(0), random.seed(0)),
    "generator": lambda: np.random.set_bit_generator(np.random.PCG64(0)),
    "folder": lambda: os.chdir("/"),
    "environment": lambda: (os.environ.update({LEFT_BEHIND: "1"}), os.environ.pop("PATH", None)),
    "filters": lambda: warnings.simplefilter("error"),
    "float errors": lambda: np.seterr(all="raise"),
    "options": lambda: __import__("sklearn").set_config(transform_output="pandas"),
    "streams": lambda: (setattr(sys, "stdout", None), setattr(sys, "stderr", None)),
    "thread": lambda: threading.Thread(target=lambda: None).start(),
}


def change_in_place(table):
    """Make everything in an array, a sparse matrix or a table wrong, past what protects it."""
    if scipy.sparse.issparse(table):
        table.data[:] = 0
        table.indices[:] = 0
    elif isinstance(table, pd.DataFrame):
        for name in table:
            array = table[name].array
            if table[name].dtype == "category":
                array._ndarray[:] = 0
            elif table[name].dtype == np.float64:
                numbers = np.asarray(table[name])
                numbers.setflags(write=True)  # what scikit-learn does with `copy=False`
                numbers[:] = 0
    else:
        table[:] = 0


class Shares(ClassifierMixin, BaseEstimator):
    """Answers the share of each class, after doing something else."""

    def __init__(self, in_fit=None, in_predict=None, answer=None, changes_data=False):
        self.in_fit = in_fit
        self.in_predict = in_predict
        self.answer = answer
        self.changes_data = changes_data

    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.shares_ = counts / len(y)
        if self.changes_data:
            change_in_place(X)
            y[:] = 0
        if self.in_fit:
            self.in_fit()
        return self

    def predict_proba(self, X):
        if self.changes_data:
            change_in_place(X)
        if self.in_predict:
            self.in_predict()
        probabilities = np.tile(self.shares_, (X.shape[0], 1))
        return self.answer(probabilities) if self.answer else probabilities


class Mean(RegressorMixin, BaseEstimator):
    """Answers the mean, made into something else."""

    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, X, y):
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X):
        numbers = np.full(X.shape[0], self.mean_)
        return self.answer(numbers) if self.answer else numbers


class Drawing(ClassifierMixin, BaseEstimator):
    """Draws from the global random numbers, as models without a `random_state` do."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        numbers = np.random.rand(X.shape[0], len(self.classes_)) + random.random()
        return numbers / numbers.sum(axis=1, keepdims=True)
