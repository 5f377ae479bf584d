"""One changed figure in what native code of scikit-learn follows: refused, not a crash."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC
from sklearn.tree import DecisionTreeClassifier

from student_perf.models.native_arrays import check_native_arrays

ROWS = np.random.default_rng(0).normal(size=(80, 3))
CODES = (ROWS[:, 0] > 0).astype(int) + (ROWS[:, 1] > 0.4)
WORDS = pd.DataFrame(ROWS, columns=["a", "b", "c"]).assign(
    word=pd.Categorical(np.array(["x", "y", "z"])[CODES])
)
MODELS = {
    "tree": DecisionTreeClassifier(),
    "rf": RandomForestClassifier(5),
    "extra_trees": ExtraTreesRegressor(5),
    "gb": GradientBoostingClassifier(n_estimators=3),
    "hist_gb": HistGradientBoostingClassifier(max_iter=3, early_stopping=False),
    "isolation": IsolationForest(n_estimators=5, max_features=2),
    "svc": SVC(),
    "svc_proba": SVC(probability=True),
    "nu_svc": NuSVC(nu=0.2),
    "svr": SVR(),
    "knn": KNeighborsClassifier(algorithm="brute"),
    "knn_numbers": KNeighborsRegressor(algorithm="brute"),
    "kmeans": KMeans(3, n_init=1),
    "logreg": make_pipeline(StandardScaler(), LogisticRegression()),
}


def made(name):
    return clone(MODELS[name])


@pytest.fixture
def fitted(request):
    return made(request.param).fit(ROWS, CODES)


def words_model():
    model = HistGradientBoostingClassifier(
        max_iter=3, early_stopping=False, categorical_features="from_dtype"
    )
    return model.fit(WORDS, CODES)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
@pytest.mark.parametrize("fitted", MODELS, indirect=True)
def test_a_fitted_model_is_taken(fitted):
    check_native_arrays(fitted)
    check_native_arrays(make_pipeline(fitted))
    check_native_arrays({"models": [(fitted,)], "array": np.array([fitted], dtype=object)})


@pytest.mark.parametrize("name", MODELS)
def test_an_unfitted_model_is_taken(name):
    check_native_arrays(made(name))


def with_nodes(tree, **changes):
    """A copy of a tree with figures of its first node changed."""
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    for name, value in changes.items():
        if name in state["nodes"].dtype.names:
            state["nodes"][name][0] = value
        else:
            state[name] = value
    made = type(tree)(tree.n_features, np.atleast_1d(tree.n_classes), tree.n_outputs)
    made.__setstate__(state)
    return made


@pytest.mark.parametrize(
    "change",
    [
        {"left_child": 2**40},
        {"right_child": 2**40},
        {"left_child": -3},
        {"left_child": 0},
        {"feature": 3},
        {"feature": 2**40},
        {"feature": -1},
        {"node_count": 1},
        {"node_count": 0},
    ],
)
@pytest.mark.parametrize("name", ["tree", "rf", "extra_trees", "gb"])
def test_a_changed_tree_is_refused(name, change):
    model = made(name).fit(ROWS, CODES)
    owner = model if name == "tree" else np.ravel(model.estimators_)[1]
    owner.tree_ = with_nodes(owner.tree_, **change)
    with pytest.raises(ValueError, match=r"tree|do not fit"):
        check_native_arrays(make_pipeline(model))


def test_a_tree_without_nodes_is_refused():
    model = made("tree").fit(ROWS, CODES)
    model.tree_ = type(model.tree_)(3, np.array([3]), 1)
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


def test_a_tree_alone_checks_no_columns():
    model = made("tree").fit(ROWS, CODES)
    with pytest.raises(ValueError, match="belongs to no estimator"):
        check_native_arrays(make_pipeline(StandardScaler(), model.tree_))


@pytest.mark.parametrize("name", ["tree", "rf", "gb", "hist_gb", "svc", "knn", "kmeans"])
@pytest.mark.parametrize("columns", [None, 2, 4, 0, "3", 2**40])
def test_a_model_that_lets_other_columns_through_is_refused(name, columns):
    model = made(name).fit(ROWS, CODES)
    if columns is None:
        del model.n_features_in_
    else:
        model.n_features_in_ = columns
    with pytest.raises(ValueError, match=r"do not fit|how many columns"):
        check_native_arrays(model)


def test_stages_that_do_not_fit_their_start_are_refused():
    model = made("gb").fit(ROWS, CODES)
    model.estimators_ = np.hstack([model.estimators_, model.estimators_])
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)
    model = made("gb").fit(ROWS, CODES)
    model.estimators_[0, 0] = DecisionTreeClassifier().fit(ROWS, CODES)
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


@pytest.mark.parametrize("name", ["left", "right", "feature_idx"])
@pytest.mark.parametrize("value", [2**31, 1_000_000])
def test_a_changed_histogram_tree_is_refused(name, value):
    model = made("hist_gb").fit(ROWS, CODES)
    predictor = model._predictors[1][0]
    predictor.nodes = predictor.nodes.copy()
    predictor.nodes[name][0] = value
    with pytest.raises(ValueError, match="tree"):
        check_native_arrays(model)


def test_categories_of_a_histogram_tree_are_looked_at():
    check_native_arrays(words_model())
    model = words_model()
    model._bin_mapper.is_categorical_ = np.zeros(4, dtype=np.uint8)
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)
    model = words_model()
    for predictor in (one for some in model._predictors for one in some):
        predictor.raw_left_cat_bitsets = predictor.raw_left_cat_bitsets[:0]
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)
    model = words_model()
    _, encoder, _ = model._preprocessor.transformers_[0]
    encoder.categories_ = []
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_n_support", np.array([10**6, 1, 1], dtype=np.int32)),
        ("_n_support", np.array([-1, 1, 1], dtype=np.int32)),
        ("_n_support", np.array([], dtype=np.int32)),
        ("support_", np.array([0], dtype=np.int32)),
        ("_dual_coef_", np.zeros((1, 1))),
        ("_intercept_", np.zeros(1)),
        ("_probA", np.zeros(1)),
        ("kernel", "precomputed"),
        ("_sparse", True),
        ("support_vectors_", np.zeros((1, 3))),
    ],
)
@pytest.mark.parametrize("name", ["svc", "nu_svc", "svr"])
def test_a_changed_machine_is_refused(name, attribute, value):
    model = made(name).fit(ROWS, CODES)
    if name == "svr" and attribute in ("_intercept_", "_probA"):
        value = np.zeros(7)
    setattr(model, attribute, value)
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("_y", np.full(80, 3)),
        ("_y", np.full(80, -1)),
        ("_y", np.zeros(2, dtype=int)),
        ("_y", np.zeros(80)),
        ("_fit_X", np.zeros((80, 2))),
        ("_fit_X", np.zeros((2, 3))),
        ("n_samples_fit_", 10**9),
        ("_tree", "anything"),
    ],
)
def test_changed_neighbors_are_refused(attribute, value):
    model = made("knn").fit(ROWS, CODES)
    setattr(model, attribute, value)
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


def test_clusters_of_other_columns_are_refused():
    model = made("kmeans").fit(ROWS)
    model.cluster_centers_ = model.cluster_centers_[:, :2]
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


def test_columns_of_an_isolation_forest_are_looked_at():
    model = made("isolation").fit(ROWS)
    model.estimators_features_[0] = np.array([0])
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)
    model = made("isolation").fit(ROWS)
    model.n_features_in_ = model._max_features = 1
    with pytest.raises(ValueError, match="do not fit"):
        check_native_arrays(model)


def test_parts_that_hold_each_other_are_visited_once():
    model = made("logreg").fit(ROWS, CODES)
    model.itself = [model]
    check_native_arrays(model)
