import pandas as pd
import pytest

from student_perf.data.missing import missing_line, missing_rule
from student_perf.errors import DataError


def column(word, n, others=("a", "b"), name="test"):
    rest = [others[i % len(others)] for i in range(200 - n)]
    return pd.Series([word] * n + rest, name=name)


def test_a_frequent_word_is_an_answer_and_said():
    rule = missing_rule(column("none", 120), None, None, "grade")
    assert "none" not in rule.words
    assert rule.notes == (
        "'none' in 'test' (120 of 200 rows) is taken as an answer; if it means missing: "
        "'dataset.missing_words=[default,none]'",
    )


def test_a_rare_word_is_missing_and_said():
    rule = missing_rule(column("-", 3), None, None, "grade")
    assert "-" in rule.words
    assert rule.notes[0].endswith(
        "is taken as missing; if it is an answer: dataset.missing_words=[]"
    )


def test_a_code_among_codes_is_an_answer():
    codes = ("DE", "ES", "FR", "PT", "IT")
    assert "na" not in missing_rule(column("NA", 2, codes), None, None, "grade").words
    assert "na" in missing_rule(column("NA", 2, ("yes", "no")), None, None, "grade").words


def test_declared_words_and_categories_decide():
    every = column("none", 120)
    assert "none" in missing_rule(every, ["NONE"], None, "grade").words
    assert "-" not in missing_rule(column("-", 1), [], None, "grade").words
    assert "none" in missing_rule(every, None, ["a", "b"], "grade").words
    assert "none" not in missing_rule(every, None, ["a", "none"], "grade").words


def test_words_beside_default_leave_the_others_to_the_rule():
    words = missing_rule(column("none", 120), ["default", "S/D"], None, "grade").words
    assert {"s/d", "-", "?"} <= words
    assert not {"none", "default"} & words
    assert "none" in missing_rule(column("none", 120), ["default", "none"], None, "grade").words
    assert "s/d" not in missing_rule(column("-", 1), ["default", "s/d"], ["s/d"], "grade").words


def test_a_line_to_type_keeps_what_was_declared():
    assert missing_line(["default", "s/d"], ["NP"]) == "'dataset.missing_words=[default,s/d,NP]'"
    assert missing_line([], ["-"]) == "\"dataset.missing_words=['-']\""


def test_a_rare_word_of_the_target_is_asked_about():
    with pytest.raises(DataError, match=r"'none' in 3 of 200 rows is an answer or missing"):
        missing_rule(column("none", 3, name="grade"), None, None, "grade")
    assert "none" not in missing_rule(column("none", 50, name="grade"), None, None, "grade").words
