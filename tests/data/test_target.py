import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import Bands, DatasetConfig
from student_perf.data.target import encode_target, positive_second
from student_perf.errors import DataError


def config(task="classification", bands=None, classes=None, positive=None):
    return DatasetConfig(
        name="d",
        version="1",
        source="test",
        target="grade",
        task=task,
        bands=bands,
        classes=classes,
        drop=[],
        positive=positive,
    )


def column(values):
    return pd.Series(values, name="grade")


def test_bands_close_below_and_open_above():
    bands = Bands([10.0, 14.0], ["fail", "pass", "good"])
    codes, labels = encode_target(column([9.9, 10, 13.9, 14, 20]), config(bands=bands))
    assert codes.tolist() == [0, 1, 1, 2, 2]
    assert labels == ("fail", "pass", "good")


def test_declared_order_beats_the_alphabet():
    order = ["Average", "Good", "Vg", "Excellent"]
    codes, labels = encode_target(
        column(["Vg", "Average", "Excellent", "Good"]), config(classes=order)
    )
    assert codes.tolist() == [2, 0, 3, 1]
    assert labels == tuple(order)


def test_numbers_sort_as_numbers_and_booleans_are_labels():
    codes, labels = encode_target(column([10, 9, 2]), config())
    assert (codes.tolist(), labels) == ([2, 1, 0], (2, 9, 10))
    codes, labels = encode_target(column([True, False]), config())
    assert (codes.tolist(), labels) == ([1, 0], ("False", "True"))


@pytest.mark.parametrize(
    ("values", "config_", "expected"),
    [
        (["fail", "pass"], {}, ([0, 1], ("fail", "pass"))),
        (["fail", "pass"], {"positive": "fail"}, ([1, 0], ("pass", "fail"))),
        (["fail", "pass"], {"positive": "pass"}, ([0, 1], ("fail", "pass"))),
        ([0, 1], {"positive": 0}, ([1, 0], (1, 0))),
        ([True, False], {"positive": False}, ([0, 1], ("True", "False"))),
        (["b", "a"], {"classes": ["b", "a"], "positive": "b"}, ([1, 0], ("a", "b"))),
        ([5, 15], {"bands": Bands([10.0], ["low", "high"]), "positive": "low"}, ([1, 0], None)),
    ],
)
def test_the_positive_class_is_the_second_of_two(values, config_, expected):
    made = config(**config_)
    codes, labels = positive_second(*encode_target(column(values), made), made)
    assert codes.tolist() == expected[0]
    assert labels == (expected[1] or ("high", "low"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "c"], "dataset.positive=d: 'grade' has 3 classes"),
        (["a", "b"], "use dataset.positive=a or dataset.positive=b"),
    ],
)
def test_a_positive_class_that_cannot_be_is_refused(values, message):
    found = encode_target(column(values), config())
    with pytest.raises(DataError, match=message):
        positive_second(*found, config(positive="d"))


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_word_among_the_numbers_of_a_target_is_named_with_what_to_type(task):
    grades = column([*(f"{number / 4}" for number in range(40)), "NP", "NP", "exempt"])
    with pytest.raises(DataError, match=r"'NP' \(2 rows\), 'exempt' \(1 row\) stands") as raised:
        encode_target(grades, config(task))
    assert "'dataset.missing_words=[default,NP,exempt]'" in str(raised.value)
    named = column(["a1", "b2", *map(str, range(15))])  # classes
    assert len(encode_target(named, config())[1]) == 17


def test_a_word_among_few_grades_is_named_where_numbers_are_asked_for():
    grades = column([*map(str, range(11)), "NP", "NP"])
    with pytest.raises(DataError, match=r"'NP' \(2 rows\) stands among numbers; .*missing_words"):
        encode_target(grades, config("regression"))
    assert len(encode_target(grades, config())[1]) == 12


def test_regression_keeps_the_numbers():
    numbers, labels = encode_target(column([1, 2]), config("regression"))
    assert numbers.dtype == np.float64
    assert (numbers.tolist(), labels) == ([1.0, 2.0], ())


@pytest.mark.parametrize(
    ("values", "config_", "message"),
    [
        (["a", None, "b"], config(), "1 of 3 rows have no value .first: row 1"),
        ([1.0, np.nan], config("regression"), "never imputed"),
        (["a", "b"], config("regression"), "needs numbers"),
        (["a", "b"], config(bands=Bands([1.0], ["x", "y"])), "needs numbers"),
        ([1.0, np.inf], config("regression"), "infinite"),
        ([3.0, 3.0], config("regression"), "is 3 in every row; there is nothing to predict"),
        ([1.0, 2.0], config(bands=Bands([5.0], ["x", "y"])), "no row falls into the band 'y'"),
        ([0.5, 1.5], config(), "are not classes"),
        (list(range(21)), config(), "21 different numbers are not classes"),
        (["a", "a"], config(), "single class 'a'"),
        (
            ["a", "b", "c"],
            config(classes=["a", "b"]),
            "does not hold these labels of 'grade': c .1.",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(values, config_, message):
    with pytest.raises(DataError, match=message):
        encode_target(column(values), config_)


def test_classes_in_several_spellings_are_refused_with_the_list_to_type():
    spelled = ["notable", "Aprobado", "aprobado", "suspenso", "aprobado"]
    with pytest.raises(DataError) as raised:
        encode_target(column(spelled), config())
    assert "'aprobado' (2 rows), 'Aprobado' (1 row) are one class but for" in str(raised.value)
    assert "'dataset.classes=[suspenso,aprobado,notable]'" in str(raised.value)
    with pytest.raises(DataError, match=r"dataset.classes=\[c,no,'sí'\]\" dataset.ordered=false"):
        encode_target(column(["sí", "sí", "si", "no", "c"]), config())
    codes, _ = encode_target(column(["a", "A"]), config(classes=["A", "a"]))
    assert codes.tolist() == [1, 0]  # listed, so two classes
