"""TabICL: a network that was trained on made tables answers from the training rows themselves.

A fit keeps the rows and the SHA-256 of the file of weights, nothing else; each process reads the
file before its first answer. Nothing here downloads it.

Sources: J. Qu, D. Holzmüller, G. Varoquaux and M. Le Morvan (2025), "TabICL", ICML, and (2026),
"TabICLv2", arXiv:2602.11139.
"""

from __future__ import annotations

import hashlib
import pickle
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from student_perf.encoders import categorical_columns
from student_perf.errors import ConfigError
from student_perf.models.probabilistic import ProbabilisticClassifier

_COUNT = Interval(Integral, 1, None, closed="left")
# TabICL's estimators with weights, of this process only: a model file has the rows and no weights.
_ready: WeakKeyDictionary[BaseEstimator, Any] = WeakKeyDictionary()


class _TabICL(BaseEstimator):
    """What both tasks share. Pandas categoricals count as their codes, all else as numbers.

    Each of `n_estimators` answers sees the columns in another order; they are averaged.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "checkpoint": [str, None],
        "n_estimators": [_COUNT],
        "n_jobs": [_COUNT],
        "random_state": ["random_state"],
    }
    weights: ClassVar[str]  # the file of jingang/TabICL that serves the task

    def __init__(
        self,
        checkpoint: str | None = None,
        n_estimators: int = 8,
        n_jobs: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.n_estimators = n_estimators
        self.n_jobs = n_jobs
        self.random_state = random_state

    def check_checkpoint(self) -> Path:
        """The file of weights. Raises ConfigError if there is none."""
        path = Path(self.checkpoint or "")
        if not path.is_file():
            raise ConfigError(
                f"model.checkpoint={self.checkpoint or 'null'}: has to be the file of TabICL's "
                f"weights, which nothing here downloads; get {self.weights} from jingang/TabICL on "
                "Hugging Face (licence BSD-3-Clause), and write "
                f"model.checkpoint={self.weights}"
            )
        return path

    def facts(self) -> dict[str, str]:
        """What a run notes of the fitted model: which weights answered."""
        check_is_fitted(self)
        return {"checkpoint_sha256": self.sha256_}

    def _keep(self, X: Any, y: np.ndarray) -> None:  # noqa: N803 (scikit-learn's name)
        self._validate_params()
        self.sha256_ = _sha256(self.check_checkpoint())
        self.categorical_ = categorical_columns(X)
        self.rows_ = self._numbers(X)
        self.target_ = y
        _ready.pop(self, None)  # of an earlier fit

    def _numbers(self, X: Any) -> np.ndarray:  # noqa: N803
        """Shape (n, p); a missing number stays NaN, a missing category is -1."""
        table = pd.DataFrame(X)
        codes = {name: table[name].cat.codes for name in self.categorical_}
        return table.assign(**codes).to_numpy(np.float64, na_value=np.nan)

    def _restored(self, kind: type) -> Any:
        """TabICL's estimator of class `kind` with the rows and the weights of the fit.

        Raises:
            ConfigError: The file of weights is absent, another one than that of the fit, or holds
                none.
        """
        check_is_fitted(self)
        if self not in _ready:
            path = self.check_checkpoint()
            if _sha256(path) != self.sha256_:
                raise ConfigError(
                    f"model.checkpoint={path}: is not the file that this model was fitted with "
                    f"(SHA-256 {self.sha256_[:12]}...); put that one there"
                )
            estimator = kind(
                model_path=path,
                allow_auto_download=False,
                device="cpu",
                n_estimators=self.n_estimators,
                n_jobs=self.n_jobs,
                random_state=self.random_state,
            )
            try:  # tabicl reads with weights_only=True, which takes arrays and plain values only
                _ready[self] = estimator.fit(self.rows_, self.target_)
            except (pickle.UnpicklingError, AssertionError, RuntimeError, EOFError) as error:
                raise ConfigError(
                    f"model.checkpoint={path}: does not hold weights that tabicl reads; get "
                    f"{self.weights} from jingang/TabICL on Hugging Face"
                ) from error
        return _ready[self]


class TabICLClassifier(ProbabilisticClassifier, _TabICL):
    """tabicl.TabICLClassifier with plain parameters and weights from a file."""

    weights = "tabicl-classifier-v2-20260212.ckpt"

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Keep a table or array of n rows and classes `y`, shape (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._keep(X, codes)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        from tabicl import TabICLClassifier as Theirs

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about scalings of constant columns
            probabilities = self._restored(Theirs).predict_proba(self._numbers(X))
        whole = probabilities.astype(np.float64)
        shares: np.ndarray = whole / whole.sum(
            axis=1, keepdims=True
        )  # float32 misses 1 by a little
        return shares


class TabICLRegressor(RegressorMixin, _TabICL):
    """tabicl.TabICLRegressor with plain parameters and weights from a file."""

    weights = "tabicl-regressor-v2-20260212.ckpt"

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Keep a table or array of n rows and the target `y`, shape (n,)."""
        self._keep(X, np.asarray(y, np.float64))
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers, shape (n,)."""
        from tabicl import TabICLRegressor as Theirs

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            numbers = self._restored(Theirs).predict(self._numbers(X))
        answers: np.ndarray = numbers.astype(np.float64)
        return answers


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
