"""Arrays of decision trees that native code follows without looking: are they trees at all?

A library starts at node 0 and takes the child that an array names until it meets a leaf. A child
outside the array, or a node that is its own ancestor, ends the process or never ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DEEPEST = 2_000  # levels; explanations of answers recurse once a level


@dataclass(frozen=True)
class TreeArrays:
    """Nodes of some trees, tree after tree; children are counted within their own tree.

    Attributes:
        sizes: Nodes of each tree, shape (t,).
        left: Left child of each node, shape (n,).
        right: Right child of each node, shape (n,).
        feature: Column that each node splits by, shape (n,).
        is_leaf: Whether a node has no children, so that the three above mean nothing, shape (n,).

    """

    sizes: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    is_leaf: np.ndarray


def check_trees(trees: TreeArrays, n_features: int | np.ndarray) -> None:
    """Raise ValueError unless every tree is one, and splits by columns below `n_features`, which is
    one number, or one a tree.
    """
    sizes, inner = trees.sizes.astype(np.int64), ~trees.is_leaf.astype(bool)
    if (sizes < 1).any() or sizes.sum() != len(inner):
        raise ValueError("a tree has no nodes")
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)[inner]
    children = np.stack([trees.left[inner], trees.right[inner]]).astype(np.int64)
    if (children < 1).any() or (children >= np.repeat(sizes, sizes)[inner]).any():
        raise ValueError("a node of a tree has a child outside of the tree")
    places = children + first
    if np.bincount(places.ravel(), minlength=1).max(initial=0) > 1:
        raise ValueError("a node of a tree has two parents")
    feature = trees.feature[inner].astype(np.int64)
    most = np.repeat(np.broadcast_to(n_features, sizes.shape), sizes)[inner]
    if (feature < 0).any() or (feature >= most).any():
        raise ValueError("a tree splits by a column that it does not have")
    _check_depth(sizes, inner, places)


def _check_depth(sizes: np.ndarray, inner: np.ndarray, places: np.ndarray) -> None:
    """Raise ValueError if one tree is deeper than `_DEEPEST`; its nodes have one parent each."""
    of_inner = np.cumsum(inner) - 1  # where the children of a node stand in `places`
    level = np.cumsum(sizes) - sizes
    for _ in range(_DEEPEST):
        level = places[:, of_inner[level[inner[level]]]].ravel()
        if not level.size:
            return
    raise ValueError(f"a tree is deeper than {_DEEPEST} levels")
