from itertools import product

import numpy as np
import pytest

from student_perf.evaluation.group_folds import group_cut, group_folds


def gaps(counts, folds, n_splits):
    table = np.zeros((n_splits, counts.shape[1]))
    np.add.at(table, folds, counts)
    return int((table == 0).sum())


def fewest_gaps(counts, n_splits):
    every = product(range(n_splits), repeat=len(counts))
    return min(gaps(counts, np.array(folds), n_splits) for folds in every)


@pytest.mark.parametrize("seed", range(12))
def test_no_division_of_few_unequal_groups_leaves_fewer_gaps(seed):
    rng = np.random.default_rng(seed)
    n_groups, n_classes = int(rng.integers(4, 8)), int(rng.integers(2, 4))
    counts = rng.poisson(rng.gamma(0.5, 6, (n_groups, 1)) * rng.random((1, n_classes)))
    counts[:, 0] += 1
    folds = group_folds(counts, 3, seed)
    counts = counts[:, counts.sum(axis=0) > 0]
    assert gaps(counts, folds, 3) == fewest_gaps(counts, 3)


def test_one_large_group_leaves_no_fold_empty():
    counts = np.array([[90, 5], [3, 1], [2, 1], [1, 1]])
    for seed in range(5):
        assert gaps(counts, group_folds(counts, 4, seed), 4) == 0


def test_classes_are_in_proportion_and_the_seed_decides():
    counts = np.random.default_rng(0).multinomial(20, [0.6, 0.3, 0.1], 40)
    table = np.zeros((5, 3))
    np.add.at(table, group_folds(counts, 5, 0), counts)
    shares = table / table.sum(axis=1, keepdims=True)
    assert np.abs(shares - counts.sum(axis=0) / counts.sum()).max() < 0.06
    assert (group_folds(counts, 5, 0) == group_folds(counts, 5, 0)).all()
    assert (group_folds(counts, 5, 0) != group_folds(counts, 5, 1)).any()


def test_what_is_cut_holds_its_share_of_every_class():
    counts = np.random.default_rng(1).multinomial(20, [0.6, 0.3, 0.1], 30)
    counts[0] = [200, 0, 0]
    is_cut = group_cut(counts, 6, seed=0)
    assert is_cut.sum() == 6
    shares = counts[is_cut].sum(axis=0) / counts.sum(axis=0)
    assert np.abs(shares - 0.2).max() < 0.1
