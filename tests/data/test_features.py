from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.contract import ColumnContract, Contract, contract_from_yaml, make_contract
from student_perf.data.features import needed_columns, prepare_cells, prepare_features, shares_among
from student_perf.errors import DataError
from student_perf.tables.files import iter_tables, new_file_options, read_file
from student_perf.tables.numbers import NumberForm
from tests.tiers import few_fast


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


@pytest.mark.parametrize(
    ("ending", "n_rows"),
    few_fast([("csv", 1000), ("csv", 7), ("parquet", 1000), ("parquet", 7)], 1),
)
def test_new_rows_are_prepared_bit_for_bit_as_in_training(messy, tmp_path, n_rows, ending):
    path, dataset, contract = messy
    if ending == "parquet":
        path = tmp_path / "messy.parquet"
        read_file(tmp_path / "messy.csv").table.to_parquet(path)
    prepared = []
    for raw in iter_tables(path, contract.options, n_rows):
        features, refused = prepare_features(raw, contract, contract.options)
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
        ("age", "14", "range", "age: '14' is outside 15 to 22"),
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
    with pytest.raises(DataError, match=r"'school': .*; add it; the input has \w+, \w+"):
        prepare_features(raw.drop(columns="schol"), contract)
    with pytest.raises(DataError, match=r"apart by another sign: --read 'separator=;'$"):
        prepare_features(raw[["schol"]].rename(columns={"schol": "school;points"}), contract)


def test_a_column_that_is_there_twice_fails_if_it_is_needed(messy):
    path, _, contract = messy
    raw = next(iter_tables(path, contract.options, 20))
    with pytest.raises(DataError, match="needs the column 'hours', which occurs twice"):
        prepare_features(pd.concat([raw, raw[["hours"]]], axis=1), contract)
    prepare_features(pd.concat([raw, raw[["grade"]]], axis=1), contract)


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


def trained(tmp_path, compose_config, text, *overrides, name="train.csv", target="grade"):
    """Dataset and contract of a file with this text."""
    path = tmp_path / name
    path.write_text(text)
    config = compose_config(
        "dataset=csv", f"dataset.path={path}", f"dataset.target={target}", *overrides
    ).dataset
    dataset = load_dataset(config)
    contract = make_contract(dataset, np.arange(dataset.n_rows), config)
    return dataset, contract_from_yaml(contract.to_yaml())


def cells_of(contract, column, cells, options=None):
    """What becomes of new cells of a column: the number or label, or the rule that it breaks."""
    rows = {name: ["1"] * len(cells) for name in contract.columns} | {column: cells}
    features, refused = prepare_cells(pd.DataFrame(rows), contract, options)
    broken = {why.row: why.rule for why in refused if why.column == column}
    return [broken.get(row, features[column].iloc[row]) for row in range(len(cells))]


SPANISH = "hours;money;grade\n" + "".join(
    f"{i % 9},{i % 7};{i % 3 + 1}.{i % 5}00,5;{'ab'[i % 2]}\n" for i in range(40)
)


def test_a_number_of_a_program_is_not_a_thousand(tmp_path, compose_config):
    _, contract = trained(tmp_path, compose_config, SPANISH)
    assert contract.options.describe().startswith("separator ';', decimal ',', thousands '.'")
    found = cells_of(contract, "hours", [7.125, "7,125", "7.125", "7.1", "7"])
    assert found[:2] == [7.125, 7.125]
    assert "is another number as the training data write it" in found[2]
    assert "is not a number as the training data write it (decimal ',', thousands '.')" in found[3]
    assert found[4] == 7
    as_file = cells_of(contract, "hours", ["7.125"], contract.options)
    assert as_file == [7125], "in a file written as the training file it is a thousand"


def test_text_that_a_step_makes_a_number_is_read_by_that_step(tmp_path, compose_config):
    rows = "".join(f'{i % 9 + 1},"{i % 3 + 1}.{i % 5}00,5",{"ab"[i % 2]}\n' for i in range(40))
    dataset, contract = trained(
        tmp_path,
        compose_config,
        f"hours,money,grade\n{rows}",
        "dataset.clean=[normalise_text,{step: to_numeric, columns: [money], decimal: ',', "
        "thousands: .}]",
        "dataset.decimal=.",
    )
    assert dataset.features["money"].iloc[0] == 1000.5
    assert contract.forms["money"].by_step
    assert cells_of(contract, "money", ["1.234", "1,5", 1.5], contract.options) == [1234, 1.5, 1.5]
    assert "is another number" in cells_of(contract, "money", ["1.234"])[0]


@pytest.mark.parametrize("by_step", [False, True])
def test_percent_signs_are_part_of_the_contract(tmp_path, compose_config, by_step):
    words = ["75%", "80%", "unknown"] if by_step else ["75%", "80%", "9%"]
    rows = "".join(f"{words[i % 3]},{i % 9},{'ab'[i % 2]}\n" for i in range(40))
    clean = (
        "normalise_text,{step: map_values, column: share, values: {unknown: null}},"
        "{step: to_numeric, columns: [share]}"
    )
    _, contract = trained(
        tmp_path,
        compose_config,
        f"share,hours,grade\n{rows}",
        *([f"dataset.clean=[{clean}]"] if by_step else []),
    )
    assert contract.forms["share"] == NumberForm(by_step=by_step, is_percent=True)
    found = cells_of(contract, "share", ["75%", "0.80", 75.0, "60 %"], contract.options)
    assert found[0] == found[2] == 75
    assert found[1] == "has no percent sign; every cell had one in training"
    assert found[3] == 60
    found = cells_of(contract, "share", [0.545, 1.005, 75.0, 0.0, "60 %"], contract.options)
    assert "may be a share or a percentage" in found[0]
    beside = "stands beside 0.545, which may be a share; write it with a percent sign"
    assert found[1:] == [beside, beside, 0, 60]
    assert cells_of(contract, "share", [0.545, 75.0])[1] == 75, "rows of a program stand alone"
    parts = [pd.DataFrame({"share": cells, "hours": 1.0}) for cells in ([75.0], [0.545], [0.1])]
    shares = [shares_among(part, contract) for part in parts]
    assert shares == [{}, {"share": 0.545}, {"share": 0.1}]
    _, refused = prepare_features(parts[0], contract, contract.options, shares[1])
    assert refused[0].rule == beside, "what one part of a file shows counts for all of it"
    hours = cells_of(contract, "hours", ["5%"], contract.options)
    assert hours == ["has a percent sign; no cell had one in training"]


def test_percent_signs_in_some_cells_stop_the_training(tmp_path, compose_config):
    rows = "".join(f"{['75%', '0.80'][i % 2]},{'ab'[i % 2]}\n" for i in range(40))
    with pytest.raises(DataError, match=r"'0.80' has no percent sign, and '75%' has one"):
        trained(tmp_path, compose_config, f"share,grade\n{rows}")
    with pytest.raises(DataError, match=r"'0.80', which has no percent sign, as others have"):
        trained(
            tmp_path,
            compose_config,
            f"share,grade\n{rows}",
            "dataset.clean=[{step: to_numeric, columns: [share]}]",
        )


def test_codes_with_gaps_that_are_labels_stay_the_labels_of_training(tmp_path, compose_config):
    rows = "".join(f"{['101.0', '9254.0', ''][i % 3]},{i % 9},{'ab'[i % 2]}\n" for i in range(60))
    dataset, contract = trained(
        tmp_path, compose_config, f"course,hours,grade\n{rows}", "dataset.categorical=[course]"
    )
    assert sorted(dataset.features["course"].dropna().unique()) == ["101", "9254"]
    for raw in iter_tables(tmp_path / "train.csv", contract.options, 7):
        _, refused = prepare_features(raw, contract, contract.options)
        assert refused == {}
    found = cells_of(contract, "course", ["101", 101, "9254.0", "0101", "A7"], contract.options)
    assert found[:3] == ["101", "101", "9254"]
    assert all("is not one of 101, 9254" in rule for rule in found[3:])


def test_leading_zeros_and_words_for_missing_are_read_as_in_training(tmp_path, compose_config):
    rows = "".join(f"{['3', '4', '-'][i % 3]},{i % 9},{'ab'[i % 2]}\n" for i in range(60))
    dataset, contract = trained(
        tmp_path, compose_config, f"points,hours,grade\n{rows}", "dataset.clean=[]"
    )
    assert dataset.features["points"].isna().sum() == 20
    found = cells_of(contract, "points", ["5", "007", "-", "n/a"], contract.options)
    assert found[0] == 5
    assert "has leading zeros" in found[1]
    assert np.isnan(found[2:]).all()


@pytest.mark.slow
def test_days_and_months_follow_the_order_of_training_in_every_part(tmp_path, compose_config):
    days = [f"{i % 28 + 1:02}/{i % 12 + 1:02}/2024" for i in range(60)]
    rows = "".join(f"{day},{i % 9},{'ab'[i % 2]}\n" for i, day in enumerate(days))
    step = "{step: date_parts, column: day, parts: [month, weekday]}"
    dataset, contract = trained(
        tmp_path,
        compose_config,
        f"day,hours,grade\n{rows}",
        f"dataset.clean=[normalise_text,{step}]",
    )
    parts = [
        prepare_features(raw, contract, contract.options)
        for raw in iter_tables(tmp_path / "train.csv", contract.options, 1)
    ]
    assert all(refused == {} for _, refused in parts)
    features = pd.concat([part for part, _ in parts], ignore_index=True)
    pd.testing.assert_frame_equal(features, dataset.features, check_exact=True)
    _, refused = prepare_features(pd.DataFrame({"day": ["05/31/2024"], "hours": [1]}), contract)
    assert str(refused[0]) == "day: '05/31/2024' does not exist"


def test_a_file_of_any_format_gives_the_features_of_the_training_file(tmp_path, compose_config):
    rows = [
        f"{i % 70 + 9},5%;1.{i:03},{i % 8};{['101', '33', ''][i % 3]};"
        f"{['true', 'false'][i % 2]};{i % 28 + 1:02}/{i % 12 + 1:02}/2024;{'ab'[i % 2]}\n"
        for i in range(80)
    ]
    dataset, contract = trained(
        tmp_path,
        compose_config,
        f"share;hours;course;paid;day;grade\n{''.join(rows)}",
        "dataset.categorical=[course]",
        "dataset.clean=[normalise_text,{step: date_parts, column: day, parts: [month,days]}]",
    )
    typed = read_file(tmp_path / "train.csv", contract.options).table
    typed["share"] = typed["share"].map(lambda share: f"{share}%")
    typed.to_csv(tmp_path / "programs.csv", index=False)
    typed["share"] = typed["share"].str.replace(".", ",")
    typed.to_parquet(tmp_path / "new.parquet")
    typed.to_feather(tmp_path / "new.feather")
    typed.to_json(tmp_path / "new.json", orient="records")
    typed.to_json(tmp_path / "new.jsonl", orient="records", lines=True)
    for name in (
        "train.csv",
        "programs.csv",
        "new.parquet",
        "new.feather",
        "new.json",
        "new.jsonl",
    ):
        path = tmp_path / name
        options = new_file_options(path, contract.options, {}, contract.number_columns)
        (raw,) = iter_tables(path, options, 100)
        features, refused = prepare_features(raw, contract, options)
        assert refused == {}
        pd.testing.assert_frame_equal(features, dataset.features, check_exact=True)


def test_a_number_that_is_declared_to_be_missing_is_so_from_everywhere(tmp_path, compose_config):
    rows = [(3 if i % 4 else -99, i % 9, "ab"[i % 2]) for i in range(60)]
    table = pd.DataFrame(rows, columns=["points", "hours", "grade"])
    table.to_parquet(tmp_path / "train.parquet")
    text = table.to_csv(index=False)
    for name in ("train.csv", "train.parquet"):
        if name == "train.csv":
            (tmp_path / name).write_text(text)
        config = compose_config(
            "dataset=csv",
            f"dataset.path={tmp_path / name}",
            "dataset.target=grade",
            "dataset.missing_words=['-99']",
        ).dataset
        dataset = load_dataset(config)
        contract = make_contract(dataset, np.arange(dataset.n_rows), config)
        assert dataset.features["points"].isna().sum() == 15
        for options in (None, contract.options):
            found = cells_of(contract, "points", [-99, "-99", -99.0, 3, "4"], options)
            assert np.isnan(found[:3]).all()
            assert found[3:] == [3, 4]


def test_a_missing_column_is_not_taken_for_another_that_the_model_needs():
    names = ["act", "actmth", "acteng", "hours", "age"]
    contract = Contract("grade", [], {name: ColumnContract("numeric", True) for name in names})
    present = {name: [1.0] for name in names if name != "act"}
    with pytest.raises(DataError, match=r"column 'act': the model needs .* lacks it; add it; the"):
        needed_columns(pd.DataFrame(present), contract)
    with pytest.raises(DataError, match="lacks it; did you mean akt"):
        needed_columns(pd.DataFrame(present | {"akt": [1.0]}), contract)
    with pytest.raises(DataError, match=r"column 'act' \(also actmth, acteng, hours\): the model"):
        needed_columns(pd.DataFrame({"age": [1.0], "x": [1.0]}), contract)
