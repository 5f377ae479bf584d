"""What is in the boosters of xgboost and LightGBM, looked at before the library loads them.

Both libraries follow the figures of a booster unchecked, so one changed figure ends the process.
CatBoost keeps its models in a form that only it reads, and verifies most of it. So a model of it is
tried out in a process of its own first, which takes about a second.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.models.tree_arrays import TreeArrays, check_trees
from student_perf.models.ubjson import read_ubjson

_NO_PARENT = 2**31 - 1  # what xgboost writes for the root
# What LightGBM writes of each leaf, and of each other node, beside what is read below.
_OF_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_OF_NODES = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
_NUMBER = r"-?(?:\d++(?:\.\d++)?(?:e[-+]?\d++)?|inf|nan)"
_LIST = re.compile(rf"{_NUMBER}(?: {_NUMBER})*+", re.ASCII)
_LENGTHS = (
    "left_children",
    "right_children",
    "parents",
    "split_indices",
    "split_conditions",
    "default_left",
    "split_type",
    "base_weights",
    "loss_changes",
    "sum_hessian",
)


def _check_xgboost(content: bytes) -> None:
    booster = read_ubjson(content)
    learner = booster["Model"]["learner"]
    n_features, n_groups = _sizes(booster)
    base = learner["learner_model_param"]["base_score"].strip("[]").split(",")
    if len(base) not in (1, n_groups):
        raise ValueError("its scores at the start are not one a class")
    gradient = learner["gradient_booster"]
    if gradient["name"] == "gblinear":
        weights = gradient["model"]["weights"]
        if len(weights) != (n_features + 1) * n_groups:
            raise ValueError("its weights are not one a column")
        return
    model = gradient["gbtree"]["model"] if gradient["name"] == "dart" else gradient["model"]
    trees = model["trees"]
    if gradient["name"] == "dart" and len(gradient["weight_drop"]) != len(trees):
        raise ValueError("its weights are not one a tree")
    _check_within(model["tree_info"], n_groups, len(trees), "tree answers for a class")
    indptr = np.asarray(model["iteration_indptr"], dtype=np.int64)
    if len(indptr) and (indptr[0] or indptr[-1] != len(trees) or (np.diff(indptr) < 0).any()):
        raise ValueError("its rounds do not hold its trees")
    if int(model["gbtree_model_param"]["num_trees"]) != len(trees):
        raise ValueError("it holds another number of trees than it says")
    _check_xgboost_trees(trees, n_features)
    _check_categories(model.get("cats"))


def _sizes(booster: Any) -> tuple[int, int]:
    """Columns and outputs of a booster, which says them in several places."""
    said = {name: {int(value) for value in _find(booster, name)} - {0} for name in _SAID}
    if any(len(values) > 1 for values in said.values()) or not said["num_feature"]:
        raise ValueError("it says in two ways how many columns or classes it has")
    n_features, classes, targets = (max(said[name], default=1) for name in _SAID)
    if classes > 1 and targets > 1:
        raise ValueError("it has several classes and several targets")
    return n_features, max(classes, targets)


_SAID = ("num_feature", "num_class", "num_target")


def _find(node: dict[str, Any], name: str) -> Iterator[Any]:
    """Every value of a name in nested mappings, but for those of the single trees."""
    if name in node:
        yield node[name]
    for part in node.values():
        if isinstance(part, dict):
            yield from _find(part, name)


def _check_xgboost_trees(trees: list[dict[str, Any]], n_features: int) -> None:
    if not trees:
        return
    sizes = np.array([int(tree["tree_param"]["num_nodes"]) for tree in trees])
    for tree, size in zip(trees, sizes, strict=True):
        if any(len(tree[name]) != size for name in _LENGTHS):
            raise ValueError("the arrays of a tree are not one entry a node")
        if int(tree["tree_param"]["size_leaf_vector"]) > 1:
            raise ValueError("its leaves hold vectors, which are not checked here")
        _check_splits(tree)
    left, right, feature = (
        np.concatenate([tree[name] for tree in trees])
        for name in ("left_children", "right_children", "split_indices")
    )
    check_trees(TreeArrays(sizes, left, right, feature, left == -1), n_features)
    for tree in trees:
        _check_parents(tree)


def _check_parents(tree: dict[str, Any]) -> None:
    """Xgboost goes up from each node, too: a node that was pruned has any parent in the tree."""
    parents = tree["parents"].astype(np.int64)
    inner = np.flatnonzero(tree["left_children"] != -1)
    children = np.stack([tree["left_children"][inner], tree["right_children"][inner]])
    if parents[0] != _NO_PARENT or (parents[children] != inner).any():
        raise ValueError("a node of a tree has another parent than the one whose child it is")
    others = parents[1:][parents[1:] != _NO_PARENT] if len(inner) == 0 else parents[1:]
    if ((others < 0) | (others >= len(parents))).any():
        raise ValueError("a node of a tree has a parent outside of the tree")


def _check_splits(tree: dict[str, Any]) -> None:
    """Categories that send a row left: a segment of one array for each node that has some."""
    nodes, values = tree["categories_nodes"], tree["categories"]
    if not len(nodes) and not tree["split_type"].any():
        return
    starts, lengths = tree["categories_segments"], tree["categories_sizes"]
    if not len(nodes) == len(starts) == len(lengths) == np.count_nonzero(tree["split_type"]):
        raise ValueError("the categories of a tree are not one segment a node")
    _check_within(nodes, len(tree["parents"]), len(nodes), "category belongs to a node")
    ends = np.asarray(starts, dtype=np.int64) + np.asarray(lengths, dtype=np.int64)
    if len(nodes) and (np.min([starts, lengths]) < 0 or ends.max() > len(values)):
        raise ValueError("the categories of a tree lie outside of their array")
    _check_within(values, 2**24, len(values), "category has a number")


def _check_categories(cats: Any) -> None:
    """Names of categories by column, sorted once for all columns."""
    if not cats:
        return
    segments, order = np.asarray(cats["feature_segments"], np.int64), cats["sorted_idx"]
    lengths = np.diff(segments)
    if len(segments) and (segments[0] or (lengths < 0).any() or segments[-1] != len(order)):
        raise ValueError("its categories are not one segment a column")
    limits = np.repeat(lengths, lengths)
    if len(order) and ((order < 0).any() or (order >= limits).any()):
        raise ValueError("the order of its categories names one that it does not have")
    for names, length in zip(cats["enc"], lengths, strict=False):
        offsets, values = names.get("offsets"), names["values"]
        n = len(values) if offsets is None else max(0, len(offsets) - 1)
        if n != length:
            raise ValueError("its categories are not as many as it says")
        if offsets is not None and len(offsets):
            ends = np.asarray(offsets, dtype=np.int64)
            if ends[0] or (np.diff(ends) < 0).any() or ends[-1] > len(values):
                raise ValueError("the names of its categories lie outside of their array")


def _check_within(values: Any, limit: int, n: int, what: str) -> None:
    """Raise ValueError unless there are `n` whole numbers from 0 to below `limit`."""
    array = np.asarray(values, dtype=np.int64)
    if len(array) != n or (n and (array.min() < 0 or array.max() >= limit)):
        raise ValueError(f"no {what} that it has")


def _check_lightgbm(text: str) -> None:
    head, _, rest = text.partition("\n\nTree=0\n")
    about = _pairs(head.partition("\n")[2])
    n_features = int(about["max_feature_idx"]) + 1
    classes = int(about["num_class"])
    said = re.findall(r"num_class:(\d+)", about.get("objective", ""))
    if int(about["num_tree_per_iteration"]) != classes or {*map(int, said)} - {classes}:
        raise ValueError("it says in two ways how many classes it has")
    if about.get("objective", "").startswith("multi") and not said:
        raise ValueError("its objective has no number of classes")
    blocks = _lightgbm_blocks(f"Tree=0\n{rest}" if rest else "", about.get("tree_sizes", ""))
    if len(blocks) % classes:
        raise ValueError("its trees are not one a class")
    trees = [tree for block in blocks if (tree := _lightgbm_tree(_pairs(block))) is not None]
    if trees:
        sizes = np.array([len(tree) for tree in trees])
        left, right, feature, is_leaf = np.concatenate(trees).T
        check_trees(TreeArrays(sizes, left, right, feature, is_leaf.astype(bool)), n_features)


def _lightgbm_blocks(text: str, sizes: str) -> list[str]:
    """The text of each tree; LightGBM cuts them out by the sizes that the head names."""
    if not text.isascii():
        raise ValueError("its trees are no plain text")
    blocks, place = [], 0
    for number, size in enumerate(map(int, sizes.split())):
        block = text[place : place + size]
        if size < 1 or len(block) < size or not block.startswith(f"Tree={number}\n"):
            raise ValueError("its trees do not have the sizes that it names")
        blocks.append(block)
        place += size
    if not text[place:].startswith("end of trees") and (text or not blocks):
        raise ValueError("it has more trees than it names")
    return blocks


def _pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition("=")
        if name in pairs and name:
            raise ValueError(f"it says '{name[:40]}' twice")
        pairs[name] = value
    return pairs


def _lightgbm_tree(tree: Mapping[str, str]) -> np.ndarray | None:
    """Left child, right child, column and whether it is a leaf, of each node; shape (m, 4). None if
    the tree is one leaf.
    """
    n, n_cat = int(tree["num_leaves"]), int(tree["num_cat"])
    if int(tree.get("is_linear", 0)):
        raise ValueError("its leaves hold linear models, which are not checked here")
    if n < 1 or n_cat < 0:
        raise ValueError("a tree has no leaves")
    if n == 1:
        _check_list(tree["leaf_value"], 1)
        return None
    for name in _OF_LEAVES:
        _check_list(tree[name], n)
    for name in _OF_NODES:
        _check_list(tree[name], n - 1)
    numbers = ("left_child", "right_child", "split_feature", "decision_type")
    columns = [np.array(tree[name].split(), np.int64) for name in numbers]
    if {*map(len, columns)} != {n - 1}:
        raise ValueError("the arrays of a tree are not one entry a node")
    kind = columns[3]
    if n_cat or (kind & 1).any():
        by_category = np.array(tree["threshold"].split(), np.float64)[(kind & 1) == 1]
        _check_lightgbm_categories(tree, n_cat, by_category)
    nodes = np.ones((2 * n - 1, 4), np.int64)
    # LightGBM counts leaves apart, as -1, -2, ...; here they stand behind the nodes.
    for place, side in enumerate(columns[:2]):
        if side.min() < -n or side.max() >= n - 1:
            raise ValueError("a node of a tree has a child outside of the tree")
        nodes[: n - 1, place] = np.where(side < 0, n - 2 - side, side)
    nodes[: n - 1, 2] = columns[2]
    nodes[: n - 1, 3] = 0
    return nodes


def _check_list(text: str, n: int) -> None:
    """LightGBM ends the process where it reads something else than a number."""
    if text.count(" ") != n - 1 or not _LIST.fullmatch(text):
        raise ValueError("a list of a tree does not hold a number for each of its nodes or leaves")


def _check_lightgbm_categories(tree: Mapping[str, str], n: int, used: np.ndarray) -> None:
    bounds = np.array(tree["cat_boundaries"].split(), np.int64)
    words = tree["cat_threshold"].split(" ")
    _check_list(tree["cat_threshold"], len(words))
    if len(bounds) != n + 1 or bounds[0] or (np.diff(bounds) < 0).any() or bounds[-1] != len(words):
        raise ValueError("the categories of a tree lie outside of their array")
    _check_within(used, n, len(used), "node splits by categories")


# By the class: what its state calls the booster, the type of it, and what checks it.
BOOSTERS: Mapping[str, tuple[tuple[str, ...], type, Callable[[Any], None]]] = {
    "xgboost.core.Booster": (("handle",), bytes, _check_xgboost),
    "lightgbm.basic.Booster": (("_handle", "handle"), str, _check_lightgbm),
}

# By the class: what its state calls a model that only its own library can read.
UNREAD: Mapping[str, str] = {
    "catboost.core.CatBoostClassifier": "__model",
    "catboost.core.CatBoostRegressor": "__model",
}
_TRIAL = Path(__file__).with_name("catboost_trial.py")
_PATIENCE = 120  # seconds


def try_out(content: bytes) -> None:
    """Load a CatBoost model in a child process, which answers some rows.

    Raises ValueError if the child does not come to its end.
    """
    command = [sys.executable, "-I", str(_TRIAL)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"its CatBoost model did not answer within {_PATIENCE} s") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [""]
        why = f"signal {-done.returncode}" if done.returncode < 0 else said[-1][:200]
        raise ValueError(f"its CatBoost model ends the process that tries it out ({why})")


def check_booster(name: str, content: bytes | str | None) -> None:
    """Look at a booster as its library keeps it.

    Args:
        name: The class of the booster, one of `BOOSTERS`.
        content: What the class calls its handle; None if it has none.

    Raises:
        ValueError: A figure in it would make the library read outside of its memory.
    """
    _, kind, check = BOOSTERS[name]
    if not isinstance(content, kind):
        raise ValueError(f"it holds a {name} without a booster")
    try:
        check(content)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"it holds a {name} that is broken ({error!r})") from error
    except ValueError as error:
        raise ValueError(f"it holds a {name} that is broken: {error}") from error
