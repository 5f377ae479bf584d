import pandas as pd
import pytest

from student_perf.data.booleans import booleans_as_labels, booleans_as_numbers, is_boolean

FORMS = {
    "words": pd.Series(["True", "False", "True"]),
    "words with a gap": pd.Series(["True", "False", None]),
    "booleans": pd.Series([True, False, True]),
    "objects with a gap": pd.Series([True, False, None], dtype="object"),
    "nullable": pd.Series([True, False, None], dtype="boolean"),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_rule_for_every_form(form):
    column = FORMS[form]
    assert is_boolean(column)
    assert booleans_as_numbers(column).tolist()[:2] == [1.0, 0.0]
    assert booleans_as_numbers(column).isna().sum() == column.isna().sum()
    assert booleans_as_labels(column).tolist()[:2] == ["True", "False"]


def test_other_words_and_numbers_are_none():
    assert not is_boolean(pd.Series(["true", "maybe"]))
    assert not is_boolean(pd.Series([0, 1]))
    assert not is_boolean(pd.Series([None, None], dtype="object"))
