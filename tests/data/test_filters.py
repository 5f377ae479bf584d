import numpy as np
import pandas as pd
import pytest

from student_perf.data.cleaning import Declared, clean_table
from student_perf.data.contract import make_contract
from student_perf.data.dataset import load_dataset
from student_perf.data.features import prepare_features
from student_perf.data.filters import filtered_ranges
from student_perf.errors import DataError

DECLARED = Declared("price", {})


def table():
    return pd.DataFrame(
        {
            "price": [10.0, 99999.0, None, 50.0, 80.0],
            "year": [2019, 2020, 2019, 2021, 2020],
            "room": ["whole", "shared", "whole", None, "hotel"],
        }
    )


def step(**options):
    return {"step": "filter_rows", "column": "price"} | options


@pytest.mark.parametrize(
    ("options", "rows", "note"),
    [
        (
            {"range": [0, 1000]},
            [10, 50, 80],
            "'price': 2 of 5 rows left out, 1 of them without a value; all figures hold for rows "
            "from 0 to 1000 only",
        ),
        (
            {"column": "year", "values": [2019, 2021]},
            [10, None, 50],
            "'year': 2 of 5 rows left out; all figures hold for rows of 2019, 2021 only",
        ),
        (
            {"column": "room", "values": ["whole", "shared"]},
            [10, 99999, None],
            "'room': 2 of 5 rows left out, 1 of them without a value; all figures hold for rows of "
            "whole, shared only",
        ),
    ],
)
def test_rows_are_kept_by_range_or_values_and_the_count_is_on_record(options, rows, note):
    cleaned, (_, done), _ = clean_table(table(), [step(**options)], DECLARED)
    kept = cleaned["price"].astype(object).where(cleaned["price"].notna(), None)
    assert kept.tolist() == rows
    assert (done.rows_before, done.rows_after, done.notes) == (5, len(rows), (note,))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "takes either range"),
        ({"range": [0, 1], "values": [1]}, "takes either range"),
        ({"range": [5, 1]}, "must be two numbers, the lowest first"),
        ({"range": [0]}, "must be two numbers"),
        ({"range": [0, "many"]}, "must be two numbers"),
        ({"range": [1, 2]}, "no row from 1 to 2 only"),
        ({"column": "room", "range": [0, 1]}, "holds values like 'whole', a range is for numbers"),
        ({"column": "room", "values": ["hole"]}, "no row has the value 'hole'; did you mean whole"),
        ({"column": "room", "values": "whole"}, "values=whole: must be a list"),
        ({"column": "prise", "range": [0, 1]}, "has no column 'prise'; did you mean price"),
    ],
)
def test_a_wrong_step_is_refused_in_one_line(options, words):
    with pytest.raises(DataError, match=words) as caught:
        clean_table(table(), [step(**options)], DECLARED)
    assert "\n" not in str(caught.value)


def test_several_filters_of_a_column_leave_what_all_of_them_keep():
    steps = ["normalise_text", step(range=[0, 50]), step(range=[10, 90]), step(values=["a", "b"])]
    assert filtered_ranges(steps) == {"price": (10.0, 50.0)}


def test_a_new_row_outside_the_filter_of_a_feature_is_refused(tmp_path, compose_config):
    path = tmp_path / "rents.csv"
    path.write_text(
        "area,price\n" + "".join(f"{i},{i * 10 if i % 9 else 99999}\n" for i in range(1, 91))
    )
    config = compose_config(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=price",
        "dataset.task=regression",
        "+dataset.ranges.area=[5,500]",
        "dataset.clean=[normalise_text,{step: filter_rows, column: price, range: [0, 9000]},"
        "{step: filter_rows, column: area, range: [0, 60]}]",
    ).dataset
    dataset = load_dataset(config)
    assert dataset.target.max() == 600
    assert [one.rows_after for one in dataset.lineage] == [90, 90, 80, 54]
    rows = np.flatnonzero(dataset.features["area"] >= 5)
    contract = make_contract(dataset, rows, config)
    assert (contract.columns["area"].lowest, contract.columns["area"].highest) == (5, 60)
    features, refused = prepare_features(pd.DataFrame({"area": [20.0, 61.0]}), contract)
    assert len(features) == 2  # no new row is left out
    assert {row: str(why) for row, why in refused.items()} == {1: "area: '61' is outside 5 to 60"}
