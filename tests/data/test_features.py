from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.contract import ColumnContract, Contract, contract_from_yaml, make_contract
from student_perf.data.features import column_as_read, prepare_features
from student_perf.errors import DataError
from student_perf.tables.files import iter_tables, read_file


@pytest.fixture
def messy(tmp_path, compose_config):
    """Dataset and contract of a file whose cleaning changes words, numbers and rows."""
    rng = np.random.default_rng(0)
    n = 200
    table = pd.DataFrame(
        {
            "school": rng.choice(["North", " north ", "south", "SOUTH", "n/a"], n),
            "hours": rng.choice(["1.1", "2.30000001", "unknown", "7"], n),
            "age": rng.choice(["15", "16", "99", ""], n),
            "paid": rng.choice(["true", "false"], n),
            "points": [repr(float(x)) for x in rng.normal(0, 1e5, n)],
            "grade": rng.choice(["low", "high", ""], n, p=[0.5, 0.45, 0.05]),
        }
    )
    path = tmp_path / "messy.csv"
    table.to_csv(path, index=False)
    clean = (
        "normalise_text,{step: map_values, column: hours, values: {unknown: null}},"
        "{step: to_numeric, columns: [hours]},"
        "{step: map_values, column: age, values: {99: null}},drop_missing_target"
    )
    config = compose_config(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        f"dataset.clean=[{clean}]",
        "+dataset.categories.school=[north,south]",
        "+dataset.ranges.age=[15,22]",
        "guards.constant='off'",
    ).dataset
    dataset = load_dataset(config)
    contract = make_contract(dataset, np.arange(dataset.n_rows), config)
    return path, dataset, contract_from_yaml(contract.to_yaml())


@pytest.mark.parametrize("n_rows", [7, 1000])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_new_rows_are_prepared_bit_for_bit_as_in_training(messy, tmp_path, n_rows, ending):
    path, dataset, contract = messy
    if ending == "parquet":
        path = tmp_path / "messy.parquet"
        read_file(tmp_path / "messy.csv").table.to_parquet(path)
    prepared = []
    for raw in iter_tables(path, contract.options, n_rows):
        features, refused = prepare_features(raw, contract)
        assert not refused
        prepared.append(features[(raw["grade"].notna() & (raw["grade"] != "")).to_numpy()])
    assert len(prepared) == -(-200 // n_rows)
    pd.testing.assert_frame_equal(
        pd.concat(prepared, ignore_index=True), dataset.features, check_exact=True
    )


@pytest.mark.parametrize(
    ("column", "value", "problem", "message"),
    [
        ("school", "east", "unknown category", "school: 'east' is not one of north, south"),
        ("hours", "many", "not a number", "hours: 'many' is not a number"),
        ("points", "inf", "not a number", "points: 'inf' is not a number"),
        ("points", None, "missing value", "points: a missing value is not allowed"),
        ("age", "14", "range", "age: '14.0' is outside 15 to 22"),
    ],
)
def test_a_cell_outside_the_contract_is_told_with_row_column_and_value(
    messy, column, value, problem, message
):
    path, _, contract = messy
    raw = next(iter_tables(path, contract.options, 20))
    raw.loc[[4, 9], column] = value
    raw.loc[9, "school"] = "east"
    _, refused = prepare_features(raw, contract)
    assert list(refused) == [4, 9]
    assert refused[4].problem == problem
    assert str(refused[4]).startswith(message)
    assert refused[9].problem == problem, "an unknown category is the least of two problems"


def test_a_range_the_rows_only_happened_to_span_refuses_nothing(messy):
    path, _, contract = messy
    raw = next(iter_tables(path, contract.options, 20))
    raw.loc[0, "points"] = "123456789"
    assert prepare_features(raw, contract)[1] == {}


def test_a_missing_column_fails_at_once(messy):
    path, _, contract = messy
    raw = next(iter_tables(path, contract.options, 20)).rename(columns={"school": "schol"})
    with pytest.raises(DataError, match=r"column 'school': .* did you mean schol\?"):
        prepare_features(raw, contract)


def test_one_hot_cannot_be_repeated(messy):
    path, _, contract = messy
    contract.clean.append({"step": "one_hot", "columns": ["school"]})
    with pytest.raises(DataError, match="one_hot"):
        prepare_features(next(iter_tables(path, contract.options, 20)), contract)


@pytest.mark.parametrize(
    "cells",
    [
        pd.Series([1, 2]),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, "2"], dtype="object"),
        pd.Series([np.int64(1), Decimal(2)], dtype="object"),
        pd.Series([1.0, 2.0], dtype="category"),
    ],
)
def test_numbers_are_numbers_whatever_holds_them(cells):
    contract = Contract("grade", [], {"age": ColumnContract("numeric", False, None, 0.0, 9.0)})
    features, refused = prepare_features(pd.DataFrame({"age": cells}), contract)
    assert refused == {}
    assert features["age"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("dtype", ["bool", "boolean", "object"])
def test_true_is_a_number_only_where_the_training_had_nothing_but_zero_and_one(dtype):
    raw = pd.DataFrame({"age": pd.Series([True, False], dtype=dtype)})
    for highest, n_refused in ((1.0, 0), (9.0, 2)):
        rules = ColumnContract("numeric", False, None, 0.0, highest)
        _, refused = prepare_features(raw, Contract("grade", [], {"age": rules}))
        assert len(refused) == n_refused
    assert str(refused[0]) == "age: 'True' is not a number"


def test_what_is_missing_in_any_way_is_missing_and_other_objects_are_text():
    cells = pd.Series([None, np.nan, pd.NA, pd.NaT, [1], {}], dtype="object")
    assert column_as_read(cells, "numeric").isna().tolist() == [True] * 4 + [False] * 2
    assert column_as_read(cells, "categorical").tolist()[4:] == ["[1]", "{}"]
