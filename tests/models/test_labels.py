import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from student_perf.models.labels import LabelledClassifier

ORDER = ["Average", "Good", "Excellent"]


def data():
    rng = np.random.default_rng(0)
    codes = np.arange(60) % 3
    return pd.DataFrame({"x": codes + rng.normal(0, 0.3, 60)}), np.array(ORDER)[codes], codes


def test_labels_and_columns_keep_the_declared_order():
    features, labels, codes = data()
    model = LabelledClassifier(LogisticRegression(), ORDER).fit(features, labels)
    inner = LogisticRegression().fit(features, codes)
    np.testing.assert_array_equal(model.predict_proba(features), inner.predict_proba(features))
    assert model.classes_.tolist() == ORDER
    assert model.predict(features).tolist() == [ORDER[c] for c in inner.predict(features)]


def test_a_label_that_no_row_of_the_fit_has_gets_probability_zero():
    features, labels, _ = data()
    rows = labels != "Good"
    model = LabelledClassifier(LogisticRegression(), ORDER).fit(features[rows], labels[rows])
    answered = model.predict_proba(features)
    assert answered.shape == (60, 3)
    np.testing.assert_array_equal(answered[:, 1], 0)
    assert set(model.predict(features)) == {"Average", "Excellent"}


def test_unfitted_says_so():
    features, _, _ = data()
    with pytest.raises(NotFittedError):
        LabelledClassifier(LogisticRegression(), ORDER).predict(features)
