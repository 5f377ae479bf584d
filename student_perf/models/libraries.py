"""The libraries that models come from: one entry each, with all that the project knows of it.

To add a library, write its entry here and its files in conf/model and conf/search. Nothing here
imports a library before a model needs it.

>>> allowed_prefixes()
('sklearn.', 'xgboost.', 'lightgbm.', 'student_perf.models.', 'student_perf.encoders.')
>>> packages_of(["lightgbm.basic.Booster"])
['scikit-learn', 'numpy', 'scipy', 'pandas', 'lightgbm']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.config.trusted import trusted_modules

_WATCHED = (
    "stops by rows set aside, which a fold does not have; leave it out, and search the number of "
    "trees instead"
)
OWN_PREFIXES = ("student_perf.models.", "student_perf.encoders.")


@dataclass(frozen=True)
class Library:
    """One library by its import `name`.

    Attributes:
        packages: Distributions that bring it; of alternatives, the installed one counts.
        is_wrapped: Whether configs name the classes of `student_perf/models/<name>.py` instead.
        extra: Optional dependency of this project that installs it.
        keywords: Parameters with their types that its classes take without listing them.
        trusted_classes: Classes that a model file may restore beside scikit-learn's estimators,
            by the name of the defining module. Each was reviewed: none runs code from the file.
        trusted_functions: Functions that a model file may hold.
        unserved: Parameters that its classes take but that cannot work here, with the reason.
        train: Fits an estimator to a few rows, for a library that checks ranges only then, or
            raises ConfigError if something that a fit needs is absent.
        file: Gives the file beside the rows that an estimator answers from, or raises ConfigError.
        many_trees: Options of conf/model that `compare` counts as forests and boosting.

    """

    name: str
    packages: tuple[str, ...]
    is_wrapped: bool = False
    extra: str | None = None
    keywords: Mapping[str, type] = field(default_factory=dict)
    trusted_classes: tuple[str, ...] = ()
    trusted_functions: tuple[str, ...] = ()
    unserved: Mapping[str, str] = field(default_factory=dict)
    train: Callable[[Any], None] | None = None
    file: Callable[[Any], Path] | None = None
    many_trees: tuple[str, ...] = ()

    def holds(self, cls: type) -> bool:
        """Whether a class is defined by the library, or by the module that wraps it."""
        wrapper = f"student_perf.models.{self.name}"
        return cls.__module__.split(".")[0] == self.name or cls.__module__ == wrapper


def _train_xgboost(estimator: Any) -> None:
    import xgboost

    parameters = {**estimator.get_xgb_params(), "n_jobs": 1}
    if str(parameters.get("objective")).startswith("multi:"):
        parameters["num_class"] = 2  # which the estimator counts when it is fitted
    two_rows = xgboost.DMatrix(np.zeros((2, 1)), label=[0, 1], nthread=1)
    xgboost.train(parameters, two_rows, num_boost_round=1)


def _train_lightgbm(estimator: Any) -> None:
    import lightgbm

    parameters = {**estimator.get_params(), "n_jobs": 1, "verbosity": -1, "objective": "l2"}
    rows = lightgbm.Dataset(np.arange(40.0)[:, None], label=np.arange(40.0), params=parameters)
    lightgbm.train(parameters, rows, num_boost_round=1)


def _train_catboost(estimator: Any) -> None:
    import catboost

    parameters = {**estimator.catboost_parameters(), "iterations": 1, "thread_count": 1}
    catboost.CatBoostRegressor(**parameters).fit(np.arange(8.0)[:, None], np.arange(8.0))


LIBRARIES = (
    Library(
        "sklearn",
        packages=("scikit-learn", "numpy", "scipy", "pandas"),
        trusted_classes=(
            "sklearn._loss.link.HalfLogitLink",
            "sklearn._loss.link.IdentityLink",
            "sklearn._loss.link.Interval",
            "sklearn._loss.link.LogLink",
            "sklearn._loss.link.LogitLink",
            "sklearn._loss.link.MultinomialLogit",
            "sklearn._loss.loss.AbsoluteError",
            "sklearn._loss.loss.ExponentialLoss",
            "sklearn._loss.loss.HalfBinomialLoss",
            "sklearn._loss.loss.HalfGammaLoss",
            "sklearn._loss.loss.HalfMultinomialLoss",
            "sklearn._loss.loss.HalfPoissonLoss",
            "sklearn._loss.loss.HalfSquaredError",
            "sklearn._loss.loss.HuberLoss",
            "sklearn._loss.loss.PinballLoss",
            "sklearn.calibration._CalibratedClassifier",
            "sklearn.calibration._SigmoidCalibration",
            "sklearn.calibration._TemperatureScaling",
            "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
            "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
            "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
            "sklearn.gaussian_process.kernels.ConstantKernel",
            "sklearn.gaussian_process.kernels.Product",
            "sklearn.gaussian_process.kernels.RBF",
            "sklearn.gaussian_process.kernels.Sum",
            "sklearn.gaussian_process.kernels.WhiteKernel",
            "sklearn.impute._iterative.IterativeImputer",
            "sklearn.model_selection._split.KFold",
            "sklearn.model_selection._split.StratifiedKFold",
            "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        ),
        trusted_functions=("sklearn.utils.validation.check_array",),  # hist_gb keeps it
        many_trees=("rf", "extra_trees", "hist_gb"),
    ),
    Library(
        "xgboost",
        packages=("xgboost-cpu", "xgboost"),
        trusted_classes=(
            "xgboost.core.Booster",
            "xgboost.sklearn.XGBClassifier",
            "xgboost.sklearn.XGBRegressor",
        ),
        unserved={"early_stopping_rounds": _WATCHED},
        train=_train_xgboost,
        many_trees=("xgb",),
    ),
    Library(
        "lightgbm",
        packages=("lightgbm",),
        extra="boosting",
        keywords={"verbosity": int},
        trusted_classes=(
            "lightgbm.basic.Booster",
            "lightgbm.sklearn.LGBMClassifier",
            "lightgbm.sklearn.LGBMRegressor",
        ),
        unserved={"early_stopping_round": _WATCHED, "early_stopping_rounds": _WATCHED},
        train=_train_lightgbm,
        many_trees=("lightgbm",),
    ),
    Library(
        "catboost",
        packages=("catboost",),
        is_wrapped=True,  # CatBoost's own classes do not find the categorical columns
        extra="boosting",
        trusted_classes=("catboost.core.CatBoostClassifier", "catboost.core.CatBoostRegressor"),
        unserved={"early_stopping_rounds": _WATCHED, "od_wait": _WATCHED, "od_type": _WATCHED},
        train=_train_catboost,
        many_trees=("catboost",),
    ),
    # Only fits need these, so no kept model pins them.
    Library("imblearn", packages=(), is_wrapped=True, extra="resampling"),
    Library("interpret", packages=(), is_wrapped=True, extra="ebm"),
    Library("pytabkit", packages=(), is_wrapped=True, extra="realmlp"),
    Library(
        "tabicl",
        packages=("tabicl", "torch"),  # its answers need both
        is_wrapped=True,
        extra="tabicl",
        train=lambda estimator: estimator.check_checkpoint(),
        file=lambda estimator: estimator.check_checkpoint(),
    ),
)
PACKAGES = tuple(package for one in LIBRARIES for package in one.packages)
MANY_TREES = frozenset(option for one in LIBRARIES for option in one.many_trees)
TRUSTED_CLASSES = frozenset(name for one in LIBRARIES for name in one.trusted_classes)
TRUSTED_FUNCTIONS = frozenset(name for one in LIBRARIES for name in one.trusted_functions) | {
    "student_perf.encoders.plain_name"  # the column transformer keeps it
}


def allowed_prefixes() -> tuple[str, ...]:
    """Beginnings of the dotted names that a config may name."""
    libraries = (f"{one.name}." for one in LIBRARIES if not one.is_wrapped)
    return (*libraries, *OWN_PREFIXES, *own_prefixes())


def own_prefixes() -> tuple[str, ...]:
    """Beginnings of the names that modules of the user's own bring; see `config.trusted`."""
    return tuple(f"{name}." for name in trusted_modules())


def library_of(cls: type) -> Library | None:
    """The library that a class or the nearest of its parents comes from."""
    matches = (one for parent in cls.__mro__ for one in LIBRARIES if one.holds(parent))
    return next(matches, None)


def packages_of(types: Iterable[str]) -> list[str]:
    """Distributions that the types with these dotted names need, scikit-learn's in any case."""
    wrapper = OWN_PREFIXES[0]
    parts = [name.removeprefix(wrapper).split(".")[0] for name in types]
    names = {"sklearn", *parts}
    return [package for one in LIBRARIES if one.name in names for package in one.packages]


def files_read(estimator: Any) -> Iterator[Path]:
    """The files beside the rows that an estimator, and those within it, answer from. Raises
    ConfigError for one that is absent.
    """
    if isinstance(estimator, list | tuple):  # of members, with their names
        for part in estimator:
            yield from files_read(part)
    elif hasattr(estimator, "get_params") and not isinstance(estimator, type):
        library = library_of(type(estimator))
        if library is not None and library.file is not None:
            yield library.file(estimator)
        yield from files_read(list(estimator.get_params(deep=False).values()))
