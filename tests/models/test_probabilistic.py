import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from student_perf.models.probabilistic import ProbabilisticClassifier


class Shares(ProbabilisticClassifier):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.asarray(X)


def test_the_answer_is_the_class_of_the_largest_probability():
    fitted = Shares().fit(None, ["low", "high", "mid"])
    assert fitted.predict([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]]).tolist() == ["low", "high"]


def test_an_unfitted_classifier_says_so():
    with pytest.raises(NotFittedError):
        Shares().predict([[1.0]])
