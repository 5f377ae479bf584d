"""Regressors fitted to a standardised target, since their parameters depend on its unit.

Points out of 20 and out of 100 then need the same C, epsilon or learning rate.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR


class _StandardisedTarget:
    """Fits to (y - mean) / std of the training rows and answers in the unit of `y`."""

    def fit(self, X: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:  # noqa: N803 (scikit-learn's name)
        """Fit on numbers, shape (n, p), and the target `y`, shape (n,)."""
        # The parent's fit may call predict, which must answer in standardised units until then.
        self.target_mean_, self.target_std_ = 0.0, 1.0
        mean, std = float(np.mean(y)), float(np.std(y)) or 1.0
        super().fit(X, (y - mean) / std, sample_weight)  # type: ignore[misc]
        self.target_mean_, self.target_std_ = mean, std
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers in the unit of the target, shape (n,)."""
        standardised: np.ndarray = super().predict(X)  # type: ignore[misc]
        return standardised * self.target_std_ + self.target_mean_


class ScaledSVR(_StandardisedTarget, SVR):
    """scikit-learn's SVR on a standardised target."""


class ScaledMLPRegressor(_StandardisedTarget, MLPRegressor):
    """scikit-learn's MLPRegressor on a standardised target."""
