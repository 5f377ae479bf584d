import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from student_perf.models.gaussian_process import GPClassifier, GPRegressor


@pytest.fixture
def wave():
    rng = np.random.default_rng(6)
    features = rng.uniform(-3, 3, (40, 1))
    return features, 10 + 3 * np.sin(features[:, 0]) + rng.normal(0, 0.3, 40)


def test_the_regressor_is_the_textbooks_posterior_mean(wave):
    features, target = wave
    model = GPRegressor(length_scale=1.5, amplitude=2.0, noise=0.3, optimise=False)
    new = np.linspace(-2, 2, 7)[:, None]

    def kernel(one, other):
        return 4.0 * np.exp(-cdist(one, other, "sqeuclidean") / (2 * 1.5**2))

    standard = (target - target.mean()) / target.std()
    weights = np.linalg.solve(kernel(features, features) + 0.09 * np.eye(40), standard)
    expected = kernel(new, features) @ weights * target.std() + target.mean()
    np.testing.assert_allclose(model.fit(features, target).predict(new), expected, rtol=1e-6)


def test_the_search_for_the_likelihood_finds_the_noise(wave):
    features, target = wave
    fitted = GPRegressor(random_state=0).fit(features, target).estimator_.kernel_
    assert np.sqrt(fitted.k2.noise_level) * target.std() == pytest.approx(0.3, abs=0.15)


def test_the_classifier_is_scikit_learns_with_that_kernel(wave):
    features, target = wave
    codes = np.digitize(target, [9, 11])
    ours = GPClassifier(length_scale=1.0, amplitude=2.0, optimise=False).fit(features, codes)
    theirs = GaussianProcessClassifier(ConstantKernel(4.0) * RBF(1.0), optimizer=None)
    expected = theirs.fit(features, codes).predict_proba(features)
    np.testing.assert_allclose(ours.predict_proba(features), expected)
    np.testing.assert_array_equal(ours.predict(features), expected.argmax(axis=1))
    optimised = GPClassifier(random_state=0).fit(features, codes)
    assert np.mean(optimised.predict(features) == codes) > 0.8


def test_refuses_a_length_of_nothing(wave):
    with pytest.raises(ValueError, match="'length_scale'"):
        GPRegressor(length_scale=0.0).fit(*wave)
