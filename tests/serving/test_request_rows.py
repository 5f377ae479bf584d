import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data.contract import ColumnContract, Contract
from student_perf.data.features import prepare_features
from student_perf.serving.request_rows import (
    MalformedError,
    RefusedError,
    RequestReader,
    example_row,
    to_table,
)
from student_perf.tables.numbers import NumberForm

CONTRACT = Contract(
    target="grade",
    classes=["low", "high"],
    columns={
        "hours a week": ColumnContract("numeric", True, None, 0.0, 20.5),
        "age": ColumnContract("numeric", False, None, 15.0, 22.0),
        "model_paid?": ColumnContract("numeric", False, None, 0.0, 1.0),
        "coaching": ColumnContract("categorical", False, ["NO", "WA", "OA"]),
        "class": ColumnContract("categorical", True, ["a", "b"]),
    },
    clean=["normalise_text"],
    declared=["age", "coaching"],
)
GOOD = {"hours a week": 3.5, "age": 17, "model_paid?": 1, "coaching": "WA", "class": None}


def read(*rows, contract=CONTRACT, max_rows=10):
    columns, n_rows = RequestReader(contract, max_rows).read(json.dumps({"rows": rows}).encode())
    assert n_rows == len(rows)
    return columns


def refused(*rows, contract=CONTRACT):
    with pytest.raises(RefusedError) as caught:
        read(*rows, contract=contract)
    assert caught.value.n_rows == len(rows)
    return caught.value.cells


def read_allowed(row, contract=CONTRACT):
    return RequestReader(contract, 10).read_allowed(json.dumps({"rows": [row]}).encode())


def test_an_allowed_row_is_taken_as_it_stands_and_as_the_training_prepares_it():
    rows = [GOOD, GOOD | {"hours a week": None, "class": "b", "model_paid?": 0.0}]
    columns = read(*rows)
    prepared, wrong = prepare_features(pd.DataFrame(rows), CONTRACT)
    assert wrong == {}
    pd.testing.assert_frame_equal(to_table(columns, CONTRACT), prepared)
    assert to_table(prepared, CONTRACT) is prepared


@pytest.mark.parametrize(
    "row",
    [
        {"coaching": " wa "},  # declared, so another case is the same word
        {"age": "17"},  # a file would hold it as text too
        {"model_paid?": True},
        {"class": "NA"},
    ],
)
def test_what_the_cleaning_of_the_training_mends_is_taken(row):
    table = to_table(read(GOOD, GOOD | row), CONTRACT)
    prepared, wrong = prepare_features(pd.DataFrame([GOOD, GOOD]), CONTRACT)
    assert wrong == {}
    pd.testing.assert_frame_equal(table, prepared)


def test_every_refused_cell_is_told_with_what_is_allowed():
    cells = refused(
        GOOD | {"coaching": "yes", "age": 40},
        GOOD,
        GOOD | {"age": "old", "hours a week": "none"},
        GOOD | {"coaching": None, "model_paid?": True, "age": True},
    )
    assert [(c.row, c.column, c.value, c.problem) for c in cells] == [
        (0, "age", "40", "range"),
        (0, "coaching", "yes", "unknown category"),
        (2, "age", "old", "not a number"),
        (3, "age", "True", "not a number"),
        (3, "coaching", None, "missing value"),
    ]
    assert cells[1].message == "coaching: 'yes' is not one of NO, WA, OA"
    assert cells[1].allowed == ["NO", "WA", "OA"]
    assert cells[0].message == "age: '40' is outside 15 to 22"


def test_all_cells_count_but_a_thousand_are_told_and_twenty_with_a_suggestion():
    body = json.dumps({"rows": [GOOD | {f"agee{n}": 1 for n in range(1100)}]}).encode()
    with pytest.raises(RefusedError, match="1100 cells refused") as caught:
        RequestReader(CONTRACT, 5).read(body)
    assert caught.value.counts == {"unknown column": 1100}
    assert len(caught.value.cells) == 1000
    suggested = [cell for cell in caught.value.cells if "did you mean age" in cell.message]
    assert len(suggested) == 20


def test_the_good_columns_of_a_row_that_is_mended_are_those_of_the_row():
    columns = read(GOOD | {"coaching": " oa ", "hours a week": None})
    assert columns["hours a week"] == [None]
    assert list(columns["coaching"]) == ["OA"]


def test_rows_of_another_shape_are_told_along_with_the_cells_of_the_others():
    lacking = {name: value for name, value in GOOD.items() if name != "age"}
    cells = refused(
        lacking | {"agee": 3, "coaching": "yes"},
        [1, 2],
        GOOD | {"age": [1], "class": {}},
        GOOD | {"class": "z"},
    )
    assert [(c.row, c.column, c.problem) for c in cells] == [
        (0, "age", "column missing"),
        (0, "agee", "unknown column"),
        (0, "coaching", "unknown category"),
        (1, None, "no row"),
        (2, "age", "wrong kind"),
        (2, "class", "wrong kind"),
        (3, "class", "unknown category"),
    ]
    assert "did you mean age" in cells[1].message


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1" + "0" * 400, "9007199254740994"])
def test_a_number_no_column_can_hold_is_refused(number):
    body = json.dumps({"rows": [GOOD]}).replace("3.5", number).encode()
    with pytest.raises((RefusedError, MalformedError)) as caught:
        RequestReader(CONTRACT, 5).read(body)
    if isinstance(caught.value, RefusedError):
        assert [c.problem for c in caught.value.cells] == ["not a number"]
        assert len(caught.value.cells[0].value) < 110


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"rows": [{"age": NaN}]}', 400),
        (b"[]", 422),
        (b'{"rows": []}', 422),
        (b'{"rows": {}}', 422),
        (b'{"rows": [{}], "more": 1}', 422),
        (b'{"rows": [1, 2, 3]}', 413),
    ],
)
def test_what_is_no_batch_is_reported(body, status):
    with pytest.raises(MalformedError) as caught:
        RequestReader(CONTRACT, 2).read(body)
    assert caught.value.status == status


def test_a_category_that_cleaning_renames_goes_through_the_cleaning():
    """`a` is an allowed value, but in a raw row it means `b`."""
    swap = {"step": "map_values", "column": "class", "values": {"a": "b", "b": "a"}}
    contract = replace(CONTRACT, clean=[swap])
    columns = read(GOOD | {"class": "a"}, GOOD, contract=contract)
    assert columns["class"].fillna("missing").tolist() == ["b", "missing"]
    assert read_allowed(GOOD, contract) is None  # another allowed value would be changed


def test_a_number_that_cleaning_replaces_goes_through_the_cleaning():
    gone = {"step": "map_values", "column": "hours a week", "values": {"99": None}}
    contract = replace(CONTRACT, clean=[gone])
    columns = read(GOOD | {"hours a week": 99}, GOOD, contract=contract)
    np.testing.assert_array_equal(columns["hours a week"], [np.nan, 3.5])


def test_schema_and_example_follow_from_the_contract():
    schema = RequestReader(CONTRACT, 7).schema()
    rows = schema["properties"]["rows"]
    assert (rows["minItems"], rows["maxItems"]) == (1, 7)
    row = rows["items"]
    assert row["additionalProperties"] is False
    assert row["required"] == list(CONTRACT.columns)
    assert row["properties"]["coaching"]["enum"] == ["NO", "WA", "OA"]
    assert {"type": "null"} in row["properties"]["class"]["anyOf"]
    age = row["properties"]["age"]
    assert (age["minimum"], age["maximum"], age["description"]) == (15, 22, "15 to 22 allowed")
    example = example_row(CONTRACT)
    assert example == {
        "hours a week": 10.25,
        "age": 18.0,
        "model_paid?": 0.0,
        "coaching": "NO",
        "class": "a",
    }
    assert read_allowed(example) is not None
    assert read_allowed(example | {"age": "18"}) is None


DATED = Contract(
    target="grade",
    classes=["low", "high"],
    columns={
        "age": ColumnContract("numeric", False, None, 15.0, 22.0),
        "day_month": ColumnContract("numeric", True, None, 1.0, 12.0),
        "day_weekday": ColumnContract("numeric", True, None, 0.0, 6.0),
    },
    clean=[
        "normalise_text",
        {"step": "date_parts", "column": "day", "parts": ["month", "weekday"], "day_first": True},
    ],
)


def test_a_row_holds_the_date_of_training_or_the_numbers_made_of_it():
    rows = [
        {"age": 17, "day": "25/12/2024"},
        {"age": 18, "day_month": 3, "day_weekday": 0},
        {"age": 19, "day": None},
    ]
    table = to_table(read(*rows, contract=DATED), DATED)
    assert table["age"].tolist() == [17, 18, 19]
    assert table["day_month"].tolist()[:2] == [12, 3]
    assert table["day_weekday"].tolist()[:2] == [2, 0]
    assert table.iloc[2].isna().tolist() == [False, True, True]


def test_a_wrong_date_is_refused_by_its_own_name():
    cells = refused(
        {"age": 17, "day": "12/25/2024"},
        {"age": 17, "day": "25/12/2024", "day_month": 12, "day_weekday": 2},
        {"age": 17},
        contract=DATED,
    )
    told = [(c.row, c.column, c.problem) for c in cells]
    assert told == [
        (0, "day", "not a date"),
        (1, "day", "unknown column"),
        (2, "day_month", "column missing"),
        (2, "day_weekday", "column missing"),
    ]
    assert cells[0].message == "day: '12/25/2024' does not exist"
    assert "or 'day', of which it is made" in cells[2].message


def test_a_share_in_a_column_of_percentages_is_refused():
    contract = replace(CONTRACT, forms={"age": NumberForm(is_percent=True)})
    (cell,) = refused(GOOD | {"age": 0.17}, GOOD | {"age": 17}, contract=contract)
    assert (cell.row, cell.column) == (0, "age")
    assert "may be a share or a percentage" in cell.message
    age = RequestReader(contract, 10).schema()["properties"]["rows"]["items"]["properties"]["age"]
    assert age["description"] == "15 to 22 allowed, in percent"


def test_a_text_that_training_reads_as_another_number_than_programs_is_refused():
    contract = replace(CONTRACT, read={"decimal": ",", "thousands": "."})
    cells = refused(
        GOOD | {"hours a week": "7.125"}, GOOD | {"hours a week": 7.125}, contract=contract
    )
    assert [(c.row, c.column) for c in cells] == [(0, "hours a week")]
    assert "send a number, not a text" in cells[0].message


def test_a_number_that_means_missing_is_missing_in_a_request():
    contract = replace(CONTRACT, read={"missing_words": ["-99"]}, declared=["coaching"])
    columns = read(GOOD | {"hours a week": -99}, GOOD, contract=contract)
    assert np.isnan(columns["hours a week"][0])
    (cell,) = refused(GOOD | {"age": -99.0}, contract=contract)
    assert (cell.column, cell.problem) == ("age", "missing value")


DERIVED = Contract(
    target="grade",
    classes=["low", "high"],
    columns={
        "G1": ColumnContract("numeric", False, None, 0.0, 20.0),
        "G2": ColumnContract("numeric", False, None, 0.0, 20.0),
        "marks": ColumnContract("numeric", False, None, 0.0, 20.0),
        "span": ColumnContract("numeric", False, None, 0.0, 900.0),
    },
    clean=[
        {"step": "date_parts", "column": "start", "parts": ["days"]},
        {"step": "date_parts", "column": "end", "parts": ["days"]},
        {"step": "derive", "column": "marks", "of": ["G1", "G2"], "by": "mean"},
        {"step": "derive", "column": "span", "of": ["end_days", "start_days"], "by": "difference"},
    ],
)


def test_a_row_holds_what_a_column_is_made_of_or_the_column():
    rows = [
        {"G1": 8, "G2": 10, "start": "2024-01-01", "end": "2024-01-31"},
        {"G1": 8, "G2": 11, "marks": 9.5, "start_days": 5, "end_days": 8},
        {"G1": 4, "G2": 4, "marks": None, "span": 7},
    ]
    table = to_table(read(*rows, contract=DERIVED), DERIVED)
    assert table["marks"].tolist() == [9.0, 9.5, 4.0]
    assert table["span"].tolist() == [30, 3, 7]


def test_a_derived_column_that_contradicts_its_sources_is_refused():
    cells = refused(
        {"G1": 8, "G2": 10, "marks": 12, "span": 1},
        {"G1": 8, "span": 1},
        {"G1": 8, "G2": 10, "start": "2024-01-01"},
        contract=DERIVED,
    )
    told = [(c.row, c.column, c.problem) for c in cells]
    assert told == [
        (0, "marks", "not as derived"),
        (1, "G2", "column missing"),
        (2, "span", "column missing"),
        (2, "start", "unknown column"),
    ]


def test_the_example_of_a_row_leaves_out_what_follows_from_it():
    example = example_row(DERIVED)
    assert example == {"G1": 10.0, "G2": 10.0, "span": 450.0}
    assert to_table(read(example, contract=DERIVED), DERIVED)["marks"].tolist() == [10.0]
    row = RequestReader(DERIVED, 10).schema()["properties"]["rows"]["items"]
    assert sorted(row["required"]) == ["G1", "G2", "span"]


def test_text_of_any_words_is_taken_and_cleaned_but_nothing_else_is():
    contract = Contract("grade", ["low", "high"], {"note": ColumnContract("text", False)})
    assert read_allowed({"note": "never seen"}, contract)[0] == {"note": ["never seen"]}
    assert example_row(contract) == {"note": "some words"}
    assert {cell.problem for cell in refused({"note": None}, contract=contract)} == {
        "missing value"
    }
    cleaned = replace(contract, clean=["normalise_text"])
    assert read_allowed({"note": "good"}, cleaned) is None
    columns = read({"note": " none of  it "}, {"note": "none"}, contract=cleaned)
    assert columns["note"].tolist() == ["none of it", "none"]
