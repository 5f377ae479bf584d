import numpy as np
import pandas as pd
import pytest

from student_perf.errors import ConfigError
from student_perf.models.build import build_estimator
from student_perf.models.tabicl import TabICLClassifier, TabICLRegressor
from student_perf.runs.model_file import load_model, save_model

TINY = {
    "embed_dim": 8, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 4, "row_num_blocks": 1,
    "row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Files of untrained weights for classes and for numbers, as small as they get."""
    torch = pytest.importorskip("torch")
    network = pytest.importorskip("tabicl._model.tabicl").TabICL
    torch.manual_seed(0)
    files = {}
    for task, sizes in {
        "classification": {"max_classes": 3},
        "regression": {"max_classes": 0},
    }.items():
        config = TINY | sizes | ({"num_quantiles": 9} if task == "regression" else {})
        files[task] = tmp_path_factory.mktemp("weights") / f"{task}.ckpt"
        torch.save({"config": config, "state_dict": network(**config).state_dict()}, files[task])
    return files


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    words = pd.Categorical.from_codes(rng.integers(-1, 2, n), categories=["no", "yes"])
    gaps = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    return pd.DataFrame({"a": rng.normal(size=n), "gaps": gaps, "s": words})


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_kept_model_holds_the_rows_and_answers_alike_with_the_same_weights(
    compose_config, checkpoints, tmp_path, task
):
    weights = checkpoints[task]
    config = compose_config("model=tabicl", f"model.checkpoint={weights}", "model.n_estimators=2")
    table = rows(40)
    target = np.digitize(table["a"], [-0.5, 0.5]) if task == "classification" else table["a"] * 3
    model = build_estimator(config.model, task).fit(table, target)
    method = "predict_proba" if task == "classification" else "predict"
    answers = getattr(model, method)(rows(20, 7))
    assert np.isfinite(answers).all()
    assert len(answers) == 20
    save_model(model, tmp_path / "model.skops")
    back = load_model(tmp_path / "model.skops")
    np.testing.assert_array_equal(getattr(back, method)(rows(20, 7)), answers)
    np.testing.assert_array_equal(back.rows_[:, 0], table["a"])
    assert len(back.facts()["checkpoint_sha256"]) == 64

    moved = load_model(tmp_path / "model.skops").set_params(checkpoint=str(tmp_path / "gone.ckpt"))
    with pytest.raises(ConfigError, match=r"gone\.ckpt: has to be the file of TabICL's weights"):
        moved.predict(table)
    other = tmp_path / "other.ckpt"
    other.write_bytes(b"not these")
    with pytest.raises(ConfigError, match="is not the file that this model was fitted with"):
        moved.set_params(checkpoint=str(other)).predict(table)


@pytest.mark.parametrize(
    ("kind", "weights"), [(TabICLClassifier, "classifier"), (TabICLRegressor, "regressor")]
)
def test_an_absent_file_is_one_line_with_its_source_and_licence(kind, weights):
    with pytest.raises(ConfigError) as error:
        kind().fit(rows(10), np.arange(10) % 2)
    line = str(error.value)
    assert line.startswith("model.checkpoint=null: ")
    assert f"tabicl-{weights}-v2-20260212.ckpt from jingang/TabICL" in line
    assert "BSD-3-Clause" in line
    assert "\n" not in line


def test_the_file_is_asked_for_before_any_row_is_read(compose_config):
    pytest.importorskip("tabicl")
    config = compose_config("model=tabicl", "model.checkpoint=gone.ckpt")
    with pytest.raises(ConfigError, match=r"model\.checkpoint=gone\.ckpt: has to be"):
        build_estimator(config.model, "classification")


@pytest.mark.slow
def test_a_file_that_is_more_than_arrays_is_refused_and_nothing_of_it_runs(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("tabicl")

    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    file = tmp_path / "harmful.ckpt"
    torch.save({"config": Harmful(), "state_dict": {}}, file)
    model = TabICLClassifier(checkpoint=str(file)).fit(rows(10), np.arange(10) % 2)
    with pytest.raises(ConfigError, match="does not hold weights that tabicl reads"):
        model.predict(rows(10))
    assert not (tmp_path / "ran").exists()
