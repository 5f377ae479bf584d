import pandas as pd
import pytest

from student_perf.errors import DataError
from student_perf.tables.guess import guess, ordered_labels


def write(path, target):
    rows = "".join(f"{i % 7};{value}\n" for i, value in enumerate(target))
    path.write_text(f"x;nota\n{rows}", encoding="cp1252")
    return {"path": str(path), "target": "nota"}


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (["1,5", "2,25", "3"] * 9, "regression", None),
        (range(40), "regression", None),
        ([1, 3, 2] * 9, "classification", [1, 2, 3]),
        (["sí", "no"] * 9, "classification", None),
        (["Dropout", "Enrolled", "Graduate"] * 9, "classification", None),
        (["High", "Low", "Medium"] * 9, "classification", ["Low", "Medium", "High"]),
    ],
)
def test_the_target_shows_task_and_order(tmp_path, target, task, classes):
    dataset = write(tmp_path / "notas.csv", target)
    assert guess(dataset, "task") == task
    assert guess(dataset, "classes") == classes
    assert guess(dataset, "separator") == ";"


def test_what_is_named_wins_and_a_wrong_name_gets_the_nearest(tmp_path):
    dataset = write(tmp_path / "notas.csv", range(40))
    assert guess(dataset | {"task": "classification"}, "task") == "classification"
    assert guess(dataset | {"bands": {"edges": [1]}}, "task") == "classification"
    with pytest.raises(DataError, match=r"no such column in notas\.csv; did you mean nota"):
        guess(dataset | {"target": "notas"}, "task")


def test_a_metric_of_numbers_makes_few_numbers_a_number_to_predict(tmp_path):
    grades = write(tmp_path / "notas.csv", [5, 6, 7] * 9)
    assert guess(grades, "task", measures="regression") == "regression"
    assert guess(grades, "classes", measures="regression") is None
    assert guess(grades, "task", measures="classification") == "classification"
    words = write(tmp_path / "words.csv", ["sí", "no"] * 9)
    assert guess(words, "task", measures="regression") == "classification"
    declared = grades | {"task": "classification"}
    assert guess(declared, "task", measures="regression") == "classification"


def test_only_scales_have_an_order():
    assert ordered_labels(pd.Series(["b", "a", "c"])) == ["c", "b", "a"]
    assert ordered_labels(pd.Series(["red", "low", "high"])) is None
    assert ordered_labels(pd.Series([True, False])) is None
    levels = pd.CategoricalDtype(["c", "x", "b"], ordered=True)
    assert ordered_labels(pd.Series(["b", "c", "x"], dtype=levels)) == ["c", "x", "b"]


def test_a_frequent_word_for_nothing_may_be_a_label(tmp_path):
    path = tmp_path / "level.csv"
    rows = "".join(f"{i},{level}\n" for i, level in enumerate(["None", "Low", "High", "Low"] * 20))
    path.write_text(f"x,level\n{rows}")
    dataset = {"path": str(path), "target": "level"}
    assert guess(dataset, "classes") is None, "an order would leave it out"
    path.write_text(path.read_text().replace("None", "Medium"))
    assert guess(dataset, "classes") == ["Low", "Medium", "High"]
