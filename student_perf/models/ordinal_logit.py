"""Proportional-odds logistic regression for ordered classes."""

from __future__ import annotations

import warnings
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_array, check_is_fitted

from student_perf.models.probabilistic import ProbabilisticClassifier

_LOG_GAP = (-30.0, 30.0)  # beyond, a step of the search would overflow


class OrdinalLogit(ProbabilisticClassifier):
    """P(y <= k | x) = expit(threshold_k - x'coef): one direction for all bounds between classes.

    Minimises C * sum of negative log-likelihoods + 0.5 * |coef|^2, as LogisticRegression does.
    Source: P. McCullagh (1980), "Regression Models for Ordinal Data", JRSS B 42.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "C": [Interval(Real, 0, None, closed="right")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, C: float = 1.0, tol: float = 1e-5, max_iter: int = 500) -> None:  # noqa: N803
        self.C = C
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit on numbers, shape (n, p), and classes `y` whose sorted values are their order."""
        self._validate_params()
        features = check_array(X, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        shares = np.bincount(codes).cumsum()[:-1] / len(codes)
        bounds = np.log(shares / (1 - shares))  # the fit if no feature matters
        steps = [*bounds[:1], *np.log(np.diff(bounds))]
        start = np.concatenate([np.zeros(features.shape[1]), steps])
        result = minimize(
            penalised_loss,
            start,
            args=(features, codes, self.C),
            jac=True,
            method="L-BFGS-B",
            bounds=[(None, None)] * (len(start) - len(steps) + 1) + [_LOG_GAP] * (len(steps) - 1),
            options={"maxiter": self.max_iter, "gtol": self.tol * max(1.0, self.C)},
        )
        if not result.success:
            warnings.warn(
                f"model.max_iter={self.max_iter}: the fit of OrdinalLogit did not converge; "
                "raise it or lower model.C",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.coef_ = result.x[: features.shape[1]]
        self.thresholds_ = _thresholds(result.x[features.shape[1] :])
        self.n_iter_ = int(result.nit)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        check_is_fitted(self)
        direction = check_array(X, dtype=np.float64) @ self.coef_
        below = expit(self.thresholds_ - direction[:, None])
        nothing, everything = np.zeros((len(below), 1)), np.ones((len(below), 1))
        probabilities: np.ndarray = np.diff(np.hstack([nothing, below, everything]), axis=1)
        return probabilities


def penalised_loss(
    parameters: np.ndarray,
    features: np.ndarray,
    codes: np.ndarray,
    C: float,  # noqa: N803
) -> tuple[float, np.ndarray]:
    """Loss and gradient at `parameters`: p coefficients, the first threshold, log gaps to the next.

    `features` has shape (n, p), `codes` are 0..K-1. With upper bound a and lower bound b of a row's
    class, expit(a) - expit(b) = expit(a) * expit(-b) * (1 - exp(b - a)). This form loses no digits,
    and a - b is a gap between two thresholds, the same for all rows of a class.
    """
    n_features = features.shape[1]
    coef, steps = parameters[:n_features], parameters[n_features:]
    direction = features @ coef
    inner = np.exp(steps[1:])
    padded = np.concatenate([[-np.inf], _thresholds(steps), [np.inf]])
    upper, lower = padded[codes + 1] - direction, padded[codes] - direction
    count = np.bincount(codes, minlength=len(steps) + 1)
    log_likelihood = (
        log_expit(upper).sum() + log_expit(-lower).sum() + count[1:-1] @ np.log(-np.expm1(-inner))
    )
    from_above, from_below = expit(-upper), expit(lower)
    by_direction = from_below - from_above
    by_threshold = (
        np.bincount(codes, from_above, len(count))[:-1]
        - np.bincount(codes, from_below, len(count))[1:]
    )
    # Each step moves its own and all higher thresholds.
    by_step = by_threshold[::-1].cumsum()[::-1]
    # 1 / expm1(gap), written so that a wide gap does not overflow
    pull = np.exp(-inner) / -np.expm1(-inner)
    by_step[1:] = inner * (by_step[1:] + count[1:-1] * pull)
    gradient = -C * np.concatenate([features.T @ by_direction, by_step])
    gradient[:n_features] += coef
    return float(-C * log_likelihood + 0.5 * coef @ coef), gradient


def _thresholds(steps: np.ndarray) -> np.ndarray:
    """Rising thresholds from the first one and the logs of the gaps."""
    return np.concatenate([steps[:1], steps[0] + np.exp(steps[1:]).cumsum()])
