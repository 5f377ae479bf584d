import numpy as np
import pandas as pd
import pytest

from student_perf.evaluation.strength import (
    association,
    explained_share,
    feature_strength,
    same_information,
)


def test_a_rescaled_number_is_a_leak_and_a_noisy_one_is_not():
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 200)
    assert feature_strength(pd.Series(np.exp(y)), y, "regression") == pytest.approx(1)
    assert feature_strength(pd.Series(y + rng.normal(0, 0.3, 200)), y, "regression") < 0.99
    names = pd.Series(np.where(y > 0, "a", "b"), dtype="str")
    assert 0.4 < feature_strength(names, y, "regression") < 0.9


def test_strength_of_one_class_against_the_rest_matches_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 90)
    values = pd.Series(rng.normal(0, 1, 90) + y)
    areas = [roc_auc_score(y == code, values) for code in range(3)]
    expected = max(max(area, 1 - area) for area in areas)
    assert feature_strength(values, y, "classification") == pytest.approx(expected)


def test_what_a_column_carries_through_noise():
    rng = np.random.default_rng(0)
    score = pd.Series(rng.normal(0, 1, 1000))
    grade = np.digitize(score, [-1, 0, 1])
    mixed = np.where(rng.random(1000) < 0.08, rng.integers(0, 4, 1000), grade)
    assert explained_share(score, grade, "classification") > 0.97
    assert 0.85 < explained_share(score, mixed, "classification") < 0.93
    assert explained_share(pd.Series(rng.normal(0, 1, 1000)), grade, "classification") < 0.2
    assert explained_share(score**2, score.to_numpy() ** 2 + 3, "regression") == pytest.approx(1)
    bent = np.cos(3 * score) + rng.normal(0, 0.05, 1000)
    assert explained_share(score, bent.to_numpy(), "regression") > 0.95


def test_text_carries_the_variance_between_its_categories():
    school = pd.Series(["a", "b", "c"] * 30, dtype="str")
    y = np.tile([1.0, 2.0, 6.0], 30)
    assert explained_share(school, y, "regression") == pytest.approx(1)
    names = pd.Series([f"n{i}" for i in range(90)], dtype="str")
    assert explained_share(names, y, "regression") == 0


def test_lambda_by_hand():
    a, b = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1])
    # Guessed as 1, two are wrong; known by a, one is.
    assert association(a, b) == pytest.approx(0.5)
    many = np.arange(6) * 10**6
    assert association(many, b) == pytest.approx(1)


def test_a_renamed_copy_with_a_changed_cell_is_the_same():
    one = pd.Series([1.0, 2.0, 3.0, 4.0] * 25)
    changed = one.copy()
    changed[0] = 4.0
    assert same_information(one, changed * -3)
    assert not same_information(one, one.sample(frac=1, random_state=0).reset_index(drop=True))
