"""Every model of conf/model, for every task it serves, from config to its answers.

That each comes back from its file, also with native categories and unknown ones, is proved in
runs/test_model_file.py."""

import warnings

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from student_perf.data.dataset import Dataset
from student_perf.errors import ConfigError
from student_perf.experiment.prepare import build_pipeline
from student_perf.models.labels import LabelledClassifier
from student_perf.paths import CONF_DIR
from tests.conftest import compose_config
from tests.models.zoo import marks_of, skip_without_library
from tests.tiers import few_fast

MODELS = sorted(file.stem for file in (CONF_DIR / "model").glob("*.yaml"))
TASKS = {"classifier": "classification", "regressor": "regression"}
FEW = {  # smaller than the defaults, for speed
    "rf": ["model.n_estimators=10"],
    "extra_trees": ["model.n_estimators=10"],
    "xgb": ["model.n_estimators=40"],
    "hist_gb": ["model.max_iter=40"],
    "lightgbm": ["model.n_estimators=40"],
    "catboost": ["model.iterations=40"],
    "stacking": ["model.members.forest.n_estimators=10", "model.members.boosting.max_iter=10"],
    "voting": ["model.members.forest.n_estimators=10", "model.members.boosting.max_iter=10"],
    "calibrated": ["model.base.n_estimators=10"],
    "auto": ["model.most=2", "model.members.stumps.n_estimators=10", "model.cv=2"],
    "ebm": ["model.outer_bags=2", "model.max_rounds=300"],
    "mlp": ["model.max_iter=300", "model.hidden_layer_sizes=[8]"],
    "realmlp": ["model.n_epochs=32", "model.hidden_width=32"],
}


def cases():
    for name in MODELS:
        node = yaml.safe_load((CONF_DIR / "model" / f"{name}.yaml").read_text())
        for key, task in TASKS.items():
            if key in node:
                yield pytest.param(name, task, marks=marks_of(name))


def rows(task, n=160, seed=0):
    """A table with a gap and a category column, whose first column carries the signal."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    features = pd.DataFrame(
        {
            "G2": np.round(10 + 4 * signal + rng.normal(0, 1, n)).clip(0, 20),
            "hours": np.where(rng.random(n) < 0.05, np.nan, rng.normal(5, 2, n)),
            "school": pd.Series(rng.choice(["north", "south", "west"], n), dtype="str"),
        }
    )
    score = 10 + 4 * signal
    classes = () if task == "regression" else ("low", "mid", "high")
    target = score if task == "regression" else np.digitize(score, [8, 12])
    return Dataset("made", "1", task, "grade", features, target, classes, "0" * 64, ordered=True)


def pipeline_of(name, task, *overrides):
    skip_without_library(name)
    dataset = "econmath" if task == "classification" else "econmath_score"
    few = FEW.get(name, [])
    config = compose_config("tracking=off", f"dataset={dataset}", f"model={name}", *few, *overrides)
    return build_pipeline(config, rows(task))


@pytest.mark.parametrize(("name", "task"), few_fast(cases(), 10))
def test_fits_predicts_and_beats_nothing(name, task):
    data = rows(task)
    pipeline = pipeline_of(name, task, *edges_of(name, task))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)  # few rounds on purpose
        if task == "classification":
            model = LabelledClassifier(pipeline, list(data.classes))
            fitted = model.fit(data.features, data.target_labels(data.target))
            output = fitted.predict_proba(data.features)
            np.testing.assert_allclose(output.sum(axis=1), 1, atol=1e-6)
            right = (output.argmax(axis=1) == data.target).mean()
            assert right > (0.55 if name != "dummy" else 0)
        else:
            fitted = clone(pipeline).fit(data.features, data.target)
            output = fitted.predict(data.features)
            error = np.sqrt(np.mean((output - data.target) ** 2))
            assert error < (0.75 if name != "dummy" else 1.1) * data.target.std()


def edges_of(name, task):
    if name == "previous_grade" and task == "classification":
        return ["model.classifier.edges=[8,12]"]
    return []


@pytest.mark.parametrize(("name", "task"), few_fast(cases(), 8))
def test_twice_is_equal_to_the_last_digit(name, task):
    data = rows(task, n=90)
    pipeline = pipeline_of(name, task)
    one, two = (clone(pipeline).fit(data.features, data.target) for _ in range(2))
    method = "predict_proba" if task == "classification" else "predict"
    np.testing.assert_array_equal(
        getattr(one, method)(data.features), getattr(two, method)(data.features)
    )


@pytest.mark.parametrize(
    "name", ["naive_bayes", "ordinal", "ordinal_logit", "logreg", "calibrated"]
)
def test_models_for_classes_say_so_where_a_number_is_asked(name):
    with pytest.raises(ConfigError, match="serves classification"):
        pipeline_of(name, "regression")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=stacking", "model.members.forest.n_estimators=0"],
         "model.members.forest.n_estimators=0"),
        (["model=ordinal", "model.base.C=-1"], "model.base.C=-1"),
        (["model=calibrated", "+model.base.max_dept=3"], "did you mean max_depth"),
        (["model=ordinal_logit", "model.C=0"], "model.C=0"),
        (["model=svm", "model.C=-2"], "C"),
        (["model=lightgbm", "model.n_estimators=many"], "n_estimators=many"),
    ],
)  # fmt: skip
def test_a_wrong_value_inside_is_named_by_its_place(overrides, message):
    from student_perf.models.build import build_estimator

    config = compose_config("tracking=off", *overrides)
    with pytest.raises(ConfigError, match=message):
        build_estimator(config.model, "classification")


def test_a_missing_extra_names_its_command(monkeypatch):
    from student_perf.models import components

    def absent(name):
        raise ImportError(name, name="lightgbm")

    monkeypatch.setattr(components, "import_module", absent)
    with pytest.raises(ConfigError, match=r"-m pip install .*'lightgbm>="):
        pipeline_of("lightgbm", "classification")


def test_another_model_can_be_put_inside():
    pipeline = pipeline_of("ordinal", "classification", "model@model.base=naive_bayes",
                           "preprocess=native")  # fmt: skip
    data = rows("classification")
    fitted = pipeline.fit(data.features, data.target)
    assert fitted.predict_proba(data.features).shape == (160, 3)
