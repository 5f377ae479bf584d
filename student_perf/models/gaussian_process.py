"""Gaussian processes whose kernel is built from plain parameters, since YAML holds no kernels."""

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
_KERNEL_CONSTRAINTS: dict[str, list[Any]] = {
    "length_scale": [_POSITIVE],
    "amplitude": [_POSITIVE],
    "optimise": ["boolean"],
    "n_restarts": [Interval(Integral, 0, None, closed="left")],
    "random_state": ["random_state"],
}


def signal_kernel(length_scale: float, amplitude: float) -> Kernel:
    """amplitude^2 * exp(-d^2 / (2 length_scale^2)) for rows at a distance of d."""
    return ConstantKernel(amplitude**2) * RBF(length_scale)


class GPClassifier(ProbabilisticClassifier):
    """Gaussian process classifier, one against the rest, by Laplace's approximation.

    `length_scale` and `amplitude` are where the search for the highest marginal likelihood begins,
    or, without `optimise`, what they stay.
    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", chapter 3.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = _KERNEL_CONSTRAINTS

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

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit on numbers, shape (n, p), and classes `y`; time grows with the cube of n."""
        self._validate_params()
        self.estimator_ = GaussianProcessClassifier(
            signal_kernel(self.length_scale, self.amplitude),
            optimizer="fmin_l_bfgs_b" if self.optimise else None,
            n_restarts_optimizer=self.n_restarts,
            random_state=self.random_state,
        ).fit(X, y)
        self.classes_ = self.estimator_.classes_
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        check_is_fitted(self)
        probabilities: np.ndarray = self.estimator_.predict_proba(X)
        return probabilities


class GPRegressor(RegressorMixin, BaseEstimator):
    """Gaussian process regression with noise, on a standardised target.

    `noise` is the standard deviation of the noise as a share of the target's; it, `length_scale`
    and `amplitude` are where the search for the highest marginal likelihood begins, or, without
    `optimise`, what they stay. Source: Rasmussen and Williams 2006, chapter 2.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_KERNEL_CONSTRAINTS,
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
        self.length_scale = length_scale
        self.amplitude = amplitude
        self.noise = noise
        self.optimise = optimise
        self.n_restarts = n_restarts
        self.random_state = random_state

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Fit on numbers, shape (n, p), and the target `y`; time grows with the cube of n."""
        self._validate_params()
        self.estimator_ = GaussianProcessRegressor(
            signal_kernel(self.length_scale, self.amplitude) + WhiteKernel(self.noise**2),
            optimizer="fmin_l_bfgs_b" if self.optimise else None,
            n_restarts_optimizer=self.n_restarts,
            normalize_y=True,
            random_state=self.random_state,
        ).fit(X, y)
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Posterior means, shape (n,)."""
        check_is_fitted(self)
        means: np.ndarray = self.estimator_.predict(X)
        return means
