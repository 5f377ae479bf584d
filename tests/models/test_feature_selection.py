import numpy as np
import pytest
from sklearn.base import clone

from student_perf.models.feature_selection import KBest


def columns(n=200, seed=0):
    """Noise, a line, a square, a constant."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([*rng.normal(size=(3, n)), np.ones(n)])
    return x, 2 * x[:, 1] + x[:, 2] ** 2


@pytest.mark.parametrize(("by", "first"), [("f", 1), ("mutual_information", 1), ("forest", 1)])
def test_the_columns_that_tell_most_are_kept(by, first):
    x, y = columns()
    for target in (y, (y > 1).astype(np.int64)):
        assert KBest(1, by, 0).fit(x, target).get_support(indices=True).tolist() == [first]
    chosen = clone(KBest(2, by, 0)).fit(x, y)
    if by != "f":  # which sees lines only
        assert chosen.get_support(indices=True).tolist() == [1, 2]
    assert not chosen.get_support()[3]
    np.testing.assert_array_equal(chosen.transform(x), x[:, chosen.get_support()])
    assert KBest(50, by, 0).fit(x, y).get_support().all()


def test_a_seed_gives_the_same_columns_again():
    x, y = np.random.default_rng(1).normal(size=(2, 60, 12))[0], np.arange(60.0) % 7
    one, two = (KBest(3, random_state=5).fit(x, y).scores_ for _ in range(2))
    assert one.tolist() == two.tolist()


@pytest.mark.parametrize("wrong", [{"k": 0}, {"by": "luck"}])
def test_other_options_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        KBest(**wrong).fit(*columns())
