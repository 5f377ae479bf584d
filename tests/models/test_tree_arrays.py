import numpy as np
import pytest

from student_perf.models.tree_arrays import TreeArrays, check_trees


def trees(*, sizes=(3, 1, 5), left=None, right=None, feature=None):
    """A stump, a leaf, and a tree of two levels, one after the other."""
    return TreeArrays(
        sizes=np.array(sizes),
        left=np.array([1, -1, -1, -1, 1, 3, -1, -1, -1] if left is None else left),
        right=np.array([2, -1, -1, -1, 2, 4, -1, -1, -1] if right is None else right),
        feature=np.array([0, -2, -2, -2, 1, 0, -2, -2, -2] if feature is None else feature),
        is_leaf=np.array([0, 1, 1, 1, 0, 0, 1, 1, 1], dtype=bool),
    )


def test_trees_are_taken():
    check_trees(trees(), 2)
    check_trees(trees(), np.array([1, 1, 2]))
    check_trees(TreeArrays(*[np.array([], dtype=int)] * 5), 2)


@pytest.mark.parametrize("child", [2**40, -(2**40), -1, 0, 3, 2**63 - 1])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_child_outside_of_its_tree_is_refused(child, side):
    changed = getattr(trees(), side).copy()
    changed[0] = child
    with pytest.raises(ValueError, match="outside of the tree"):
        check_trees(trees(**{side: changed}), 2)


def test_a_node_that_is_its_own_ancestor_is_refused():
    left = trees().left.copy()
    left[5] = 1  # the node itself
    with pytest.raises(ValueError, match="two parents"):
        check_trees(trees(left=left), 2)
    left[5] = 2  # the other child of the root
    with pytest.raises(ValueError, match="two parents"):
        check_trees(trees(left=left), 2)


@pytest.mark.parametrize("feature", [2, 2**40, -1])
def test_a_column_that_is_not_there_is_refused(feature):
    columns = trees().feature.copy()
    columns[4] = feature
    with pytest.raises(ValueError, match="a column that it does not have"):
        check_trees(trees(feature=columns), 2)
    with pytest.raises(ValueError, match="a column that it does not have"):
        check_trees(trees(), np.array([2, 2, 1]))


@pytest.mark.parametrize("sizes", [(3, 0, 6), (3, 1, 4), (10,), (-1, 10)])
def test_sizes_that_do_not_add_up_are_refused(sizes):
    with pytest.raises(ValueError, match=r"no nodes|outside"):
        check_trees(trees(sizes=sizes), 2)


def test_a_chain_of_nodes_is_refused():
    n = 10_001
    odd = np.arange(n) % 2 == 1
    inner = ~odd & (np.arange(n) < n - 1)
    children = np.where(inner, np.arange(n), -1)
    chain = TreeArrays(np.array([n]), children + 1, children + 2, np.zeros(n, int), ~inner)
    with pytest.raises(ValueError, match="deeper than"):
        check_trees(chain, 1)
