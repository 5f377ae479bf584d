import pandas as pd
import pytest

from student_perf.data.cleaning import Declared, after_steps, check_categories, clean_table
from student_perf.data.fingerprint import fingerprint_table
from student_perf.errors import DataError

DECLARED = Declared("grade", {"grade": ["Average", "Excellent"]})


def table():
    return pd.DataFrame(
        {
            "grade": ["Average", " eXCELLENT ", None, " NAN ", "Excellent", "Average"],
            "school": ["north", "north  side", "?", "n/a", "x", "north"],
            "points": ["1", "2", "3", "4", "5", "1"],
        }
    )


def test_text_is_normalised_to_the_declared_spelling():
    cleaned, (read, step), _ = clean_table(table(), ["normalise_text"], DECLARED)
    assert cleaned["grade"].tolist()[:2] == ["Average", "Excellent"]
    assert cleaned["grade"].isna().sum() == 2
    assert cleaned["school"].dropna().tolist() == ["north", "north side", "x", "north"]
    assert (step.step, step.rows_before, step.rows_after) == ("normalise_text", 6, 6)
    assert step.cells_changed == 5
    assert step.examples == [
        "grade: ' eXCELLENT ' -> 'Excellent'",
        "school: 'north  side' -> 'north side'",
    ]
    assert (read.step, read.sha256) == ("read", fingerprint_table(table()))


def test_each_step_reports_rows_cells_and_the_hash_after():
    steps = [
        "normalise_text",
        "drop_missing_target",
        {"step": "map_values", "column": "school", "values": {"x": None, "north side": "north"}},
        {"step": "to_numeric", "columns": ["points"]},
        "drop_duplicates",
        {"step": "drop_columns", "columns": ["school"]},
    ]
    cleaned, lineage, _ = clean_table(table(), steps, DECLARED)
    assert [(s.step, s.rows_before, s.rows_after) for s in lineage] == [
        ("read", 6, 6),
        ("normalise_text", 6, 6),
        ("drop_missing_target", 6, 4),
        ("map_values", 4, 4),
        ("to_numeric", 4, 4),
        ("drop_duplicates", 4, 3),
        ("drop_columns", 3, 3),
    ]
    assert lineage[3].cells_changed == 2
    assert cleaned["points"].tolist() == [1, 2, 5]
    assert lineage[-1].sha256 == fingerprint_table(cleaned)
    assert len({step.sha256 for step in lineage}) == 7


def test_copies_may_differ_in_columns_to_ignore():
    rows = pd.DataFrame({"id": [1, 2, 3], "x": [5, 5, 6], "grade": ["a", "a", "a"]})
    step = {"step": "drop_duplicates", "ignore": ["id"]}
    cleaned, _, _ = clean_table(rows, [step], Declared("grade", {}))
    assert cleaned["id"].tolist() == [1, 3]
    with pytest.raises(DataError, match="has no column 'ids'; did you mean id"):
        clean_table(rows, [step | {"ignore": ["ids"]}], Declared("grade", {}))


def test_every_hash_is_that_of_the_table_at_that_point():
    steps = ["normalise_text", "drop_missing_target", {"step": "to_numeric", "columns": ["points"]}]
    for n in range(len(steps) + 1):
        cleaned, lineage, _ = clean_table(table(), steps[:n], Declared("grade", {}))
        assert lineage[-1].sha256 == fingerprint_table(cleaned)


def test_a_word_for_missing_may_be_declared_a_category():
    declared = Declared("grade", {"answer": ["none", "some"]})
    cleaned, _, _ = clean_table(
        pd.DataFrame({"answer": [" NONE", "some"]}), ["normalise_text"], declared
    )
    assert cleaned["answer"].tolist() == ["none", "some"]


def test_a_category_counts_only_values_that_rows_have():
    levels = pd.Series(["a", "b", "b"], dtype=pd.CategoricalDtype(["b", "a"]))
    check_categories(pd.DataFrame({"level": levels}), {"level": ["a", "b"]})
    with pytest.raises(DataError, match=r"categories: level='b' \(2 rows, first: row 1\); map"):
        check_categories(pd.DataFrame({"level": levels}), {"level": ["a"]})


def test_values_no_rule_maps_stop_the_run_with_their_counts():
    dirty = table().assign(grade=["Average", "Good", "Good", "Excellent", "bad", "Average"])
    with pytest.raises(DataError) as caught:
        clean_table(dirty, ["normalise_text"], DECLARED)
    assert "grade='Good' (2 rows, first: row 1); grade='bad' (1 row, first: row 4)" in str(
        caught.value
    )


def test_a_declared_column_must_exist():
    with pytest.raises(DataError, match="did you mean school"):
        check_categories(table(), {"scool": ["north"]})


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("normalize", "did you mean normalise_text"),
        ({"columns": ["a"]}, "no such cleaning step"),
        ({"step": "drop_columns"}, "needs 'columns'"),
        ({"step": "drop_columns", "column": "a"}, "no such option; did you mean columns"),
        ({"step": "drop_columns", "columns": ["scool"]}, "did you mean school"),
        ({"step": "to_numeric", "columns": ["school"]}, r"meets 'north' .6 rows|meets 'north'"),
        (
            {"step": "to_numeric", "columns": ["points"], "thousands": "."},
            r"'\.' as decimal and as thousands sign, .*; add decimal: ','",
        ),
        ({"step": "map_values", "column": "scool", "values": {}}, "did you mean school"),
    ],
)
def test_wrong_steps_are_named(step, message):
    with pytest.raises(DataError, match=message):
        clean_table(table(), [step], DECLARED)


def test_one_hot_adds_a_column_for_each_value_and_keeps_the_column():
    cleaned, (_, step), hashes = clean_table(
        table(), ["normalise_text", {"step": "one_hot", "columns": ["grade"]}][1:], DECLARED_RAW
    )
    assert cleaned["grade_Average"].tolist() == [1, 0, 0, 0, 0, 1]
    assert step.cells_changed == 6 * 4
    assert set(hashes) == set(cleaned.columns)
    assert "grade" in cleaned


DECLARED_RAW = Declared("grade", {})


@pytest.mark.parametrize("ages", [[15, 99, 16], [15.0, 99.0, None]])
def test_mapped_numbers_stay_numbers_whether_or_not_cells_are_missing(ages):
    step = {"step": "map_values", "column": "age", "values": {99: None}}
    cleaned, _, _ = clean_table(pd.DataFrame({"age": ages}), [step], Declared("grade", {}))
    assert cleaned["age"].dtype == "float64"
    assert cleaned["age"].isna().tolist() == [False, True, ages[2] is None]


def test_a_line_to_type_keeps_the_steps_that_are_declared():
    message = "drop it with 'dataset.clean=[normalise_text,drop_missing_target]', or not"
    assert after_steps(message, ["normalise_text"]) == message
    day = {"step": "date_parts", "column": "Año de matrícula", "parts": ["year"]}
    assert after_steps(message, ["normalise_text", day]) == (
        'drop it with "dataset.clean=[normalise_text,{step:date_parts,'
        "column:'Año de matrícula',parts:[year]},drop_missing_target]\", or not"
    )


def test_a_class_takes_the_spelling_that_is_listed_and_accents_do_not_count():
    cells = pd.DataFrame(
        {"grade": ["Aprobado", "APROBADO ", "suspenso"], "grant": ["Sí", "SI", "No"]}
    )
    declared = Declared(
        "grade", {"grant": ["sí", "no"]}, answers={"grade": ["aprobado", "suspenso"]}
    )
    cleaned, _, _ = clean_table(cells, ["normalise_text"], declared)
    assert cleaned["grade"].tolist() == ["aprobado", "aprobado", "suspenso"]
    assert cleaned["grant"].tolist() == ["sí", "sí", "no"]


def test_advice_within_double_quotes_keeps_the_declared_steps():
    line = (
        "\"dataset.clean=[normalise_text,{step: map_values, column: 'año', values: {99: null}}]\""
    )
    assert after_steps(line, ["normalise_text", "drop_duplicates"]) == (
        '"dataset.clean=[normalise_text,drop_duplicates,'
        "{step: map_values, column: 'año', values: {99: null}}]\""
    )
