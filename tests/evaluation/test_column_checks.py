from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data.cleaning import LineageStep
from student_perf.evaluation.column_checks import identifies_rows
from tests.conftest import SMALL_CONFIG
from tests.evaluation.checked import findings_of, lines_of, with_column
from tests.tiers import few_fast

N = 300


@pytest.fixture
def plain(small_dataset):
    """300 rows whose columns tell something and are what they seem."""
    rng = np.random.default_rng(9)
    target = rng.integers(0, 3, N)
    features = pd.DataFrame(
        {
            "points": target + rng.normal(0, 1, N),
            "salary": np.round(rng.lognormal(10, 0.5, N)),
            "hours": rng.integers(0, 12, N).astype(float),
            "year": rng.choice([1976.0, 1982.0, 1990.0], N),
            "school": pd.Series(rng.choice(["north", "south", "east"], N), dtype="str"),
            "age_band": pd.Series(rng.choice(["18-25", "26-35", "36-50"], N), dtype="str"),
        }
    )
    return replace(small_dataset, features=features, target=target)


def codes_of(dataset, column, config=SMALL_CONFIG):
    found = findings_of(dataset, config)
    assert all(f"'{column}'" in finding.text for finding in found)
    return [finding.code for finding in found]


def test_columns_that_are_what_they_seem_pass(plain):
    assert findings_of(plain) == []


def test_identifiers_and_constants_are_named(small_dataset):
    bad = small_dataset.features.assign(
        student=[f"s{i}" for i in range(60)],
        number=np.random.default_rng(0).permutation(60).astype(float),
        empty=np.nan,
        same=1.0,
    )
    lines = lines_of(replace(small_dataset, features=bad.astype({"student": "str"})))
    named = {line.split("'")[1]: line for line in lines}
    assert named.keys() == {"student", "number", "empty", "same"}
    assert "identifier" in named["student"]
    assert "missing in every row" in named["empty"]
    assert "same value in every row" in named["same"]


def test_amounts_of_money_are_no_identifiers(plain):
    income = pd.Series([f"${7 * i:,}" for i in range(N)], dtype="str")
    assert codes_of(with_column(plain, "income", income.to_numpy()), "income") == ["SP205"]


@pytest.mark.parametrize("made", ["ordered", "dense", "even"])
def test_numbers_that_were_given_out_are_identifiers(plain, made):
    rng = np.random.default_rng(0)
    numbers = {
        "ordered": np.cumsum(rng.integers(1, 90, N)),
        "dense": 5000 + rng.permutation(N),
        "even": rng.choice(np.arange(10**6, 10**7), N, replace=False),
    }
    assert codes_of(with_column(plain, "number", numbers[made].astype(float)), "number") == [
        "SP201"
    ]


@pytest.mark.slow
def test_a_column_of_any_table_is_judged_by_the_same_rule(plain):
    assert identifies_rows(pd.Series(range(30), dtype="float64"))
    assert identifies_rows(pd.Series([f"A{n}" for n in range(30)], dtype="str"))
    assert not identifies_rows(pd.Series(range(29), dtype="float64"))
    assert not identifies_rows(pd.Series(["a", "b"] * 30, dtype="str"))
    assert not identifies_rows(pd.Series([f"she wrote page {n}" for n in range(40)], dtype="str"))


def test_sentences_are_free_text_and_names_are_not(plain):
    rng = np.random.default_rng(9)
    words = ["the", "course", "was", "long", "good", "hard", "useful"]
    sentences = [" ".join(rng.choice(words, rng.integers(4, 9))) for _ in range(N)]
    few = rng.choice([f"course of study number {k}" for k in range(20)], N)
    comment, course = (pd.Series(values, dtype="str") for values in (sentences, few))
    assert codes_of(with_column(plain, "comment", comment), "comment") == ["SP210"]
    assert codes_of(with_column(plain, "course", course), "course") == []
    read_as_text = replace(with_column(plain, "comment", comment), text=("comment",))
    assert codes_of(read_as_text, "comment") == []
    (found,) = (f for f in findings_of(with_column(plain, "comment", comment)) if f.code == "SP210")
    assert "dataset.text=[comment]" in found.text


def test_a_column_that_divides_the_rows_is_no_feature(plain):
    rng = np.random.default_rng(0)
    sides = pd.Series(rng.choice(["trn", "val", "TST"], N), dtype="str")
    tests = pd.Series(rng.choice(["train", "test", "bus"], N), dtype="str")  # ways to school
    assert codes_of(with_column(plain, "Split", sides), "Split") == ["SP211"]
    assert codes_of(with_column(plain, "way", tests), "way") == []


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"school": "Promedio"}, "'Promedio' in column 'school' sums up the others"),
        ({"school": "TOTAL:"}, "'TOTAL:' in column 'school' sums up the others"),
        ("mean", "its numbers are the means of their columns"),
        ("sum", "its numbers are the sums of their columns"),
    ],
)
def test_a_last_row_that_sums_up_is_named(plain, last, said):
    features = plain.features.copy()
    if isinstance(last, str):
        numbers = features.iloc[:-1].select_dtypes("number").agg(last).round(2)
        last = dict(numbers)
    for name, value in last.items():
        features.loc[N - 1, name] = value
    found = [one for one in findings_of(replace(plain, features=features)) if one.code == "SP212"]
    assert [str(one) for one in found] == [f"SP212: last row: {said}; delete it in the file"]


def test_a_word_of_totals_in_a_column_that_is_left_out_is_named(plain):
    numbers = pd.Series([str(n) for n in range(N - 2)] + ["Media", "s.e.u.o."], dtype="str")
    dropped = pd.DataFrame({"student": numbers, "n": np.arange(N)})
    (line,) = lines_of(replace(plain, dropped=dropped))
    assert line == (
        f"row {N - 2}: 'Media' in column 'student' sums up the others; delete it in the file"
    )


def test_a_group_of_that_name_is_no_sum(plain):
    grades = pd.Series(["Average", "Good"] * (N // 2 - 1) + ["Good", "Average"], dtype="str")
    assert codes_of(with_column(plain, "level", grades), "level") == []
    assert [one for one in findings_of(plain) if one.code == "SP212"] == []


def test_columns_that_hold_the_same_are_one_finding(plain):
    t = plain.features
    twins = t.assign(
        minutes=t.hours * 60,
        squared=t.hours**2,
        campus=t.school.map({"north": "N", "south": "S", "east": "E"}).astype("str"),
    )
    (found,) = findings_of(replace(plain, features=twins))
    assert found.code == "SP203"
    assert "'hours' and 'minutes'" in found.text
    assert "and 1 more pairs" in found.text


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda i: np.where(i < 3, 1.0, 0.0), "the same in all but 3 rows"),
        (lambda i: np.where(i < 9, i, np.nan), "holds a value in"),
        (lambda i: pd.Series([f"text {k // 1.3:.0f}" for k in i], dtype="str"), "occur once"),
    ],
)
def test_columns_that_tell_next_to_nothing(plain, made, words):
    # Rows are set aside at random, so the few that differ are put among the others.
    data = with_column(plain, "weak", made(np.arange(N)))
    lines = lines_of(data)
    if "all but" in words:
        words = words.partition(" 3")[0]
    assert any("'weak'" in line and words in line for line in lines), lines


def test_a_column_that_is_merely_weak_passes(plain):
    noise = np.random.default_rng(4).normal(0, 1, N)
    flag = (np.arange(N) % 20 == 0).astype(float)
    assert findings_of(with_column(with_column(plain, "noise", noise), "flag", flag)) == []


@pytest.mark.parametrize("form", few_fast(["{} kg", "$ {}", "{},5 %", "~{}", "{}h"], 2))
def test_numbers_with_something_beside_them_are_no_text(plain, form):
    values = np.random.default_rng(0).integers(10, 40, N)
    column = pd.Series([form.format(v) for v in values], dtype="str")
    data = with_column(plain, "weight", column)
    assert codes_of(data, "weight") == ["SP205"]
    declared = replace(SMALL_CONFIG, categorical=["weight"])
    assert findings_of(data, declared) == []
    codes = pd.Series([f"{v:04d}" for v in values], dtype="str")  # text as the run says
    assert "SP205" not in codes_of(with_column(plain, "weight", codes), "weight")


def test_a_word_taken_for_missing_is_said_unless_it_was_declared(plain):
    note = "'none' in 'course' (4 of 300 rows) is taken as missing; if it is an answer: ..."
    step = LineageStep("normalise_text", N, N, 4, [], "", (note, "another note"))
    (found,) = findings_of(replace(plain, lineage=(step,)))
    assert (found.code, found.text) == ("SP206", note)


def test_a_word_that_nobody_takes_for_missing_is_named_with_the_line_that_adds_it(plain):
    town = np.resize(["Cádiz", "León", "Lugo", "NS/NC", "Vigo", "Desconocido", "Lugo"], N)
    data = with_column(plain, "town", pd.Series(town, dtype="str"))
    (line,) = lines_of(data)
    assert line.startswith("column 'town': 'NS/NC' (36 rows), 'Desconocido' (35 rows) may mean")
    assert "'dataset.missing_words=[default,NS/NC,Desconocido]'" in line
    assert lines_of(data, replace(SMALL_CONFIG, categories={"town": sorted({*town})})) == []
    labelled = replace(plain, classes=("low", "s/d", "high"))
    (line,) = lines_of(labelled)
    assert line.startswith("target 'grade': 's/d' (")
    assert line.count("drop_missing_target") == 1
    assert lines_of(labelled, replace(SMALL_CONFIG, classes=["low", "s/d", "high"])) == []


def test_codes_that_look_like_numbers_are_labels(plain):
    courses = np.array([33, 171, 8014, 9003, 9070, 9085, 9119, 9254, 9773, 9991])
    column = courses[np.random.default_rng(0).integers(0, 10, N)].astype(float)
    assert codes_of(with_column(plain, "Course", column), "Course") == ["SP207"]
    few = np.random.default_rng(0).choice([1.0, 2.0, 5.0], N)
    assert codes_of(with_column(plain, "postal code", few), "postal code") == ["SP207"]


@pytest.mark.parametrize("value", [-999, 999, -9])
def test_a_number_far_from_all_others_stands_for_missing(plain, value):
    ages = np.random.default_rng(0).integers(17, 30, N).astype(float)
    ages[::20] = value
    assert codes_of(with_column(plain, "age", ages), "age") == ["SP208"]
    near = np.random.default_rng(0).integers(60, 100, N).astype(float)
    near[::20] = 99
    assert findings_of(with_column(plain, "score", near)) == []


def test_a_number_in_the_target_that_stands_for_missing_is_named(plain):
    grades = np.random.default_rng(0).integers(0, 11, N).astype(float)
    grades[::20] = 99
    numbers = replace(plain, task="regression", classes=(), target=grades)
    (found,) = [one for one in findings_of(numbers) if one.code == "SP208"]
    step = "{step: map_values, column: grade, values: {99: null}},drop_missing_target"
    assert f"'dataset.clean=[normalise_text,{step}]'" in found.text
    labels = (*range(11), 99)
    codes = np.searchsorted(labels, grades)
    (found,) = [
        one
        for one in findings_of(replace(plain, classes=labels, target=codes))
        if one.code == "SP208"
    ]
    assert "column 'grade': 99 in" in found.text
    (found,) = [one for one in findings_of(replace(plain, uncut=grades)) if one.code == "SP208"]
    assert "column 'grade': 99 in" in found.text  # which falls into the highest band


def test_identity_numbers_with_a_check_letter_are_identifiers_and_no_quantities(plain):
    rng = np.random.default_rng(0)
    numbers = rng.choice(np.arange(10**7, 10**8), N, replace=False)
    codes = pd.Series([f"{n}{'TRWAGMYFPDXBNJZSQVHLCKE'[n % 23]}" for n in numbers], dtype="str")
    assert codes_of(with_column(plain, "dni", codes), "dni") == ["SP201"]


def test_values_that_differ_only_in_case_are_named(plain):
    spelled = plain.features["school"].where(np.arange(N) % 9 > 0, "NORTH")
    data = with_column(plain, "school", spelled)
    assert codes_of(data, "school") == ["SP209"]
    assert "'+dataset.categories.school=[east,north,south]'" in lines_of(data)[0]


def test_values_that_differ_only_in_accents_are_named(plain):
    answers = np.resize(["sí", "si", "no", "sí", "SI", "no", "no"], N)
    data = with_column(plain, "grant", pd.Series(answers, dtype="str"))
    (line,) = lines_of(data)
    assert line.startswith("column 'grant': 'sí' and 'si' and 'SI' differ only in case or accents")
