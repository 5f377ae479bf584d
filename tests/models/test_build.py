from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor

from student_perf.errors import ConfigError
from student_perf.models.build import _refused, build_estimator
from tests.models.zoo import MODELS, NEED_A_FILE, OF_EXTRAS, QUICK, served, skip_without_library
from tests.tiers import few_fast


@pytest.mark.parametrize("model", few_fast(MODELS))
def test_one_name_serves_both_tasks(compose_config, model):
    skip_without_library(model)
    config = compose_config(f"model={model}", *QUICK.get(model, [])).model
    assert config["name"] == model
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(60, 2)), columns=["x", "G1"])
    for task in ("classification", "regression"):
        if not served(model, task):
            continue
        built = build_estimator(config, task)
        if task == "classification":
            assert is_classifier(built)
            target = np.arange(60) % 5  # as many classes as the default dataset has bands, plus one
            fitted = clone(built).fit(features, target)
            probabilities = fitted.predict_proba(features)
            assert probabilities.shape == (60, len(fitted.classes_))
            np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
        else:
            assert is_regressor(built)
            fitted = clone(built).fit(features, features["G1"].to_numpy() * 10 + 50)
        assert fitted.predict(features).shape == (60,)


@pytest.mark.slow
def test_every_tunable_default_is_written_out(compose_config):
    # Left out: what does not change the fit, and what needs more than a plain value.
    left_out = {"verbose", "warm_start", "n_jobs", "random_state", "oob_score", "monotonic_cst"}
    left_out |= {"penalty", "dual", "intercept_scaling", "constant", "quantile", "copy_X"}
    left_out |= {"min_weight_fraction_leaf", "estimator", "estimators", "final_estimator"}
    # of solvers these files do not use
    left_out |= {"learning_rate", "power_t", "momentum", "nesterovs_momentum", "max_fun"}
    left_out |= {"objective", "class_weight"}  # LightGBM's regressor lists the second too
    for model in MODELS:
        if model == "xgb":
            continue  # most of its parameters only matter to other boosters
        if model in NEED_A_FILE:
            continue
        if model in OF_EXTRAS and find_spec(OF_EXTRAS[model]) is None:
            continue
        config = compose_config(f"model={model}").model
        for key, task in (("classifier", "classification"), ("regressor", "regression")):
            if key in config:
                built = build_estimator(config, task)
                written = config.keys() | config[key].keys() | left_out
                assert set(built.get_params(deep=False)) <= written, model


def test_members_are_swapped_added_dropped_and_tuned_by_override(compose_config):
    config = compose_config(
        "model=stacking",
        "model@model.members.linear=svm",
        "+model@model.members.near=knn",
        "~model@model.members.forest",
        "model.members.near.n_neighbors=3",
        "model.final.classifier.C=0.1",
    ).model
    built = build_estimator(config, "classification")
    members = dict(built.estimators)
    names = {name: type(member).__name__ for name, member in members.items()}
    assert names == {
        "linear": "CalibratedSVC",
        "near": "KNeighborsClassifier",
        "boosting": "HistGradientBoostingClassifier",
    }
    assert members["near"].n_neighbors == 3
    assert built.final_estimator.C == 0.1


def test_a_base_may_have_a_base(compose_config):
    config = compose_config("model=calibrated", "model@model.base=ordinal", "model.base.base.C=0.2")
    built = build_estimator(config.model, "classification")
    assert built.estimator.estimator.C == 0.2


@pytest.mark.parametrize(
    ("overrides", "task", "message"),
    [
        (
            ["model=voting", "model@model.members.linear=logreg"],
            "regression",
            r"^model@model\.members\.linear=logreg: has no regressor",
        ),
        (["model=ordinal", "model.base.C=-1"], "classification", r"^model\.base\.C=-1: "),
        (["model=voting", "model.members.forest=null"], "regression", r"^model\.members\.forest="),
        (["model=ordinal", "model.base=null"], "classification", r"^model\.base=None: must hold"),
        (["model=rf", "+model.base=null"], "regression", r"^model\.base=None: must hold a model"),
        (
            ["model=rf", "+model@model.base=logreg"],
            "classification",
            r"^model\.classifier: RandomForestClassifier takes no model as 'estimator'",
        ),
    ],
)
def test_messages_name_the_nested_model(compose_config, overrides, task, message):
    config = compose_config(*overrides).model
    with pytest.raises(ConfigError, match=message):
        build_estimator(config, task)


def test_a_model_that_does_not_serve_the_task_names_others(compose_config):
    with pytest.raises(ConfigError, match=r"model=logreg: has no regressor.*model=rf"):
        build_estimator(compose_config("model=logreg").model, "regression")


@pytest.mark.parametrize(
    ("target", "task", "message"),
    [
        ("linear_model.LinearRegression", "classification", "if the target is a number, set"),
        ("tree.DecisionTreeClassifier", "regression", "if its numbers are classes, set"),
    ],
)
def test_a_class_of_the_other_task_is_refused(target, task, message):
    key = "classifier" if task == "classification" else "regressor"
    with pytest.raises(ConfigError, match=f"serves .* while dataset.task={task}; .*{message}"):
        build_estimator({"name": "own", key: {"_target_": f"sklearn.{target}"}}, task)


def test_a_model_without_probabilities_is_refused_but_may_be_wrapped():
    bare = {"name": "own", "classifier": {"_target_": "sklearn.svm.LinearSVC"}}
    with pytest.raises(ConfigError, match=r"model=own: LinearSVC has no predict_proba.*calibrated"):
        build_estimator(bare, "classification")
    with pytest.raises(ConfigError, match="SVC has no predict_proba"):
        build_estimator({"classifier": {"_target_": "sklearn.svm.SVC"}}, "classification")
    wrapper = {"_target_": "sklearn.calibration.CalibratedClassifierCV"}
    built = build_estimator({"base": bare, "classifier": wrapper}, "classification")
    assert type(built.estimator).__name__ == "LinearSVC"


def test_a_parameter_set_twice_is_refused(compose_config):
    config = compose_config("model=rf", "+model.classifier.max_depth=3").model
    with pytest.raises(ConfigError, match=r"is also set as model\.max_depth"):
        build_estimator(config, "classification")


@pytest.mark.parametrize(
    "override",
    [
        "model.learning_rate=-1",
        "model.subsample=3",
        "model.tree_method=histo",
        "model.max_depth=-2",
    ],
)
def test_xgboost_ranges_are_checked_before_any_fit(compose_config, override):
    config = compose_config("model=xgb", override).model
    with pytest.raises(ConfigError, match=override.split("=")[0].replace(".", r"\.") + "="):
        build_estimator(config, "classification")


@pytest.mark.parametrize(
    ("model", "override"),
    [
        ("lightgbm", "model.subsample=3"),
        ("lightgbm", "model.num_leaves=1"),
        ("lightgbm", "model.boosting_type=histo"),
        ("lightgbm", "model.max_depth=2.5"),
        ("catboost", "model.depth=40"),
        ("catboost", "model.subsample=3.0"),
        ("catboost", "model.learning_rate=slow"),
    ],
)
def test_ranges_of_the_extras_are_checked_before_any_fit(compose_config, model, override):
    pytest.importorskip(model)
    config = compose_config(f"model={model}", override).model
    with pytest.raises(ConfigError, match=r"^model(\.[a-z_]+=\S+)?: "):
        build_estimator(config, "regression")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+model.objective=reg:nothing", "model.objective=reg:nothing: xgboost refuses it"),
        ("+model.early_stopping_rounds=10", "model.early_stopping_rounds=10: stops by rows"),
        ("model.max_bin=1", "model.max_bin=1: xgboost refuses it"),
    ],
)
def test_the_users_own_key_is_named(compose_config, override, message):
    config = compose_config("model=xgb", override)
    with pytest.raises(ConfigError, match=message):
        build_estimator(config.model, "classification")


def test_the_culprit_is_what_the_library_trains_without(compose_config):
    node = compose_config("model=xgb", "+model.objective=rank:ndcg").model

    def train(estimator):
        if estimator.get_params()["objective"] == "rank:ndcg":
            raise ValueError("value 1 for something else")

    estimator = build_estimator({**node, "objective": "multi:softprob"}, "classification")
    estimator.set_params(objective="rank:ndcg")
    assert _refused(estimator, train, [*node], "value 1 for something else") == "objective"


def test_a_word_for_threads_is_answered_with_auto():
    node = {"name": "rf", "n_jobs": "automatic"} | {
        "classifier": {"_target_": "sklearn.ensemble.RandomForestClassifier"}
    }
    with pytest.raises(ConfigError, match=r"^model\.n_jobs=automatic: must be auto or a number of"):
        build_estimator(node, "classification")
    assert build_estimator(node | {"n_jobs": "auto"}, "classification", n_threads=2).n_jobs == 2
