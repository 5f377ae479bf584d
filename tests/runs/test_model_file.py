import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from student_perf.errors import StudentPerfError
from student_perf.models.build import build_estimator
from student_perf.models.labels import LabelledClassifier
from student_perf.models.ordinal_logit import OrdinalLogit
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.runs.model_file import load_model, save_model, trusted_types
from tests.models.zoo import MODELS, PREPROCESSINGS, QUICK, TAKES_CATEGORIES, served


@pytest.mark.parametrize("preprocess", [None, "native"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_comes_back_with_the_same_answers(
    compose_config, tmp_path, grades, model, task, preprocess
):
    if not served(model, task) or (preprocess and model not in TAKES_CATEGORIES):
        return
    overrides = [f"preprocess={preprocess}"] if preprocess else []
    config = compose_config(f"model={model}", *QUICK.get(model, []), *overrides)
    table = pd.read_csv(grades)
    target = table["grade"] if task == "classification" else table["absences"] * 3.0
    features = table[["hours", "school"]].astype({"school": "str"}).rename(columns={"hours": "G1"})
    preprocessor = build_preprocessor(build_steps(config.preprocess), ["G1"], ["school"])
    fitted = Pipeline([("pre", preprocessor), ("model", build_estimator(config.model, task))])
    if task == "classification":
        if model == "previous_grade":
            fitted.set_params(model__edges=[4, 6])
        fitted = LabelledClassifier(fitted, ["low", "mid", "high"])
    fitted = fitted.fit(features, target)
    features.loc[:5, "school"] = "never seen"
    save_model(fitted, tmp_path / "model.skops")
    back = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(back.predict(features), fitted.predict(features))
    if task == "classification":
        np.testing.assert_array_equal(back.predict_proba(features), fitted.predict_proba(features))


@pytest.mark.parametrize("preprocess", PREPROCESSINGS)
def test_every_preprocessing_comes_back(compose_config, tmp_path, grades, preprocess):
    config = compose_config(f"preprocess={preprocess}")
    features = pd.read_csv(grades)[["hours", "school"]].astype({"school": "str"})
    transformer = build_preprocessor(build_steps(config.preprocess), ["hours"], ["school"])
    expected = transformer.fit(features, np.arange(120) % 3).transform(features)
    save_model(transformer, tmp_path / "model.skops")
    back = load_model(tmp_path / "model.skops").transform(features)
    assert type(back) is type(expected)
    pd.testing.assert_frame_equal(pd.DataFrame(back), pd.DataFrame(expected))


def test_own_classes_are_trusted_and_functions_elsewhere_in_the_package_are_not(tmp_path):
    path = tmp_path / "model.skops"
    save_model(OrdinalLogit(), path)
    assert "student_perf.models.ordinal_logit.OrdinalLogit" in trusted_types(path)
    with pytest.raises(StudentPerfError, match=r"student_perf\.runs\.model_file\.save_model"):
        save_model(FunctionTransformer(func=save_model), path)


def test_a_type_off_the_list_is_not_kept(tmp_path):
    harmful = FunctionTransformer(func=__import__("os").system)
    path = tmp_path / "model.skops"
    with pytest.raises(StudentPerfError, match=r"posix\.system|nt\.system|os\.system"):
        save_model(harmful, path)
    assert not path.exists()
