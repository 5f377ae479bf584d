import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.models.build import build_estimator


@pytest.mark.parametrize(
    ("model", "task", "name"),
    [
        ("dummy", "classification", "DummyClassifier"),
        ("dummy", "regression", "DummyRegressor"),
        ("logreg", "classification", "LogisticRegression"),
        ("rf", "classification", "RandomForestClassifier"),
        ("rf", "regression", "RandomForestRegressor"),
        ("xgb", "classification", "XGBClassifier"),
        ("xgb", "regression", "XGBRegressor"),
    ],
)
def test_one_name_serves_both_tasks(compose_config, model, task, name):
    built = build_estimator(compose_config(f"model={model}").model, task)
    assert type(built).__name__ == name
    features = np.arange(24.0).reshape(12, 2)
    target = np.arange(12) % 2 if task == "classification" else np.arange(12.0)
    assert built.fit(features, target).predict(features).shape == (12,)


def test_every_tunable_default_is_written_out(compose_config):
    # Left out: what does not change the fit, and what needs more than a plain value.
    left_out = {"verbose", "warm_start", "n_jobs", "random_state", "oob_score", "monotonic_cst"}
    left_out |= {"penalty", "dual", "intercept_scaling", "constant", "quantile"}
    left_out |= {"min_weight_fraction_leaf"}
    for model in ("dummy", "logreg", "rf"):
        config = compose_config(f"model={model}").model
        for key, task in (("classifier", "classification"), ("regressor", "regression")):
            if key in config:
                built = build_estimator(config, task)
                written = config.keys() | config[key].keys() | left_out
                assert set(built.get_params(deep=False)) <= written


def test_a_model_that_does_not_serve_the_task_names_others(compose_config):
    with pytest.raises(ConfigError, match=r"model=logreg: has no regressor.*model=rf"):
        build_estimator(compose_config("model=logreg").model, "regression")


def test_a_parameter_set_twice_is_refused(compose_config):
    config = compose_config("model=rf", "+model.classifier.max_depth=3").model
    with pytest.raises(ConfigError, match=r"is set as model\.max_depth too"):
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
