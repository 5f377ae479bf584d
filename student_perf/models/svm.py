"""A support vector classifier with probabilities."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC
from sklearn.utils._param_validation import Interval

from student_perf.models.probabilistic import ProbabilisticClassifier

_SVC_PARAMETERS = ("C", "kernel", "degree", "gamma", "coef0", "shrinking", "tol", "class_weight")


class CalibratedSVC(ProbabilisticClassifier):
    """One SVC on all rows, and a sigmoid, fitted to `cv` held-out parts, for its probabilities.

    scikit-learn deprecated SVC(probability=True), which did the same with folds of its own.
    Source: J. Platt (1999), "Probabilistic Outputs for Support Vector Machines".
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **{name: SVC._parameter_constraints[name] for name in _SVC_PARAMETERS},
        "cv": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        C: float = 1.0,  # noqa: N803 (scikit-learn's name)
        kernel: str = "rbf",
        degree: int = 3,
        gamma: float | str = "scale",
        coef0: float = 0.0,
        shrinking: bool = True,
        tol: float = 1e-3,
        class_weight: Any = None,
        cv: int = 5,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.degree = degree
        self.gamma = gamma
        self.coef0 = coef0
        self.shrinking = shrinking
        self.tol = tol
        self.class_weight = class_weight
        self.cv = cv

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803
        """Fit on numbers, shape (n, p), and classes `y`, shape (n,)."""
        self._validate_params()
        machine = SVC(**{name: getattr(self, name) for name in _SVC_PARAMETERS})
        calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=self.cv, ensemble=False)
        self.estimator_ = calibrated.fit(X, y, sample_weight)
        self.classes_ = self.estimator_.classes_
        return self
