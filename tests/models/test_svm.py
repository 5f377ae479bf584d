import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.svm import SVC

from student_perf.models.svm import CalibratedSVC


@pytest.fixture
def blobs():
    rng = np.random.default_rng(1)
    target = np.arange(90) % 3
    return rng.normal(target[:, None], 0.8, (90, 2)), target


def test_probabilities_are_those_of_a_calibrated_machine(blobs):
    features, target = blobs
    ours = CalibratedSVC(C=2.0, gamma=0.3, cv=3).fit(features, target)
    theirs = CalibratedClassifierCV(SVC(C=2.0, gamma=0.3), cv=3, ensemble=False)
    expected = theirs.fit(features, target).predict_proba(features)
    np.testing.assert_array_equal(ours.predict_proba(features), expected)
    np.testing.assert_array_equal(ours.predict(features), expected.argmax(axis=1))
    assert np.mean(ours.predict(features) == target) > 0.6


def test_ranges_are_those_of_scikit_learn(blobs):
    for wrong in ({"C": -1.0}, {"gamma": "wide"}, {"cv": 1}, {"kernel": "round"}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}'"):
            CalibratedSVC(**wrong).fit(*blobs)
