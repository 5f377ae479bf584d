import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from student_perf.models.scaled_target import ScaledMLPRegressor, ScaledSVR

NETWORK = {"hidden_layer_sizes": (4,), "max_iter": 2000, "random_state": 0, "tol": 1e-3}


@pytest.fixture
def line():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(80, 2))
    return features, 60 + 15 * features[:, 0] + rng.normal(0, 3, 80)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (ScaledSVR(C=2.0), SVR(C=2.0)),
        (ScaledMLPRegressor(**NETWORK), MLPRegressor(**NETWORK)),
        (
            ScaledMLPRegressor(early_stopping=True, **NETWORK),
            MLPRegressor(early_stopping=True, **NETWORK),
        ),
    ],
)
def test_it_is_the_plain_regressor_on_a_standardised_target(line, ours, theirs):
    features, target = line
    expected = TransformedTargetRegressor(theirs, transformer=StandardScaler())
    expected = expected.fit(features, target).predict(features)
    np.testing.assert_allclose(ours.fit(features, target).predict(features), expected, rtol=1e-6)


def test_the_unit_of_the_target_does_not_matter_and_a_constant_one_is_no_error(line):
    features, target = line
    model = ScaledSVR()
    points = model.fit(features, target).predict(features)
    np.testing.assert_allclose(
        model.fit(features, target / 5).predict(features) * 5, points, rtol=1e-3
    )
    assert set(model.fit(features, np.full(80, 7.0)).predict(features)) == {7.0}
