"""Every model of the zoo with what its tests need to know."""

import pytest

from student_perf.paths import CONF_DIR

MODELS = sorted(path.stem for path in (CONF_DIR / "model").glob("*.yaml"))
PREPROCESSINGS = sorted(path.stem for path in (CONF_DIR / "preprocess").glob("*.yaml"))
TAKES_CATEGORIES = {
    "xgb",
    "hist_gb",
    "lightgbm",
    "catboost",
    "naive_bayes",
    "ebm",
    "realmlp",
    "tabicl",
}
_SERVED = {"classification": "\nclassifier:", "regression": "\nregressor:"}
OF_EXTRAS = {
    "lightgbm": "lightgbm",
    "catboost": "catboost",
    "resampled": "imblearn",
    "ebm": "interpret",
    "realmlp": "pytabkit",
    "tabicl": "tabicl",
}
NEED_A_FILE = {"tabicl"}
# Few trees and rounds, so that a test takes milliseconds.
QUICK = {
    "auto": ["model.most=2", "model.members.stumps.n_estimators=5", "model.cv=2"],
    "catboost": ["model.iterations=5"],
    "calibrated": ["model.base.n_estimators=5", "model.cv=2"],
    "ebm": ["model.outer_bags=2", "model.max_rounds=50"],
    "extra_trees": ["model.n_estimators=5"],
    "hist_gb": ["model.max_iter=5"],
    "lightgbm": ["model.n_estimators=5"],
    "mlp": ["model.max_iter=20", "model.hidden_layer_sizes=[4]", "model.n_iter_no_change=20"],
    "realmlp": ["model.n_epochs=2", "model.hidden_width=8"],
    "rf": ["model.n_estimators=5"],
    "stacking": ["model.members.forest.n_estimators=5", "model.members.boosting.max_iter=5"],
    "svm": ["model.tol=0.01"],
    "voting": ["model.members.forest.n_estimators=5", "model.members.boosting.max_iter=5"],
    "xgb": ["model.n_estimators=5"],
}
# The longest to fit and to save; the quick ones show the same for every commit.
_SLOW = {"auto", "catboost", "gp", "hist_gb", "lightgbm", "mlp", "realmlp", "stacking", "voting"}


def marks_of(model: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a model's tests."""
    return (pytest.mark.slow,) if model in _SLOW else ()


def skip_without_library(model: str) -> None:
    """Skip the test of a model whose extra is not installed."""
    if model in OF_EXTRAS:
        pytest.importorskip(OF_EXTRAS[model])
    if model in NEED_A_FILE:
        pytest.skip(f"{model} needs a file of weights, which its own tests make")


def served(model: str, task: str) -> bool:
    """Whether the model serves the task."""
    text = (CONF_DIR / f"model/{model}.yaml").read_text(encoding="utf-8")
    return _SERVED[task] in text
