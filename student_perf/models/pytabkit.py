"""RealMLP: a network whose layers, preprocessing and schedules were chosen on many tables.

Only a fit needs pytabkit and PyTorch. What it has learned are arrays, and a fitted model holds
nothing else: NumPy computes its answers, and its file names no class of either library.

Source: D. Holzmüller, L. Grinsztajn and I. Steinwart (2024), "Better by default: strong pre-tuned
MLPs and boosted trees on tabular data", NeurIPS.
"""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from student_perf.encoders import categorical_columns
from student_perf.models.probabilistic import ProbabilisticClassifier

_COUNT = Interval(Integral, 1, None, closed="left")
_FEW = (
    9  # categories, a missing one among them, that get a column each; of more, each gets a vector
)
_ROWS_AT_ONCE = 4096
_SELU = (1.0507009873554805, 1.6732632423543772)  # scale and alpha of Klambauer et al. (2017)


class _RealMLP(BaseEstimator):
    """What both tasks share. Pandas categoricals count as categories, all else as numbers, in which
    a missing cell counts as the median.

    Each of `n_cv` networks stops at the epoch that is best on rows of its own: a part of `n_cv`, or
    with a single network `val_fraction` of the rows. Their answers are averaged.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_hidden_layers": [_COUNT],
        "hidden_width": [_COUNT],
        "n_epochs": [_COUNT],
        "batch_size": [_COUNT],
        "lr": [Interval(Real, 0, None, closed="neither"), None],
        "wd": [Interval(Real, 0, None, closed="left")],
        "p_drop": [Interval(Real, 0, 1, closed="left")],
        "plr_sigma": [Interval(Real, 0, None, closed="neither")],
        "n_cv": [_COUNT],
        "val_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_jobs": [_COUNT],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_hidden_layers: int = 3,
        hidden_width: int = 256,
        n_epochs: int = 256,
        batch_size: int = 256,
        lr: float | None = None,
        wd: float = 0.02,
        p_drop: float = 0.15,
        plr_sigma: float = 0.1,
        n_cv: int = 1,
        val_fraction: float = 0.2,
        n_jobs: int = 1,
        random_state: int | None = None,
    ) -> None:
        self.n_hidden_layers = n_hidden_layers
        self.hidden_width = hidden_width
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.wd = wd
        self.p_drop = p_drop
        self.plr_sigma = plr_sigma
        self.n_cv = n_cv
        self.val_fraction = val_fraction
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _learn(self, kind: type, X: Any, y: np.ndarray, **settings: Any) -> None:  # noqa: N803 (scikit-learn's name)
        """Fit networks of pytabkit's class `kind` and keep their arrays."""
        table = pd.DataFrame(X)
        categories = set(categorical_columns(X))
        self.is_word_ = [name in categories for name in table]
        self._learn_columns(table)
        parameters = self.get_params() | settings | {"hidden_sizes": "rectangular"}
        n_jobs = parameters.pop("n_jobs")
        network = kind(**parameters, n_threads=n_jobs, device="cpu", verbosity=0)
        numbers, codes = self._columns(table)
        words = np.where(codes == 0, np.nan, codes)  # pytabkit's own code of a missing cell is 0
        is_word = [False] * numbers.shape[1] + [True] * codes.shape[1]
        with warnings.catch_warnings(), _own_interrupt():
            warnings.simplefilter("ignore")  # Lightning's advice on loaders and loggers
            network.fit(pd.DataFrame(np.hstack([numbers, words])), y, cat_indicator=is_word)
        self._keep(network)

    def _learn_columns(self, table: pd.DataFrame) -> None:
        """Medians of the numbers, and of each category its place among those that have a row."""
        numbers = _numbers(table, self.is_word_)
        self.medians_ = np.array([np.median(_known(column)) for column in numbers.T])
        self.places_ = []
        for column in _words(table, self.is_word_):
            codes = column.cat.codes.to_numpy()
            places = np.zeros(len(column.cat.categories) + 1, np.int64)  # the last: a missing one
            seen = np.unique(codes[codes >= 0])
            places[seen] = np.arange(1, len(seen) + 1)
            self.places_.append(places)

    def _columns(self, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Numbers around their median, shape (n, p), and places of categories, shape (n, q), 0 for
        a missing or unknown one.
        """
        numbers = np.nan_to_num(_numbers(table, self.is_word_) - self.medians_, nan=0.0)
        words = zip(self.places_, _words(table, self.is_word_), strict=True)
        placed = [places[column.cat.codes.to_numpy()] for places, column in words]
        return numbers, np.array(placed, np.int64).reshape(len(placed), len(table)).T

    def _keep(self, network: Any) -> None:
        """The arrays of each fitted network, in the order in which a row meets them."""
        fitted = network.alg_interface_.model
        layers = [*fitted.creator.static_model.modules(), *fitted.model.modules()]
        sizes = [int(places.max()) + 1 for places in self.places_]
        self.members_ = [_member(layers, m, sizes) for m in range(self.n_cv)]

    def _outputs(self, X: Any) -> np.ndarray:  # noqa: N803
        """What each network gives for each row, shape (members, n, outputs)."""
        check_is_fitted(self)
        numbers, codes = self._columns(pd.DataFrame(X))
        starts = range(0, max(len(numbers), 1), _ROWS_AT_ONCE)
        parts = [slice(start, start + _ROWS_AT_ONCE) for start in starts]
        return np.array(
            [
                np.concatenate([self._forward(one, numbers[part], codes[part]) for part in parts])
                for one in self.members_
            ]
        )

    def _forward(
        self, member: dict[str, Any], numbers: np.ndarray, codes: np.ndarray
    ) -> np.ndarray:
        scaled = _smooth_clip((numbers + member["shift"]) * member["factor"])
        waves = np.cos(2 * np.pi * scaled[..., None] * member["waves"] + member["phases"])
        mixed = np.einsum("nph,pho->npo", waves, member["mix"], optimize=True) + member["mix_bias"]
        words = [table[codes[:, column]] for column, table in member["tables"]]
        row = np.hstack([mixed.reshape(len(numbers), -1), scaled, *words])
        *hidden, (weights, bias) = member["layers"]
        for inner, offset, bend in hidden:
            row = row @ inner + offset
            row += (self._activation(row) - row) * bend
        outputs: np.ndarray = row @ weights + bias
        return outputs

    @staticmethod
    def _activation(values: np.ndarray) -> np.ndarray:
        raise NotImplementedError


class RealMLPClassifier(ProbabilisticClassifier, _RealMLP):
    """pytabkit.RealMLP_TD_Classifier with plain parameters; its epoch is the best by log loss."""

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and classes `y`, shape (n,)."""
        from pytabkit import RealMLP_TD_Classifier

        self._validate_params()
        self.classes_, codes = np.unique(y, return_inverse=True)
        # Without smoothed labels, as TabArena runs it: probabilities are answers here.
        self._learn(RealMLP_TD_Classifier, X, codes, use_ls=False, val_metric_name="cross_entropy")
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803
        """Probabilities, shape (n, K), columns in the order of `classes_`."""
        probabilities: np.ndarray = softmax(self._outputs(X), axis=2).mean(axis=0)
        return probabilities

    @staticmethod
    def _activation(values: np.ndarray) -> np.ndarray:
        scale, alpha = _SELU
        return scale * np.where(values > 0, values, alpha * np.expm1(np.minimum(values, 0)))


class RealMLPRegressor(RegressorMixin, _RealMLP):
    """pytabkit.RealMLP_TD_Regressor with plain parameters; answers keep to the target's range."""

    def fit(self, X: Any, y: np.ndarray) -> Self:  # noqa: N803
        """Fit on a table or array of n rows and the target `y`, shape (n,)."""
        from pytabkit import RealMLP_TD_Regressor

        self._validate_params()
        self._learn(RealMLP_TD_Regressor, X, np.asarray(y, np.float64))
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        """Numbers, shape (n,)."""
        outputs = self._outputs(X)[:, :, 0]
        units = [(m["mean"], m["std"], m["low"], m["high"]) for m in self.members_]
        members = [
            np.clip(output * std + mean, low, high)
            for output, (mean, std, low, high) in zip(outputs, units, strict=True)
        ]
        numbers: np.ndarray = np.mean(members, axis=0)
        return numbers

    @staticmethod
    def _activation(values: np.ndarray) -> np.ndarray:
        mish: np.ndarray = values * np.tanh(np.logaddexp(0, values))
        return mish


def _numbers(table: pd.DataFrame, is_word: list[bool]) -> np.ndarray:
    """The columns of numbers, shape (n, p)."""
    numbers = table.loc[:, ~np.array(is_word, bool)]
    return numbers.to_numpy(np.float64, na_value=np.nan)


def _words(table: pd.DataFrame, is_word: list[bool]) -> list[pd.Series]:
    """The columns of categories."""
    return [table.iloc[:, i] for i, word in enumerate(is_word) if word]


def _known(column: np.ndarray) -> np.ndarray:
    """The cells that are there, a 0 if none is."""
    known: np.ndarray = column[~np.isnan(column)]
    return known if len(known) else np.zeros(1)


def _smooth_clip(values: np.ndarray) -> np.ndarray:
    """Values within -3 and 3, nearly unchanged around 0."""
    clipped: np.ndarray = values / np.hypot(1, values / 3)
    return clipped


def _member(layers: list[Any], m: int, sizes: list[int]) -> dict[str, Any]:
    """The arrays of network `m` of those that the fitted layers hold together.

    `sizes` counts the places of each column of categories.
    """
    of_kind: dict[str, list[Any]] = {}
    for layer in layers:
        is_trained = next(layer.parameters(recurse=False), None) is not None
        of_kind.setdefault(type(layer).__name__ + ("" if is_trained else ", given"), []).append(
            layer
        )
    # Preprocessing of numbers, if there are some, then that of categories in columns of their own.
    shifts = [_array(layer.bias, m)[0] for layer in of_kind.get("BiasLayer, given", [])]
    factors = [_array(layer.scale, m)[0] for layer in of_kind.get("ScaleLayer, given", [])]
    (waves,) = of_kind["PLREmbeddingsLayerCosBias"]
    has_numbers = len(_array(waves.weight_1, m)) > 0
    vectors = [_array(layer.emb, m) for layer in of_kind.get("SingleEmbeddingLayer", [])]
    units = {
        name: float(_array(getattr(layer, name), m).item())
        for kind, names in (
            ("NormalizeOutputLayer", ("mean", "std")),
            ("ClampLayer", ("low", "high")),
        )
        for layer in of_kind.get(f"{kind}, given", [])
        for name in names
    }
    return units | {
        "shift": shifts[0] if has_numbers else np.zeros(0),
        "factor": factors[0] if has_numbers else np.zeros(0),
        "waves": _array(waves.weight_1, m)[:, 0],
        "phases": _array(waves.bias_1, m)[:, 0],
        "mix": _array(waves.weight_2, m),
        "mix_bias": _array(waves.bias_2, m)[:, 0],
        "tables": _tables(sizes, shifts[has_numbers:], factors[has_numbers:], vectors),
        "layers": _dense(of_kind, m),
    }


def _tables(
    sizes: list[int], shifts: list[np.ndarray], factors: list[np.ndarray], vectors: list[np.ndarray]
) -> list[list[Any]]:
    """For each column of categories its number and what each of its places becomes, in the order in
    which the network takes them: first those in columns of their own.
    """
    few, start = [], 0
    for column, size in enumerate(sizes):
        if size > _FEW:
            continue
        own = _one_hot(size)
        part = slice(start, start := start + own.shape[1])
        if own.shape[1]:
            own = _smooth_clip((own + shifts[0][part]) * factors[0][part])
        few.append([column, own])
    many = [column for column, size in enumerate(sizes) if size > _FEW]
    return few + [[column, one] for column, one in zip(many, vectors, strict=True)]


def _one_hot(size: int) -> np.ndarray:
    """Columns of each place, as pytabkit codes them: place 0 is a missing category."""
    if size == 2:
        return np.array([[-1.0], [1.0]])
    if size == 3:
        return np.array([[0.0], [1.0], [-1.0]])
    return np.eye(size)[:, 1:]


def _dense(of_kind: dict[str, list[Any]], m: int) -> list[list[np.ndarray]]:
    """Weights and bias of each layer, of all but the last with how far its activation counts."""
    weights = [_array(layer.weight, m) * layer.factor for layer in of_kind["WeightLayer"]]
    (front,) = of_kind["ScaleLayer"]
    weights[0] = _array(front.scale, m).T * weights[0]
    biases = [_array(layer.bias, m)[0] for layer in of_kind["BiasLayer"]]
    bends = [_array(layer.weight, m)[0] for layer in of_kind["ParametricActivationLayer"]]
    *hidden, last = [[np.float32(w), b] for w, b in zip(weights, biases, strict=True)]
    return [*([*layer, bend] for layer, bend in zip(hidden, bends, strict=True)), last]


def _array(values: Any, m: int) -> np.ndarray:
    """The part of network `m` in PyTorch's values."""
    array: np.ndarray = values.detach().numpy()[m].astype(np.float64)
    return array


@contextmanager
def _own_interrupt() -> Iterator[None]:
    """Lightning answers Ctrl-C by an end of the process, and ignores the next one. Here it stays
    what it was.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)
        if isinstance(error.__context__, KeyboardInterrupt):
            raise error.__context__ from None
        raise
