"""Figures of a loaded model that native code of scikit-learn follows without looking.

A tree's child outside of its array ends the process with a segmentation fault; so does a tree that
knows more columns than its forest checks rows for. NumPy checks its own indexing, so what is
computed by it needs nothing here. Boosters are looked at before they are loaded: see `boosters`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.cluster._kmeans import _BaseKMeans
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neighbors._base import NeighborsBase
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree

from student_perf.models.tree_arrays import TreeArrays, check_trees

_KERNELS = ("linear", "poly", "rbf", "sigmoid")  # others take a matrix instead of columns
_CLASSIFIERS = ("c_svc", "nu_svc")


def check_native_arrays(model: Any) -> None:
    """Look at every part of a model that `skops` has restored.

    Raises:
        ValueError: A figure would make native code read outside of its memory.
    """
    parts = list(_iter_parts(model))
    _check_decision_trees(parts)
    for part in parts:
        for kind, check in _CHECKS:
            if isinstance(part, kind):
                check(part)


def _iter_parts(model: Any) -> Iterator[Any]:
    """The objects within a model, each once."""
    waiting, known = [model], {id(model)}
    while waiting:
        part = waiting.pop()
        yield part
        inner: list[Any] = []
        if isinstance(part, dict):
            inner = [*part.values()]
        elif isinstance(part, (list, tuple, set)):
            inner = [*part]
        elif isinstance(part, np.ndarray):
            inner = part.ravel().tolist() if part.dtype == object else []
        elif not isinstance(part, type) and hasattr(part, "__dict__"):
            inner = [*vars(part).values()]
        for one in inner:
            if id(one) not in known and not isinstance(one, (str, bytes, int, float, type(None))):
                known.add(id(one))
                waiting.append(one)


def _columns(estimator: Any) -> int:
    """How many columns an estimator lets through to its native code."""
    n = vars(estimator).get("n_features_in_")
    if not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(f"a {type(estimator).__name__} does not say how many columns it takes")
    return int(n)


def _require(fits: bool, estimator: Any) -> None:
    if not fits:
        raise ValueError(f"the arrays of a {type(estimator).__name__} do not fit together")


def _check_decision_trees(parts: list[Any]) -> None:
    owners = [p for p in parts if isinstance(p, BaseDecisionTree) and "tree_" in vars(p)]
    trees = [vars(owner)["tree_"] for owner in owners]
    for owner, tree in zip(owners, trees, strict=True):
        _require(type(tree) is Tree and tree.n_features == _columns(owner), owner)
        # The arrays of a tree are as long as it says; its memory is as long as what it was given.
        _require(1 <= tree.node_count == tree.capacity, owner)
    if {id(part) for part in parts if isinstance(part, Tree)} - {id(tree) for tree in trees}:
        raise ValueError("a tree belongs to no estimator that checks its columns")
    if not trees:
        return
    nodes = [tree.__getstate__()["nodes"] for tree in trees]
    joined = np.concatenate(nodes)
    is_leaf = joined["left_child"] == -1
    sizes = np.array([len(one) for one in nodes])
    arrays = TreeArrays(
        sizes, joined["left_child"], joined["right_child"], joined["feature"], is_leaf
    )
    check_trees(arrays, np.array([tree.n_features for tree in trees]))


def _check_forest(forest: BaseForest) -> None:
    """A forest checks a row's columns once, for all of its trees."""
    trees = vars(forest).get("estimators_", [])
    _require(all(_columns(tree) == _columns(forest) for tree in trees), forest)


def _check_isolation(forest: IsolationForest) -> None:
    """Its trees see some columns each, which NumPy chooses, unless each sees all of them."""
    own = vars(forest)
    columns, trees = own.get("estimators_features_", []), own.get("estimators_", [])
    _require(len(columns) == len(trees), forest)
    if trees and own["_max_features"] == _columns(forest):
        _require(all(_columns(tree) == _columns(forest) for tree in trees), forest)
    pairs = zip(trees, columns, strict=True)
    _require(all(_columns(tree) == len(chosen) for tree, chosen in pairs), forest)


def _check_boosting(boosting: BaseGradientBoosting) -> None:
    stages = vars(boosting).get("estimators_")
    if stages is None:
        return
    _require(isinstance(stages, np.ndarray) and stages.ndim == 2, boosting)
    trees, n = stages.ravel().tolist(), _columns(boosting)
    _require(all(isinstance(t, BaseDecisionTree) and _columns(t) == n for t in trees), boosting)
    _require(all(vars(tree)["tree_"].value.shape[1:] == (1, 1) for tree in trees), boosting)
    start = boosting._raw_predict_init(np.zeros((1, n), dtype=np.float32))
    _require(start.shape == (1, stages.shape[1]), boosting)


def _check_hist_boosting(boosting: BaseHistGradientBoosting) -> None:
    rounds = vars(boosting).get("_predictors")
    if rounds is None:
        return
    predictors = [one for some in rounds for one in some]
    _require(all(type(one) is TreePredictor for one in predictors), boosting)
    n = _columns(boosting)
    by_category = np.asarray(boosting._bin_mapper.is_categorical_).astype(bool)
    _require(by_category.shape == (n,), boosting)
    _check_encoded_columns(boosting, n)
    if not predictors:
        return
    nodes = np.concatenate([one.nodes for one in predictors])
    is_leaf = nodes["is_leaf"].astype(bool)
    sizes = np.array([len(one.nodes) for one in predictors])
    arrays = TreeArrays(sizes, nodes["left"], nodes["right"], nodes["feature_idx"], is_leaf)
    check_trees(arrays, n)
    words = nodes[nodes["is_categorical"].astype(bool) & ~is_leaf]
    _require(bool(by_category[words["feature_idx"]].all()), boosting)
    for one in predictors:
        bitsets = one.raw_left_cat_bitsets
        used = one.nodes["bitset_idx"][one.nodes["is_categorical"].astype(bool)]
        _require(bitsets.ndim == 2 and bitsets.shape[1] == 8, boosting)
        _require(not used.size or int(used.max()) < len(bitsets), boosting)


def _check_encoded_columns(boosting: BaseHistGradientBoosting, n: int) -> None:
    """Where there are categories, a transformer makes the columns that the trees see."""
    transformer = boosting._preprocessor
    if transformer is None:
        return
    (_, encoder, words), (_, _, numbers) = transformer.transformers_[:2]
    masks = np.stack([words, numbers])
    _require(masks.shape == (2, n) and masks.dtype == bool, boosting)
    _require(bool((masks.sum(axis=0) == 1).all()), boosting)
    _require(len(encoder.categories_) == int(masks[0].sum()), boosting)


def _check_machine(machine: BaseLibSVM) -> None:
    own = vars(machine)
    if "support_vectors_" not in own:
        return
    vectors, per_class = machine.support_vectors_, np.asarray(own["_n_support"])
    _require(machine.kernel in _KERNELS and not own.get("_sparse"), machine)
    _require(isinstance(vectors, np.ndarray) and vectors.ndim == 2, machine)
    n, k = len(vectors), len(per_class)
    pairs = k * (k - 1) // 2
    _require(k >= 2 and bool((per_class >= 0).all()), machine)
    is_classifier = machine._impl in _CLASSIFIERS
    _require(per_class.sum() == n if is_classifier else per_class.tolist() == [n, n], machine)
    _require(vectors.shape[1] == _columns(machine) and len(own["support_"]) == n, machine)
    _require(own["_dual_coef_"].shape == (k - 1, n), machine)
    _require(own["_intercept_"].shape == (pairs,), machine)
    sizes = {own["_probA"].size, own["_probB"].size}
    _require(sizes <= ({0, pairs} if is_classifier else {0, 1}), machine)
    _require(not is_classifier or len(sizes) == 1, machine)


def _check_neighbors(neighbors: NeighborsBase) -> None:
    own = vars(neighbors)
    if "_fit_X" not in own:
        return
    rows = own["_fit_X"]
    _require(isinstance(rows, np.ndarray) and rows.ndim == 2, neighbors)
    _require(own.get("_tree") is None and own.get("n_samples_fit_") == len(rows), neighbors)
    _require(rows.shape[1] == _columns(neighbors), neighbors)
    if isinstance(neighbors, (KNeighborsClassifier, RadiusNeighborsClassifier)):
        codes, classes = np.asarray(own["_y"]), own["classes_"]
        of_outputs = classes if isinstance(classes, list) else [classes]
        most = min(map(len, of_outputs))
        _require(len(codes) == len(rows) and codes.dtype.kind == "i", neighbors)
        _require(not codes.size or 0 <= codes.min() <= codes.max() < most, neighbors)


def _check_clusters(clusters: _BaseKMeans) -> None:
    centers = vars(clusters).get("cluster_centers_")
    if centers is not None:
        _require(centers.ndim == 2 and centers.shape[1] == _columns(clusters), clusters)


_CHECKS: tuple[tuple[type, Callable[[Any], None]], ...] = (
    (BaseForest, _check_forest),
    (IsolationForest, _check_isolation),
    (BaseGradientBoosting, _check_boosting),
    (BaseHistGradientBoosting, _check_hist_boosting),
    (BaseLibSVM, _check_machine),
    (NeighborsBase, _check_neighbors),
    (_BaseKMeans, _check_clusters),
)
