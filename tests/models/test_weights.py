import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from student_perf.models.build import build_estimator
from student_perf.models.labels import LabelledClassifier
from student_perf.models.ordinal import OrdinalClassifier
from student_perf.models.weights import fit_weighted, takes_weights
from tests.tiers import few_fast

TAKE = ["dummy", "logreg", "tree", "rf", "hist_gb", "svm", "ordinal", "xgb", "mlp", "calibrated"]
DO_NOT = ["knn", "gp", "naive_bayes", "stacking", "voting"]


@pytest.mark.parametrize("name", few_fast([*TAKE, *DO_NOT]))
def test_which_models_take_weights(compose_config, name):
    estimator = build_estimator(compose_config(f"model={name}").model, "classification")
    assert takes_weights(estimator) == (name in TAKE)


def test_a_model_around_another_one_takes_what_both_take():
    assert takes_weights(OrdinalClassifier(LogisticRegression()))
    assert not takes_weights(OrdinalClassifier(KNeighborsClassifier()))
    assert not takes_weights(LabelledClassifier(Pipeline([("m", KNeighborsClassifier())]), ["a"]))


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(max_depth=3, random_state=0),
        Pipeline([("as_is", "passthrough"), ("model", DummyClassifier())]),
        OrdinalClassifier(LogisticRegression(C=1e3, tol=1e-9, max_iter=10_000)),
        LabelledClassifier(
            Pipeline([("as_is", "passthrough"), ("model", LogisticRegression(tol=1e-9))]),
            [0, 1, 2],
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_weight_of_two_is_a_row_twice(model):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = np.digitize(x[:, 0] + rng.normal(size=60), [-0.5, 0.5])
    times = rng.integers(1, 4, 60)
    weighted = fit_weighted(model, x, y, times.astype(float)).predict_proba(x)
    again = type(model)(**model.get_params(deep=False))
    repeated = again.fit(np.repeat(x, times, axis=0), np.repeat(y, times)).predict_proba(x)
    np.testing.assert_allclose(weighted, repeated, atol=1e-4)


def test_a_model_that_takes_none_learns_without():
    x, y = np.arange(6.0).reshape(-1, 1), np.array([0, 0, 0, 1, 1, 1])
    fitted = fit_weighted(KNeighborsClassifier(1), x, y, np.arange(1.0, 7.0))
    assert fitted.predict(x).tolist() == y.tolist()
