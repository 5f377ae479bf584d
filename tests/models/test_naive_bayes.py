import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from student_perf.errors import ConfigError
from student_perf.models.naive_bayes import MixedNaiveBayes


@pytest.fixture
def mixed():
    rng = np.random.default_rng(4)
    target = rng.integers(0, 3, 90)
    numbers = rng.normal(target[:, None], [1.0, 2.0], (90, 2))
    codes = np.column_stack([(target + rng.integers(0, 2, 90)) % 3, rng.integers(0, 4, 90)])
    table = pd.DataFrame(numbers, columns=["a", "b"])
    table["s"] = pd.Categorical.from_codes(codes[:, 0], categories=list("xyz"))
    table["t"] = pd.Categorical.from_codes(codes[:, 1], categories=list("klmn"))
    return table, numbers, codes, target


def test_it_adds_the_evidence_of_scikit_learns_two_models(mixed):
    table, numbers, codes, target = mixed
    ours = MixedNaiveBayes(alpha=0.5).fit(table, target)
    gaussian = GaussianNB().fit(numbers, target)
    categorical = CategoricalNB(alpha=0.5, min_categories=[3, 4]).fit(codes, target)
    prior = np.log(np.bincount(target) / len(target))
    joint = gaussian.predict_joint_log_proba(numbers)
    joint = joint + categorical.predict_joint_log_proba(codes) - prior
    np.testing.assert_allclose(ours.joint_log_likelihood(table), joint, rtol=1e-10)
    shares = np.exp(joint) / np.exp(joint).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(ours.predict_proba(table), shares, rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(table), shares.argmax(axis=1))


def test_numbers_alone_are_the_gaussian_model(mixed):
    _, numbers, _, target = mixed
    ours = MixedNaiveBayes().fit(numbers, target)
    theirs = GaussianNB().fit(numbers, target)
    np.testing.assert_allclose(ours.predict_proba(numbers), theirs.predict_proba(numbers))


def test_a_missing_cell_says_nothing(mixed):
    table, _, _, target = mixed
    model = MixedNaiveBayes().fit(table, target)
    empty = table.head(2).copy()
    empty[["a", "b"]] = np.nan
    for name in ("s", "t"):
        empty[name] = pd.Categorical([None, None], categories=table[name].cat.categories)
    prior = np.bincount(target) / len(target)
    np.testing.assert_allclose(model.predict_proba(empty), [prior, prior])
    # one column left: the same as a model of that column
    alone = empty.assign(a=table["a"])
    single = MixedNaiveBayes(var_smoothing=0.0).fit(table[["a"]], target)
    exact = MixedNaiveBayes(var_smoothing=0.0).fit(table, target)
    expected = single.predict_proba(table[["a"]].head(2))
    np.testing.assert_allclose(exact.predict_proba(alone), expected)


def test_training_on_gaps_uses_the_cells_that_are_there(mixed):
    table, _, _, target = mixed
    holed = table.copy()
    holed.loc[::4, "a"] = np.nan
    model = MixedNaiveBayes(var_smoothing=0.0).fit(holed, target)
    for code in range(3):
        column = holed.loc[target == code, "a"]
        assert model.theta_[code, 0] == pytest.approx(column.mean())
        assert model.var_[code, 0] == pytest.approx(column.var(ddof=0))


@pytest.mark.parametrize("name", ["alpha", "var_smoothing"])
def test_refuses_negative_smoothing(mixed, name):
    table, _, _, target = mixed
    with pytest.raises(ConfigError, match=rf"{name}=-1: must be 0 or more"):
        MixedNaiveBayes(**{name: -1}).fit(table, target)
