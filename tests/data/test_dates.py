import pandas as pd
import pytest

from student_perf.data.cleaning import Declared, clean_features, clean_table, settled_steps
from student_perf.data.dates import date_advice, date_columns, looks_like_dates, times_of
from student_perf.errors import DataError

PARTS = ["year", "month", "weekday", "days"]
EPOCH = "1970-01-01"


def test_dates_are_noticed_in_usual_forms():
    assert looks_like_dates(pd.Series(["2024-01-31", None, "2023-12-01 10:30:00"]))
    assert looks_like_dates(pd.Series(["31/01/2024", "1.2.2024"]))
    assert not looks_like_dates(pd.Series(["31/01/2024", "later"]))
    assert not looks_like_dates(pd.Series(["2023-W54"]))
    assert not looks_like_dates(pd.Series(["2019 S1"]))


@pytest.mark.parametrize("texts", [["2024-03-31", None], ["31/03/2024", None]])
def test_parts_are_numbers_with_gaps(texts):
    columns = date_columns(pd.Series(texts, name="day"), PARTS, None, "2024-03-01").columns
    values = {name: column.iloc[0] for name, column in columns.items()}
    assert values == {"day_year": 2024, "day_month": 3, "day_weekday": 6, "day_days": 30}
    assert all(column.isna().iloc[1] for column in columns.values())


def test_an_unclear_order_of_day_and_month_is_asked_about():
    dates = pd.Series(["03/04/2024"], name="day")
    with pytest.raises(DataError, match="add day_first: true or false"):
        date_columns(dates, ["month"], None, EPOCH)
    assert date_columns(dates, ["month"], True, EPOCH).columns["day_month"].tolist() == [4]
    with pytest.raises(DataError, match=r"'31/31/2024', which does not exist"):
        date_columns(pd.Series(["31/31/2024"]), ["month"], True, EPOCH)


@pytest.mark.parametrize(
    ("text", "year", "month", "hour"),
    [
        ("12/03/24", 2024, 3, None),
        ("1.2.99", 1999, 2, None),
        ("3 Jan 2023", 2023, 1, None),
        ("3 ene 2023", 2023, 1, None),
        ("3 de enero de 2023", 2023, 1, None),
        ("Jan 3, 2023", 2023, 1, None),
        ("3-feb-23", 2023, 2, None),
        ("sept. 2023", 2023, 9, None),
        ("2023-09", 2023, 9, None),
        ("09/2023", 2023, 9, None),
        ("2021-W01", 2021, 1, None),
        ("2020W53", 2020, 12, None),
        ("2024-01-31T10:30:00Z", 2024, 1, 10.5),
        ("01/02/2024, 03:15 PM", 2024, 2, 15.25),
    ],
)
def test_dates_of_many_forms_are_noticed_and_read(text, year, month, hour):
    column = pd.Series([text, None], name="at")
    assert looks_like_dates(column)
    parts = ["year", "month", "hour"] if hour is not None else ["year", "month"]
    columns = date_columns(column, parts, True, EPOCH).columns
    values = [columns[f"at_{part}"].iloc[0] for part in parts]
    assert values == [year, month, hour][: len(parts)]


@pytest.mark.parametrize("text", ["10:30", "10:30:00", "10:30 p. m."])
def test_times_are_noticed_and_have_an_hour(text):
    column = pd.Series([text], name="at")
    assert looks_like_dates(column)
    assert "is a time" in date_advice("at", text)
    hour = date_columns(column, ["hour"], None, EPOCH).columns["at_hour"].iloc[0]
    assert hour == (22.5 if "p" in text else 10.5)
    with pytest.raises(DataError, match="is a time without a date"):
        date_columns(column, ["year"], None, EPOCH)


@pytest.mark.parametrize("text", ["2012-13", "1.2.3", "10.5", "99:10", "Marks 2020", "45/67/89"])
def test_other_text_is_no_date(text):
    assert not looks_like_dates(pd.Series([text]))


def test_new_rows_go_through_the_same_step_in_the_order_that_training_has_found():
    step = {"step": "date_parts", "column": "day", "parts": ["month"]}
    table = pd.DataFrame({"day": ["25/12/2024", "03/04/2024"], "x": [1, 2]})
    cleaned, lineage, _ = clean_table(table, [step], Declared("x", {}))
    assert cleaned.to_dict("list") == {"x": [1, 2], "day_month": [12.0, 4.0]}
    steps = settled_steps([step], lineage)
    assert steps == [step | {"day_first": True}]
    new = pd.DataFrame({"day": ["03/04/2024", "04/25/2024", "2024-05-06"], "x": [3, 4, 5]})
    prepared, problems = clean_features(new, steps, Declared("x", {}))
    assert prepared["day_month"].isna().tolist() == [False, True, False]
    assert prepared["day_month"].dropna().tolist() == [4.0, 5.0]
    assert problems["day"].tolist() == [None, "does not exist", None]


def test_a_form_that_leaves_the_order_open_and_training_lacked_is_refused():
    step = {"step": "date_parts", "column": "day", "parts": ["month"]}
    table = pd.DataFrame({"day": ["2024-12-25"]})
    _, lineage, _ = clean_table(table, [step], Declared("x", {}))
    new = pd.DataFrame({"day": ["03/04/2024"]})
    _, problems = clean_features(new, settled_steps([step], lineage), Declared("x", {}))
    assert "training had no date of this form" in problems["day"].iloc[0]


@pytest.mark.parametrize(
    "cells",
    [
        [2019, 2020, 2021],
        [-1.5, 0.0, 2.25],
        ["2019-12-31 09:05", "2019-12-31 10:00:30", "2020-01-01"],
        ["31/01/2020", "01/02/2020", "29/02/2020"],
        pd.to_datetime(["2019-12-31 09:00", "2019-12-31 10:00", "2020-01-01 00:00"]),
        ["2019/20 S1", "2019/20 S2", "2020/21 S1"],
        ["2019/20 S1", "2019/2020 S2", "2020/21 S1"],
        ["2023-W8", "2023-W10", "2024-W1"],
        ["2023 week 9", "2023 Week 10", "2023  week 11"],
        ["2023.2", "2023.10", "2024.1"],
        ["2019T9", "2020T2", "2020T10"],
        ["2023-01-01 23:00+05:00", "2023-01-01 20:00+00:00", "2023-01-01 18:00-0300"],
        pd.date_range("2023-10-29 00:00", periods=3, freq="h", tz="UTC").tz_convert(
            "Europe/Madrid"
        ),
    ],
)
def test_times_grow(cells):
    column = pd.Series(cells, name="day")
    times = times_of(column)
    assert times[0] < times[1] < times[2]
    assert times_of(column[::-1]).tolist() == times[::-1].tolist()


def test_declared_values_are_in_order():
    column = pd.Series(["spring", "autumn", "spring"], name="term")
    assert times_of(column, ["spring", "autumn"]).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([2019, None], r"dataset.time=day: 1 of 2 rows have no value \(first: row 1\)"),
        (["autumn 19", "spring 20"], r"\+dataset.categories.day=\[first,...,last\]"),
        (["2021 Spring", "2021 Fall"], r"'2021 Fall' is .* list the values in order"),
        (["2021 otoño 1", "2021 primavera 2"], "'2021 primavera 2' is .* list the values"),
        (["2023 Apr", "2023 Dec"], "'2023 Dec' is .* list the values in order"),
        (["2023", "2023 S2"], "'2023 S2' is .* list the values in order"),
        (["2023/15/03", "2023/14/04"], "'2023/15/03' is .* list the values in order"),
        (["2023-01-01 20:00", "2023-01-01 20:00Z"], "'2023-01-01 20:00' has no time zone"),
        (["01/02/2020", "03/02/2020"], "dataset.time=day: day and month .* year first"),
    ],
)
def test_times_without_an_order_are_refused(cells, message):
    with pytest.raises(DataError, match=message):
        times_of(pd.Series(cells, name="day"))
