"""Which classes a model file may restore: reviewed ones, each defined where its name says.

A file can name whatever a module holds, also what the module has imported: the name
`student_perf.models.labels.pd.eval` begins as those of our own classes do. So a name counts only if
a list has it, or if it is that of an estimator in a list of places; and what stands there has to be
a class which that module defines.

>>> is_trusted_class("sklearn.linear_model._logistic.LogisticRegression")
True
>>> is_trusted_class("sklearn.linear_model._logistic.LogisticRegression.fit")
False
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from types import ModuleType

from sklearn.base import BaseEstimator

from student_perf.config.trusted import import_trusted
from student_perf.models.libraries import (
    OWN_PREFIXES,
    TRUSTED_CLASSES,
    TRUSTED_FUNCTIONS,
    own_prefixes,
)

# Parts of scikit-learn whose public estimators are trusted. `feature_extraction` is not among them:
# its vectorizers open the files that a table's cells name.
_SKLEARN = frozenset(
    {
        "sklearn.calibration",
        "sklearn.cluster",
        "sklearn.compose",
        "sklearn.covariance",
        "sklearn.cross_decomposition",
        "sklearn.decomposition",
        "sklearn.discriminant_analysis",
        "sklearn.dummy",
        "sklearn.ensemble",
        "sklearn.feature_selection",
        "sklearn.gaussian_process",
        "sklearn.impute",
        "sklearn.isotonic",
        "sklearn.kernel_approximation",
        "sklearn.kernel_ridge",
        "sklearn.linear_model",
        "sklearn.mixture",
        "sklearn.model_selection",
        "sklearn.multiclass",
        "sklearn.multioutput",
        "sklearn.naive_bayes",
        "sklearn.neighbors",
        "sklearn.neural_network",
        "sklearn.pipeline",
        "sklearn.preprocessing",
        "sklearn.random_projection",
        "sklearn.semi_supervised",
        "sklearn.svm",
        "sklearn.tree",
    }
)


def is_trusted_class(name: str) -> bool:
    """Whether a file may restore objects of the class with this full name.

    Raises:
        ConfigError: A module in `conf/trusted.yaml` cannot be imported.
    """
    if not name.startswith(own_prefixes()):
        return _is_reviewed(name)
    import_trusted()  # here and not before: only a file that needs these modules runs them
    module, _, cls = name.rpartition(".")
    try:
        return _defines(import_module(module), cls, object)
    except ImportError:
        return False


def is_trusted_function(name: str) -> bool:
    """Whether a file may hold the function with this full name."""
    return name in TRUSTED_FUNCTIONS


@cache
def _is_reviewed(name: str) -> bool:
    module, _, cls = name.rpartition(".")
    if name in TRUSTED_CLASSES:
        return _defines(_imported(module), cls, object)
    if f"{module}.".startswith(OWN_PREFIXES):
        return _defines(_imported(module), cls, BaseEstimator)
    package = _imported(".".join(module.split(".")[:2]) if module.startswith("sklearn.") else "")
    is_public = cls in getattr(package, "__all__", [cls]) and not cls.startswith("_")
    return is_public and _defines(package, cls, BaseEstimator, module)


def _imported(module: str) -> ModuleType | None:
    """A module of a listed place, None for another, or for a library that is not installed."""
    is_listed = module in _SKLEARN or f"{module}.".startswith(OWN_PREFIXES)
    if not is_listed and module not in {name.rpartition(".")[0] for name in TRUSTED_CLASSES}:
        return None
    try:
        return import_module(module)
    except ImportError:
        return None


def _defines(module: ModuleType | None, name: str, parent: type, place: str | None = None) -> bool:
    """Whether a module holds a class that was defined there, or in `place`."""
    cls = getattr(module, name, None)
    defined_in = place or getattr(module, "__name__", None)
    return isinstance(cls, type) and issubclass(cls, parent) and cls.__module__ == defined_in
