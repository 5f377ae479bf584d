import pandas as pd
import pytest

from student_perf.data.cleaning import Declared, clean_table, derive_columns
from student_perf.data.dates import date_columns, looks_like_dates, times_of
from student_perf.errors import DataError

PARTS = ["year", "month", "weekday", "days"]


def test_dates_are_noticed_in_usual_forms():
    assert looks_like_dates(pd.Series(["2024-01-31", None, "2023-12-01 10:30:00"]))
    assert looks_like_dates(pd.Series(["31/01/2024", "1.2.2024"]))
    assert not looks_like_dates(pd.Series(["31/01/2024", "later"]))


@pytest.mark.parametrize("texts", [["2024-03-31", None], ["31/03/2024", None]])
def test_parts_are_numbers_with_gaps(texts):
    columns = date_columns(pd.Series(texts, name="day"), PARTS, None, "2024-03-01")
    values = {name: column.iloc[0] for name, column in columns.items()}
    assert values == {"day_year": 2024, "day_month": 3, "day_weekday": 6, "day_days": 30}
    assert all(column.isna().iloc[1] for column in columns.values())


def test_an_unclear_order_of_day_and_month_is_asked_about():
    dates = pd.Series(["03/04/2024"], name="day")
    with pytest.raises(DataError, match="add day_first: true or false"):
        date_columns(dates, ["month"], None, "1970-01-01")
    assert date_columns(dates, ["month"], True, "1970-01-01")["day_month"].tolist() == [4]
    with pytest.raises(DataError, match=r"'31/31/2024' does not exist"):
        date_columns(pd.Series(["31/31/2024"]), ["month"], True, "1970-01-01")


def test_new_rows_go_through_the_same_step():
    step = {"step": "date_parts", "column": "day", "parts": ["year"]}
    table = pd.DataFrame({"day": ["2024-01-02"], "x": [1]})
    cleaned, _, _ = clean_table(table, [step], Declared("x", {}))
    assert cleaned.to_dict("list") == {"x": [1], "day_year": [2024.0]}
    pd.testing.assert_frame_equal(derive_columns(table, [step]), cleaned)


@pytest.mark.parametrize(
    "cells",
    [
        [2019, 2020, 2021],
        [-1.5, 0.0, 2.25],
        ["2019-12-31 09:05", "2019-12-31 10:00:30", "2020-01-01"],
        ["31/01/2020", "01/02/2020", "29/02/2020"],
        pd.to_datetime(["2019-12-31 09:00", "2019-12-31 10:00", "2020-01-01 00:00"]),
        ["2019/20 S1", "2019/20 S2", "2020/21 S1"],
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
        (["01/02/2020", "03/02/2020"], "dataset.time=day: day and month .* year first"),
    ],
)
def test_times_without_an_order_are_refused(cells, message):
    with pytest.raises(DataError, match=message):
        times_of(pd.Series(cells, name="day"))
