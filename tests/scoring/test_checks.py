import numpy as np
import pytest
import scipy.sparse

from student_perf.errors import ModelError
from student_perf.scoring.checks import all_classes, checked_answer
from tests.hostile import ANSWERED, NUMBERS

RIGHT = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]])


def test_right_answers_come_back_as_they_are():
    np.testing.assert_array_equal(checked_answer(RIGHT, 2, 3), RIGHT)
    np.testing.assert_array_equal(checked_answer([3, 4], 2, 0), [3.0, 4.0])
    assert checked_answer([[True, False]], 1, 2).dtype == np.float64
    assert checked_answer(np.empty((0, 3)), 0, 3).shape == (0, 3)
    objects = np.array([[0.5, 0.5]], dtype=object)
    np.testing.assert_array_equal(checked_answer(objects, 1, 2), [[0.5, 0.5]])


@pytest.mark.parametrize("word", ANSWERED)
def test_what_is_no_answer_in_probabilities_is_refused_in_one_line(word):
    with pytest.raises(ModelError) as raised:
        checked_answer(ANSWERED[word](RIGHT), 2, 3, "in fold 2 of 5")
    line = str(raised.value)
    assert line.startswith("the model answered ")
    assert word in line
    assert "in fold 2 of 5; " in line
    assert line.endswith("; correct its predict_proba")
    assert "\n" not in line


@pytest.mark.parametrize("word", NUMBERS)
def test_what_is_no_answer_in_numbers_is_refused_in_one_line(word):
    with pytest.raises(ModelError, match=r"the model answered .*; correct its predict$") as raised:
        checked_answer(NUMBERS[word](np.array([1.0, 2.0])), 2, 0, "for the test rows")
    assert word in str(raised.value)
    assert "for the test rows" in str(raised.value)


@pytest.mark.parametrize(
    "answer", [[[0.5, 0.5], [1.0]], scipy.sparse.csr_array([[0.5, 0.5]]), "yes", object(), [["1"]]]
)
def test_what_is_no_array_of_numbers_is_refused(answer):
    with pytest.raises(ModelError, match="answers are arrays of numbers"):
        checked_answer(answer, 1, 2)


def test_the_row_is_named():
    wrong = np.vstack([RIGHT, [[0.5, 0.5, 0.1]], [[0.5, 0.5, 0.2]]])
    with pytest.raises(ModelError, match=r"that sum to 1\.2 \(row 4 of 4\)"):
        checked_answer(wrong, 4, 3)
    wrong[2] = [-0.5, 1.0, 0.5]
    with pytest.raises(ModelError, match=r"-0\.5, 1, 0\.5 \(row 3 of 4\)"):
        checked_answer(wrong, 4, 3)


@pytest.mark.parametrize("off", [2e-6, -2e-6])
def test_sums_are_right_to_a_millionth(off):
    exact, wrong = RIGHT.copy(), RIGHT.copy()
    exact[0, 1] += off / 3
    wrong[0, 1] += off
    checked_answer(exact, 2, 3)
    with pytest.raises(ModelError, match="that sum to"):
        checked_answer(wrong, 2, 3)


def test_rounding_is_no_fault_and_stays_within_bounds():
    close = np.array([[1 + 1e-12, -1e-12]])
    np.testing.assert_array_equal(checked_answer(close, 1, 2), [[1.0, 0.0]])
    rng = np.random.default_rng(0)
    many = rng.dirichlet(np.ones(200), 500).astype(np.float32)  # single precision, as boosting has
    np.testing.assert_array_equal(checked_answer(many, 500, 200), many)


def test_a_class_that_no_training_row_has_gets_probability_zero():
    full = all_classes(np.array([[0.25, 0.75]]), np.array([0, 2]), 3)
    np.testing.assert_array_equal(full, [[0.25, 0, 0.75]])
    assert all_classes(RIGHT, np.arange(3), 3) is RIGHT
    assert all_classes(RIGHT, None, 3) is RIGHT


@pytest.mark.parametrize("codes", [[2, 1, 0], [0, 0, 1], [0, 1, 7], ["a", "b", "c"], [[0, 1, 2]]])
def test_classes_in_another_order_or_unknown_are_refused(codes):
    with pytest.raises(ModelError, match=r"the model answered the classes .*ascending"):
        all_classes(RIGHT, np.array(codes), 3, "in fold 1 of 5")


def test_as_many_columns_as_classes_are_needed():
    with pytest.raises(ModelError, match=r"shape \(2, 3\); its classes_ are 2"):
        all_classes(RIGHT, np.array([0, 2]), 3)
