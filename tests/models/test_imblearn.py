import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from student_perf.errors import ConfigError
from student_perf.models.imblearn import ResampledClassifier

pytest.importorskip("imblearn")


class Witness(LogisticRegression):
    """Remembers how often it saw each class."""

    def fit(self, X, y):
        self.seen_ = np.bincount(y).tolist()
        return super().fit(X, y)


def rows():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 30, 6])
    return rng.normal(size=(96, 3)) + y[:, None], y


@pytest.mark.parametrize(
    ("method", "is_right"),
    [
        ("smote", lambda seen: seen == [60, 60, 60]),
        ("smote_tomek", lambda seen: max(seen) <= 60 and min(seen) > 30),
        ("tomek", lambda seen: sum(seen) < 96),
        ("over", lambda seen: seen == [60, 60, 60]),
        ("under", lambda seen: seen == [6, 6, 6]),
    ],
)
def test_rare_classes_become_frequent_in_the_fit_alone(method, is_right):
    x, y = rows()
    model = clone(ResampledClassifier(Witness(), method, random_state=0)).fit(x, y)
    assert is_right(model.estimator_.seen_), model.estimator_.seen_
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(x).shape == (96, 3)  # of the rows asked for, not of those made
    again = ResampledClassifier(Witness(), method, random_state=0).fit(x, y)
    np.testing.assert_array_equal(model.predict_proba(x), again.predict_proba(x))


def test_neighbours_are_fewer_than_the_rows_of_a_class():
    x, y = rows()
    few = np.r_[0:60, 90:92]
    model = ResampledClassifier(Witness(), k_neighbors=5).fit(x[few], y[few] // 2)
    assert model.estimator_.seen_ == [60, 60]
    with pytest.raises(ConfigError, match="single training row in a fold"):
        ResampledClassifier(Witness()).fit(x[:61], np.repeat([0, 1], [60, 1]))


def test_distances_need_figures():
    x, y = rows()
    table = pd.DataFrame({"school": pd.Categorical(np.where(x[:, 0] > 0, "n", "s"))})
    with pytest.raises(ConfigError, match=r"needs figures without .* model\.method=over"):
        ResampledClassifier(Witness()).fit(table, y)
    with pytest.raises(ValueError, match="method"):
        ResampledClassifier(Witness(), method="more").fit(x, y)
