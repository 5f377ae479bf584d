from pathlib import Path

import pytest

from student_perf.config.search_file import searched_keys

CLASSES = {"dataset.task": "classification"}


def of(model, known=CLASSES):
    return {one.key: one for one in searched_keys(model, known)}


def test_ends_scales_and_defaults_of_the_models_own_files():
    keys = of("xgb")
    depth, rate = keys["model.max_depth"], keys["model.learning_rate"]
    assert (depth.numbers, depth.is_log, depth.default) == ((2, 7), False, "3")
    assert (rate.numbers, rate.is_log, rate.default) == ((0.01, 0.3), True, "0.05")
    assert "preprocess" not in keys  # a group, of which a run has no default


def test_conditions_and_keys_of_one_task():
    assert of("rf")["model.classifier.max_features"].numbers == (0.05, 0.8)
    assert "model.regressor.max_features" not in of("rf")
    assert "model.regressor.max_features" in of("rf", {"dataset.task": "regression"})
    assert of("rf")["model.max_depth"].numbers is None  # a list with null among its values


def test_a_member_of_another_file_has_no_default_and_no_file_means_no_keys():
    assert of("stacking")["model.members.forest.min_samples_leaf"].default is None
    assert of("stacking")["model.passthrough"].default == "False"
    assert of("dummy") == of("no_such_model") == {}


@pytest.mark.parametrize(
    "content", ["a: [", "- a", "hydra: null", "hydra: {sweeper: {params: {model.C: 'interval('}}}"]
)
def test_a_file_that_says_nothing_or_cannot_be_read(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    folder = Path("conf/search")
    folder.mkdir(parents=True)
    (folder / "ridge.yaml").write_text(content)
    assert all(one.numbers is None for one in searched_keys("ridge", CLASSES))
