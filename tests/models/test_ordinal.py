import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from student_perf.errors import ModelError
from student_perf.models.ordinal import OrdinalClassifier
from tests.hostile import ANSWERED, Shares


@pytest.fixture
def ordered():
    rng = np.random.default_rng(8)
    features = rng.normal(size=(150, 3))
    latent = features @ [1.0, -0.5, 0.0] + rng.logistic(size=150)
    return features, np.digitize(latent, [-1, 0, 1.5])


def test_probabilities_are_differences_of_the_binary_answers(ordered):
    features, target = ordered
    model = OrdinalClassifier(LogisticRegression()).fit(features, target)
    above = [
        LogisticRegression().fit(features, target > k).predict_proba(features)[:, 1]
        for k in range(3)
    ]
    assert (np.diff(above, axis=0) < 0).all()  # no crossing here, so nothing is clipped
    expected = [1 - above[0], above[0] - above[1], above[1] - above[2], above[2]]
    np.testing.assert_allclose(model.predict_proba(features), np.transpose(expected), atol=1e-12)
    np.testing.assert_array_equal(model.predict(features), np.argmax(expected, axis=0))


class Fixed(ClassifierMixin, BaseEstimator):
    """Answers a probability that depends on how many rows were above."""

    def fit(self, X, y):
        self.share_ = {3: 0.6, 2: 0.8, 1: 0.3}[int(y.sum())]
        return self

    def predict_proba(self, X):
        return np.tile([1 - self.share_, self.share_], (len(X), 1))


def test_crossing_answers_are_clipped_and_made_to_sum_to_one():
    model = OrdinalClassifier(Fixed()).fit(np.zeros((4, 1)), np.arange(4))
    # P(above) = 0.6, 0.8, 0.3: shares 0.4, -0.2 -> 1/4 rows, 0.5, 0.3 over their sum of 1.45
    expected = np.array([0.4, 0.25, 0.5, 0.3]) / 1.45
    np.testing.assert_allclose(model.predict_proba(np.zeros((2, 1))), [expected, expected])


def test_a_base_that_answers_no_probabilities_is_named():
    model = OrdinalClassifier(Shares(answer=ANSWERED["nan"]))
    model.fit(np.zeros((6, 1)), np.arange(6) % 3)
    with pytest.raises(ModelError, match=r"nan, nan \(row 1 of 2, .*\) above class 0"):
        model.predict_proba(np.zeros((2, 1)))


def test_two_classes_are_the_base_itself_and_codes_may_have_gaps(ordered):
    features, target = ordered
    two = np.where(target > 1, 7, 2)
    model = OrdinalClassifier(LogisticRegression()).fit(features, two)
    base = LogisticRegression().fit(features, two)
    np.testing.assert_allclose(model.predict_proba(features), base.predict_proba(features))
    assert model.classes_.tolist() == [2, 7]
    np.testing.assert_array_equal(model.predict(features), base.predict(features))
