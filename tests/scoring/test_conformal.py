import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.scoring.answers import Answers
from student_perf.scoring.conformal import (
    LEVELS,
    PredictionSets,
    classes_within,
    interval_within,
    prediction_sets,
)


def numbers(errors, **more):
    errors = np.asarray(errors, np.float64)
    return prediction_sets(Answers(np.zeros(len(errors)), errors, **more), np.arange(len(errors)))


def test_the_limit_of_numbers_is_the_rank_of_split_conformal():
    sets = numbers(np.arange(1, 20))  # the 0.9 * 20 = 18th smallest of 19
    assert sets.limit(0.9) == 18
    assert sets.size(0.9) == 36
    low, high = interval_within(np.array([5.0]), sets.limit(0.9))
    assert (low[0], high[0]) == (-13, 23)


def test_a_level_that_so_few_rows_cannot_show_is_refused_with_the_highest():
    sets = numbers(np.arange(1, 20))
    assert sets.limit(0.95) == 19
    with pytest.raises(
        ConfigError, match=r"--coverage 0.96: 19 held-out rows can show at most 0.95"
    ):
        sets.limit(0.96)
    assert sets.size(0.96) is None


@pytest.mark.parametrize("level", [0.4, 1.0, 0.905, -1, float("nan"), float("inf")])
def test_other_levels_are_refused(level):
    with pytest.raises(ConfigError, match=r"must be from 0.5 to 0.99 in steps of 0.01; try 0.9"):
        numbers(np.arange(200)).limit(level)


def test_a_row_of_weight_two_counts_as_two():
    errors = np.array([1.0, 2, 3, 4] * 30)
    weights = np.where(errors == 4, 2, 1)
    twice = np.repeat(errors, weights)
    assert (
        numbers(errors, weights=weights.astype(float)).limit(0.7) == numbers(twice).limit(0.7) == 4
    )
    assert numbers(errors).limit(0.7) == 3


def test_rows_of_unequal_weight_are_worth_fewer_and_new_ones_lie_in_their_sets():
    rng = np.random.default_rng(0)

    def draw(n):
        return rng.normal(size=n), rng.lognormal(sigma=2, size=n)

    held = []
    for _ in range(300):
        errors, weights = draw(60)
        sets = numbers(errors, weights=weights)
        limit = sets.limits[LEVELS.index(0.8)]
        errors, weights = draw(2000)
        inside = np.abs(errors) <= (np.inf if limit is None else limit)
        held.append(np.average(inside, weights=weights))
    assert sets.n < 30
    assert np.mean(held) > 0.8


def test_groups_and_repeats_are_one_piece_of_evidence():
    errors = np.arange(1.0, 101)
    assert numbers(errors).limit(0.8) == 81
    assert numbers(errors, groups=np.arange(100) // 10).limit(0.8) == 88  # 0.8 * (1 + 1/10) of 100
    answers = Answers(np.zeros(200), np.tile(errors, 2))
    repeated = prediction_sets(answers, np.tile(np.arange(100), 2))
    assert (repeated.n, repeated.limit(0.8)) == (100, 81)


def test_sets_hold_likely_classes_and_the_likeliest_in_any_case():
    output = np.array([[0.5, 0.3, 0.2], [0.34, 0.33, 0.33], [0.9, 0.1, 0.0]])
    assert classes_within(output, 0.7).tolist() == [
        [True, True, False],
        [True, True, True],
        [True, False, False],
    ]
    assert classes_within(output, 0.05).sum(axis=1).tolist() == [1, 1, 1]
    assert classes_within(output, 1.0).all()


@pytest.mark.parametrize("n_classes", [2, 5])
def test_new_rows_lie_in_their_sets_as_often_as_asked(n_classes):
    """The model is right about its probabilities here, so 400 held-out rows give 90 +- 2 %."""
    rng = np.random.default_rng(3)

    def draw(n):
        output = rng.dirichlet(np.full(n_classes, 0.7), size=n)
        truth = (output.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1)
        return Answers(truth.clip(max=n_classes - 1), output)

    held, shown = [], []
    for _ in range(40):
        sets = prediction_sets(draw(400), np.arange(400))
        new = draw(400)
        inside = classes_within(new.output, sets.limit(0.9))
        held.append(inside[np.arange(400), new.y_true].mean())
        shown.append(inside.sum(axis=1).mean() - sets.size(0.9))
    assert np.mean(held) == pytest.approx(0.9, abs=0.02)
    assert np.mean(shown) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    ("n", "limits"),
    [(0, [0.5] * 50), (9, [np.nan] * 50), (9, [-1.0] * 50), (9, [0.5] * 49 + [0.4])],
)
def test_limits_that_nobody_measured_are_refused(n, limits):
    with pytest.raises(ConfigError, match="limits must be 0 or more and rise"):
        PredictionSets(n, limits, [1.0] * 50)


def test_a_file_of_another_length_is_refused():
    with pytest.raises(ConfigError, match=f"must have {len(LEVELS)} limits"):
        PredictionSets(3, [0.5], [1.0])
