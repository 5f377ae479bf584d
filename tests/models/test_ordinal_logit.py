import numpy as np
import pytest
from scipy.optimize import approx_fprime, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from student_perf.models.ordinal_logit import OrdinalLogit, penalised_loss


def sample(n=300, p=4, seed=5):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, p))
    coef = np.array([1.5, -1.0, 0.5, 0.0])[:p]
    latent = features[:, : len(coef)] @ coef + rng.logistic(size=n)
    return features, np.digitize(latent, [-1.5, 0.0, 1.0]), coef


def plain_loss(parameters, features, codes, strength):
    """The same loss straight from the definition, thresholds as they are."""
    p = features.shape[1]
    coef, thresholds = parameters[:p], parameters[p:]
    if (np.diff(thresholds) <= 0).any():
        return 1e9
    below = 1 / (1 + np.exp(-(thresholds[None, :] - (features @ coef)[:, None])))
    cumulative = np.column_stack([np.zeros(len(below)), below, np.ones(len(below))])
    shares = np.diff(cumulative, axis=1)[np.arange(len(codes)), codes]
    return -strength * np.log(shares).sum() + 0.5 * coef @ coef


def test_the_gradient_is_the_numeric_one():
    features, codes, _ = sample(80)
    at = np.array([0.3, -0.2, 0.8, 0.1, -1.2, 0.2, -0.4])
    _, gradient = penalised_loss(at, features, codes, 0.7)
    numeric = approx_fprime(at, lambda x: penalised_loss(x, features, codes, 0.7)[0], 1e-7)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-5)


def test_it_finds_the_optimum_that_a_search_without_gradients_finds():
    features, codes, _ = sample(120, 2)
    model = OrdinalLogit(C=0.5, tol=1e-9).fit(features, codes)
    at = np.concatenate([model.coef_, model.thresholds_])
    found = minimize(
        plain_loss,
        np.array([0.0, 0.0, -1.0, 0.0, 1.0]),
        args=(features, codes, 0.5),
        method="Nelder-Mead",
        options={
            "maxiter": 20000,
            "maxfev": 20000,
            "xatol": 1e-8,
            "fatol": 1e-12,
            "adaptive": True,
        },
    )
    np.testing.assert_allclose(at, found.x, atol=1e-4)
    assert plain_loss(at, features, codes, 0.5) <= found.fun + 1e-8


def test_two_classes_are_logistic_regression():
    features, codes, _ = sample()
    two = np.where(codes > 1, 5, 3)
    model = OrdinalLogit(C=0.3, tol=1e-10).fit(features, two)
    theirs = LogisticRegression(C=0.3, tol=1e-10, max_iter=1000).fit(features, two)
    np.testing.assert_allclose(model.coef_, theirs.coef_[0], atol=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(features), theirs.predict_proba(features), atol=1e-5
    )
    np.testing.assert_array_equal(model.predict(features), theirs.predict(features))


def test_it_recovers_what_made_the_data():
    features, codes, coef = sample(20000)
    model = OrdinalLogit(C=100.0).fit(features, codes)
    np.testing.assert_allclose(model.coef_, coef, atol=0.06)
    np.testing.assert_allclose(model.thresholds_, [-1.5, 0.0, 1.0], atol=0.06)
    share = np.bincount(codes) / len(codes)
    np.testing.assert_allclose(model.predict_proba(features).mean(axis=0), share, atol=0.005)


def test_separable_rows_and_far_rows_give_finite_probabilities():
    features = np.linspace(-50, 50, 60)[:, None]
    codes = np.digitize(features[:, 0], [-10, 20])
    model = OrdinalLogit(C=1000.0).fit(features, codes)
    probabilities = model.predict_proba(np.array([[-1e6], [0.0], [1e6]]))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert model.predict(features).tolist() == codes.tolist()
    assert probabilities.argmax(axis=1).tolist() == [0, 1, 2]


def test_too_few_rounds_say_so():
    features, codes, _ = sample()
    with pytest.warns(ConvergenceWarning, match=r"model\.max_iter=1:"):
        OrdinalLogit(max_iter=1).fit(features, codes)


def test_it_needs_few_looks_at_the_loss(monkeypatch):
    looks = []

    def counted(*arguments):
        looks.append(1)
        return penalised_loss(*arguments)

    monkeypatch.setattr("student_perf.models.ordinal_logit.penalised_loss", counted)
    features, codes, _ = sample(666, 50)
    OrdinalLogit().fit(features, codes)
    assert len(looks) < 50  # differences in place of the gradient take 50 for each round
