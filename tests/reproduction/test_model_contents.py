import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from student_perf.reproduction.model_contents import model_contents, same_leaf
from student_perf.runs.model_file import save_model


def saved(model, path):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 3))
    save_model(model.fit(features, rng.integers(0, 3, 60)), path)
    return path


@pytest.mark.parametrize("kind", [LogisticRegression, DecisionTreeClassifier])
def test_equal_fits_have_equal_contents_though_their_bytes_differ(kind, tmp_path):
    options = {"random_state": 0}
    one = saved(kind(**options), tmp_path / "one.skops")
    keep = [np.zeros(9) for _ in range(50)]  # other addresses in memory
    two = saved(kind(**options), tmp_path / "two.skops")
    a, b = model_contents(one), model_contents(two)
    assert len(keep) == 50
    assert one.read_bytes() != two.read_bytes()
    assert a.keys() == b.keys()
    assert all(same_leaf(a[name], b[name]) for name in a)


def test_another_parameter_shows(tmp_path):
    a = model_contents(saved(LogisticRegression(C=1.0), tmp_path / "a.skops"))
    b = model_contents(saved(LogisticRegression(C=2.0), tmp_path / "b.skops"))
    changed = {name for name in a if not same_leaf(a[name], b[name])}
    assert ".C" in changed
    assert any("coef_" in name for name in changed)


def test_what_is_no_model_file_is_refused(tmp_path):
    path = tmp_path / "x.skops"
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="not a skops file"):
        model_contents(path)


def test_the_random_number_of_a_catboost_model_is_no_difference(tmp_path):
    catboost = pytest.importorskip("catboost")
    options = {"iterations": 3, "random_seed": 0, "verbose": False, "allow_writing_files": False}
    one, two, other = (
        model_contents(saved(catboost.CatBoostClassifier(**options | more), tmp_path / name))
        for name, more in (("a", {}), ("b", {}), ("c", {"depth": 2}))
    )
    assert all(same_leaf(one[name], two[name]) for name in one)
    assert not all(same_leaf(one[name], other[name]) for name in one)
