import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeRegressor

from student_perf.errors import ModelError
from student_perf.models import auto
from student_perf.models.auto import AutoClassifier, AutoRegressor, _greedy
from student_perf.models.build import build_estimator


def rows(n=200, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, x[:, 0] + rng.normal(scale=0.5, size=n)


class Broken(ClassifierMixin, BaseEstimator):
    """A library that refuses these rows."""

    def fit(self, X, y):
        raise ValueError("not these rows")


class Clock:
    """Seconds go by only in fits."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(auto, "monotonic", made)
    return made


class Slow(LogisticRegression):
    """A fit that takes two seconds of the clock."""

    clock = None

    def fit(self, X, y, sample_weight=None):
        Slow.clock.now += 2
        return super().fit(X, y, sample_weight)


def test_the_greedy_selection_finds_the_mixture():
    truth = np.arange(8.0)
    up, down = truth + 1, truth - 1
    shares = _greedy(np.array([up, down, truth + 9]), lambda o: float(((o - truth) ** 2).mean()))
    assert shares.tolist() == [0.5, 0.5, 0]


def test_members_are_averaged_by_their_shares_and_losers_are_left_out():
    x, y = rows()
    members = [("mean", DummyRegressor()), ("line", LinearRegression()),
               ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]  # fmt: skip
    model = AutoRegressor(members, random_state=0).fit(x, y)
    assert "line" in model.names_
    assert "mean" not in model.names_
    assert model.weights_.sum() == pytest.approx(1)
    assert model.facts()["auto_members"].startswith(f"{model.names_[0]} {model.weights_[0]:.2f}")
    assert model.facts()["auto_tried"].startswith("3 of 3, ")
    parts = [w * m.predict(x) for w, m in zip(model.weights_, model.members_, strict=True)]
    np.testing.assert_allclose(model.predict(x), np.sum(parts, axis=0))


def test_a_clear_loser_ends_after_the_folds_that_show_it():
    x, y = rows()

    class Counted(DummyRegressor):
        n_fits = 0

        def fit(self, X, y, sample_weight=None):
            Counted.n_fits += 1
            return super().fit(X, y, sample_weight)

    model = AutoRegressor([("line", LinearRegression()), ("mean", Counted())], random_state=0)
    model.fit(x, y)
    assert Counted.n_fits < 5
    assert list(model.losses_) == ["line"]
    assert model.n_tried_ == 2


def test_no_more_configurations_begin_than_the_time_has_room_for(clock):
    Slow.clock = clock
    x, y = rows()
    members = [(f"m{i}", Slow(C=10.0**-i)) for i in range(6)]
    y = (y > 0).astype(int)
    reached = [AutoClassifier(members, time=t, cv=2).fit(x, y).n_tried_ for t in (1, 12, None)]
    assert reached[0] == 1  # an answer in any case
    assert 1 < reached[1] < 6
    assert reached[2] == 6
    assert AutoClassifier(members, time=None, most=3, cv=2).fit(x, y).n_tried_ == 3


def test_twice_the_same_without_a_limit_of_time():
    x, y = rows()
    table = pd.DataFrame(x, columns=list("abc"))
    target = np.digitize(y, [-0.5, 0.5]) * 2 + 1  # any codes
    model = AutoClassifier(
        [("flat", LogisticRegression(C=0.01)), ("steep", LogisticRegression(C=100.0))],
        time=None,
        random_state=0,
    )
    one, two = (clone(model).fit(table, target).predict_proba(table) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(one.sum(axis=1), 1)
    assert clone(model).fit(table, target).classes_.tolist() == [1, 3, 5]


def test_a_class_of_one_row_and_a_member_that_fails_do_not_end_the_fit():
    x, y = rows()
    codes = (y > 0).astype(int)
    codes[0] = 2
    model = AutoClassifier([("broken", Broken()), ("line", LogisticRegression())], random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # SP301 has said it once
        assert model.fit(x, codes).names_ == ["line"]
    assert model.predict_proba(x).shape == (200, 3)


def test_weights_reach_members_and_choice():
    x, y = rows()
    codes = (y > 0).astype(int)
    heavy = np.where(codes == 1, 9.0, 1.0)
    fits = [AutoClassifier([("d", DummyClassifier())]).fit(x, codes, w) for w in (None, heavy)]
    plain, weighted = (fitted.predict_proba(x)[0, 1] for fitted in fits)
    assert weighted > plain + 0.3


@pytest.mark.parametrize("turned", [False, True])
def test_a_row_of_weight_counts_when_members_are_dropped(turned):
    rng = np.random.default_rng(0)
    x, matters = rng.normal(size=(400, 1)), np.arange(400) < 40
    y = np.where(matters, 3 * x[:, 0], 1.0)
    members = [("mean", DummyRegressor()), ("line", Ridge())]
    model = AutoRegressor(members[::-1] if turned else members, random_state=0, time=None)
    assert model.fit(x, y, np.where(matters, 1000.0, 1.0)).names_ == ["line"]


def test_without_a_member_that_can_be_fitted_there_is_one_line():
    x, y = rows()
    for members, why in (([("broken", Broken())], "not these rows"), ([], "no members")):
        with pytest.raises(ModelError, match=f"none of its configurations can be fitted .*{why}"):
            AutoClassifier(members).fit(x, (y > 0).astype(int))


def test_a_member_can_be_dropped_and_another_one_added(compose_config):
    words = ["model=auto", "~model.members.net_wide", "+model@model.members.near=knn"]
    for task in ("classification", "regression"):
        model = build_estimator(compose_config(*words).model, task)
        names = [name for name, _ in model.estimators]
        assert "net_wide" not in names
        assert names[-1] == "near"
