"""The fitted model as a skops file, which holds data and no code.

skops restores an object of a type it does not know only if the caller vouches for the type. The
list below was reviewed type by type: none of them runs code from the file when restored. (A
`functools.partial`, which hist_gb keeps around its check of arrays, holds a function that has to be
on the list itself.) Classes below `OWN_PREFIXES` are installed code, which a file can name but not
bring: they are trusted as they stand.

skops imports much of scikit-learn, so this module imports it inside the functions that need it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from student_perf.errors import StudentPerfError

OWN_PREFIXES = ("student_perf.models.", "student_perf.encoders.")
TRUSTED_TYPES = [
    "catboost.core.CatBoostClassifier",
    "catboost.core.CatBoostRegressor",
    "collections.OrderedDict",
    "functools.partial",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.calibration._TemperatureScaling",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
    "sklearn.gaussian_process.kernels.ConstantKernel",
    "sklearn.gaussian_process.kernels.Product",
    "sklearn.gaussian_process.kernels.RBF",
    "sklearn.gaussian_process.kernels.Sum",
    "sklearn.gaussian_process.kernels.WhiteKernel",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
    "student_perf.encoders.plain_name",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]


def save_model(model: Any, path: Path) -> None:
    """Write a fitted model. Raises StudentPerfError where it holds a type not on the list."""
    import skops.io

    skops.io.dump(model, path)
    unknown = sorted(set(named_types(path)) - set(trusted_types(path)))
    if unknown:
        path.unlink()
        raise StudentPerfError(
            f"{path.name}: the model holds {', '.join(unknown)}, which is not on the reviewed list "
            "of types that load safely; add it to TRUSTED_TYPES after a review"
        )


def trusted_types(path: Path) -> list[str]:
    """The reviewed types and those of our own packages that the model file names."""
    return sorted({*TRUSTED_TYPES, *filter(is_own_class, named_types(path))})


def is_own_class(name: str) -> bool:
    """Whether a dotted name is that of a class defined in one of our own modules of models.

    skops looks up any attribute of a module, imported ones and functions too, so that the module's
    name alone says nothing.
    """
    module, _, attribute = name.rpartition(".")
    if not name.startswith(OWN_PREFIXES):
        return False
    try:
        found = getattr(import_module(module), attribute, None)
    except ImportError:
        return False
    return isinstance(found, type) and found.__module__ == module


def named_types(path: Path) -> list[str]:
    """Types in a model file beyond those that skops itself trusts."""
    import skops.io

    return list(skops.io.get_untrusted_types(file=path))


def load_model(path: Path) -> Any:
    """A fitted model from a file written by `save_model`; refuses types that are not trusted."""
    import skops.io

    return skops.io.load(path, trusted=trusted_types(path))
