import numpy as np
import pytest

from student_perf.scoring.best import may_be_best
from student_perf.scoring.influence import RowScores
from student_perf.scoring.paired import row_difference


def scored(values):
    """A mean of rows, (n,)."""
    n = len(values)
    moved = (values - values.mean()) / np.sqrt(n * (n - 1))
    return RowScores(float(values.mean()), np.arange(n), moved)


def hits(shares, n, rng):
    """Models that are right together on half of the rows."""
    common, own = rng.random(n), rng.random((len(shares), n))
    luck = np.where(rng.random(n) < 0.5, common, own)
    return [scored((one < share).astype(float)) for one, share in zip(luck, shares, strict=True)]


def test_of_two_it_is_the_paired_test():
    first, second = hits([0.6, 0.5], 300, np.random.default_rng(1))
    p_values = may_be_best([first, second], sign=1)
    assert p_values == pytest.approx([1.0, row_difference(first, second).p_value])
    assert may_be_best([first, second], sign=-1) == pytest.approx(p_values[::-1])


@pytest.mark.parametrize("shares", [[0.6] * 8, [0.6, *[0.5] * 7], np.linspace(0.6, 0.45, 8)])
@pytest.mark.slow
def test_the_best_of_a_board_is_in_the_set(shares):
    rng = np.random.default_rng(0)
    found = [may_be_best(hits(shares, 200, rng), 1, factor=1.0)[0] > 0.05 for _ in range(100)]
    assert sum(found) >= 90


def test_it_tells_more_models_from_the_best_than_pairs_with_holm():
    """One of them decides for the others: what they have in common with the best shows."""
    rng = np.random.default_rng(0)
    p_values = may_be_best(hits([0.62, *[0.5] * 9], 600, rng), sign=1)
    assert (p_values[1:] < 0.05).all()


def test_models_that_answer_alike_are_tied_and_what_is_certain_is_said():
    one = scored(np.random.default_rng(0).random(50))
    assert may_be_best([one, one, one], sign=1).tolist() == [1.0, 1.0, 1.0]
    better = RowScores(one.mean + 0.1, one.unit, one.moved)
    assert may_be_best([better, one], sign=1).tolist() == [1.0, 0.0]
    unknown = RowScores(float("nan"), one.unit, one.moved)
    assert np.isnan(may_be_best([one, unknown], sign=1)).all()
