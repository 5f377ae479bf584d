"""Gaussian processes with plain parameters in place of a kernel.

Both tasks share `length_scale` and `amplitude`, in units that a search space can name; a kernel
object would have other keys for each task, and squares of these numbers as values.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from student_perf.models.probabilistic import ProbabilisticClassifier

_POSITIVE = Interval(Real, 0, None, closed="neither")


class _GaussianProcess(BaseEstimator):
    """What both tasks share.

    `length_scale` and `amplitude` are where the search for the highest marginal likelihood starts;
    without `optimise` they stay as they are.
    Source: Rasmussen and Williams (2006), "Gaussian Processes for Machine Learning".
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "length_scale": [_POSITIVE],
        "amplitude": [_POSITIVE],
        "optimise": ["boolean"],
        "n_restarts": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        length_scale: float = 3.0,
        amplitude: float = 1.0,
        optimise: bool = True,
        n_restarts: int = 0,
        random_state: int | None = None,
    ) -> None:
        self.length_scale = length_scale
        self.amplitude = amplitude
        self.optimise = optimise
        self.n_restarts = n_restarts
        self.random_state = random_state

    def _signal(self) -> Kernel:
        """amplitude^2 * exp(-d^2 / (2 length_scale^2)) for rows at a distance of d."""
        return ConstantKernel(self.amplitude**2) * RBF(self.length_scale)

    def _search(self) -> dict[str, Any]:
        return {
            "optimizer": "fmin_l_bfgs_b" if self.optimise else None,
            "n_restarts_optimizer": self.n_restarts,
            "random_state": self.random_state,
        }


class GPClassifier(ProbabilisticClassifier, _GaussianProcess):
    """Gaussian process classifier, one against the rest, by Laplace's approximation (chapter 3)."""

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit on numbers, shape (n, p), and classes `y`; time grows with the cube of n."""
        self._validate_params()
        self.estimator_ = GaussianProcessClassifier(self._signal(), **self._search()).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self


class GPRegressor(RegressorMixin, _GaussianProcess):
    """Gaussian process regression with noise, on a standardised target (chapter 2).

    `noise` is the standard deviation of the noise as a share of the target's; the search adjusts it
    with the other two.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_GaussianProcess._parameter_constraints,
        "noise": [_POSITIVE],
    }

    def __init__(
        self,
        length_scale: float = 3.0,
        amplitude: float = 1.0,
        noise: float = 0.5,
        optimise: bool = True,
        n_restarts: int = 0,
        random_state: int | None = None,
    ) -> None:
        super().__init__(length_scale, amplitude, optimise, n_restarts, random_state)
        self.noise = noise

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Fit on numbers, shape (n, p), and the target `y`; time grows with the cube of n."""
        self._validate_params()
        kernel = self._signal() + WhiteKernel(self.noise**2)
        model = GaussianProcessRegressor(kernel, normalize_y=True, **self._search())
        self.estimator_ = model.fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Posterior means, shape (n,)."""
        check_is_fitted(self)
        means: np.ndarray = self.estimator_.predict(X)
        return means
