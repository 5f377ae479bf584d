import numpy as np
import pandas as pd
import pytest

catboost = pytest.importorskip("catboost")

from student_perf.models.catboost import CatBoostClassifier, CatBoostRegressor  # noqa: E402


@pytest.fixture
def mixed():
    rng = np.random.default_rng(9)
    codes = rng.integers(0, 3, 120)
    table = pd.DataFrame({"x": rng.normal(size=120)})
    table["s"] = pd.Categorical.from_codes(codes, categories=["mid", "low", "high"])
    return table, codes, np.array([5.0, 1.0, 9.0])[codes] + table["x"].to_numpy()


def test_it_is_catboost_with_the_categories_named(mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table, codes, numbers = mixed
    ours = CatBoostRegressor(iterations=20, random_state=0).fit(table, numbers)
    assert ours.categorical_ == ["s"]
    theirs = catboost.CatBoostRegressor(
        iterations=20,
        depth=4,
        learning_rate=0.05,
        l2_leaf_reg=3.0,
        random_strength=1.0,
        subsample=0.8,
        rsm=1.0,
        border_count=254,
        thread_count=1,
        random_state=0,
        bootstrap_type="Bernoulli",
        allow_writing_files=False,
        verbose=False,
    )
    plain = table.assign(s=codes)
    expected = theirs.fit(plain, numbers, cat_features=["s"]).predict(plain)
    np.testing.assert_array_equal(ours.predict(table), expected)
    assert list(tmp_path.glob("*")) == [tmp_path / "workspace"]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_classes_and_unknown_categories(mixed, n_classes):
    table, codes, _ = mixed
    target = codes % n_classes
    model = CatBoostClassifier(iterations=40, learning_rate=0.3, random_state=0).fit(table, target)
    assert np.mean(model.predict(table) == target) > 0.95
    unknown = table.assign(s=pd.Categorical([None] * 120, categories=table["s"].cat.categories))
    probabilities = model.predict_proba(unknown)
    assert probabilities.shape == (120, n_classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
