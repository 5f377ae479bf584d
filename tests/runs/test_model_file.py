from itertools import product

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from student_perf.encoders import Words
from student_perf.errors import StudentPerfError
from student_perf.models.build import build_estimator
from student_perf.models.labels import LabelledClassifier
from student_perf.models.ordinal_logit import OrdinalLogit
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.runs.model_file import load_model, save_model, trusted_types
from tests.models.zoo import (
    MODELS,
    PREPROCESSINGS,
    QUICK,
    TAKES_CATEGORIES,
    marks_of,
    served,
    skip_without_library,
)
from tests.tampering import change_array, node, nodes, plant, rewrite
from tests.tiers import few_fast

TASKS = ["classification", "regression"]


def cases():
    """Model, task and preprocessing."""
    for model, task, preprocess in product(MODELS, TASKS, [None, "native"]):
        if served(model, task) and (preprocess is None or model in TAKES_CATEGORIES):
            yield pytest.param(model, task, preprocess, marks=marks_of(model))


@pytest.mark.parametrize(("model", "task", "preprocess"), few_fast(cases(), 8))
def test_every_model_comes_back_with_the_same_answers(
    compose_config, tmp_path, grades, model, task, preprocess
):
    skip_without_library(model)
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


@pytest.mark.parametrize("preprocess", few_fast(PREPROCESSINGS, 3))
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


def test_a_changed_byte_is_one_line_or_changes_nothing_that_runs(tmp_path, small_dataset):
    target = small_dataset.target
    path = tmp_path / "model.skops"
    save_model(
        DecisionTreeClassifier(max_depth=2).fit(small_dataset.features[["points"]], target), path
    )
    content = path.read_bytes()
    lines = []
    for place in range(0, len(content), 61):
        path.write_bytes(content[:place] + bytes([content[place] ^ 8]) + content[place + 1 :])
        try:
            load_model(path)
        except StudentPerfError as error:
            lines.append(str(error))
    assert len(lines) > 0.5 * len(content) / 61  # the rest are names of parts and dates
    assert all(line.startswith(str(path)) and "\n" not in line for line in lines)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04.", b"{}", b"\0" * 100])
def test_what_is_no_model_file_is_one_line(tmp_path, content):
    path = tmp_path / "model.skops"
    path.write_bytes(content)
    with pytest.raises(StudentPerfError, match=r"cannot be loaded: .*get it again or train"):
        load_model(path)


def test_a_model_of_other_versions_says_which_and_how_to_get_them(tmp_path):
    path = tmp_path / "model.skops"
    save_model(make_pipeline(StandardScaler(), Ridge()).fit([[0.0], [1.0]], [0, 1]), path)

    def older(schema, _):
        for one in nodes(schema):
            if one["__loader__"] == "DictNode" and "_sklearn_version" in one["content"]:
                one["content"]["_sklearn_version"]["content"] = '"1.0.2"'

    rewrite(path, older)
    assert load_model(path).predict([[0.5]]).shape == (1,)  # without a warning of many lines
    plant(path, node("ObjectNode", "sklearn.linear_model._ridge:OfAnotherVersion"))
    here = sklearn.__version__
    with pytest.raises(StudentPerfError, match="cannot be loaded here; environment") as caught:
        load_model(path, {"numpy": "0.1", "xgboost-cpu": "0.1"})
    line = str(caught.value)
    assert f"trained with numpy 0.1, scikit-learn 1.0.2, this is {np.__version__}, {here}" in line
    assert "pip install numpy==0.1 scikit-learn==1.0.2" in line
    assert "xgboost" not in line  # the model does not use it


def test_a_tree_that_was_changed_ends_in_a_line(tmp_path):
    model = DecisionTreeClassifier().fit([[0.0], [1.0], [2.0]], [0, 1, 0])
    path = tmp_path / "model.skops"
    save_model(model, path)

    def far(nodes_of_tree):
        nodes_of_tree["left_child"][0] = 2**40

    with pytest.raises(StudentPerfError, match="has a child outside of the tree"):
        load_model(change_array(path, "nodes", far))


def test_words_of_text_come_back_without_a_vectorizer(tmp_path):
    texts = pd.DataFrame({"note": pd.Series(["good work", "late work", None] * 9, dtype="str")})
    fitted = Pipeline([("words", Words(min_df=2)), ("model", Ridge())]).fit(texts, range(27))
    save_model(fitted, tmp_path / "model.skops")
    assert not [name for name in trusted_types(tmp_path / "model.skops") if "feature_ext" in name]
    back = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(back.predict(texts), fitted.predict(texts))
