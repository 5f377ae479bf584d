import json

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.contract import make_contract
from student_perf.runs.golden import (
    check_golden_rows,
    golden_from_json,
    make_golden_rows,
)


def answer(features):
    """Three figures that depend on a number, a text and on whether one is missing."""
    hours = features["hours"].fillna(-1.0)
    return np.column_stack([hours / 3, features["school"].isna(), features["school"] == "north"])


@pytest.fixture
def made(compose_config, tmp_path):
    """Golden rows of a file in which cleaning changes cells and drops rows."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "school": rng.choice([" North", "south ", "?"], 90),
            "hours": rng.normal(5, 2, 90).round(3),
            "grade": rng.choice(["low", "high", "n/a"], 90),
        }
    )
    path = tmp_path / "x.csv"
    table.to_csv(path, index=False)
    config = compose_config(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        "dataset.clean=[normalise_text,drop_missing_target]",
        "+dataset.categories.school=[north,south]",
    ).dataset
    dataset = load_dataset(config)
    development = np.arange(5, dataset.n_rows)
    contract = make_contract(dataset, development, config)
    return (
        make_golden_rows(dataset, config, development, contract, answer),
        contract,
        dataset,
        table,
    )


def test_rows_are_raw_cover_each_class_and_missing_cells(made):
    rows, _, dataset, table = made
    raw = table[["school", "hours"]].to_dict("records")
    for row in rows.rows:
        assert row in raw, "as the file has it, with its spaces"
    at = [table.index[table["hours"] == row["hours"]][0] for row in rows.rows]
    assert {"low", "high"} <= set(table["grade"][at])
    assert any(row["school"] == "?" for row in rows.rows)
    kept_rows = dataset.features["hours"].iloc[5:].tolist()
    assert all(row["hours"] in kept_rows for row in rows.rows), "development rows only"


def test_answers_are_those_of_the_prepared_rows(made):
    rows, contract, _, _ = made
    for row, expected in zip(rows.rows, rows.expected, strict=True):
        word = row["school"].strip()
        assert expected == [row["hours"] / 3, float(word == "?"), float(word == "North")]
    again = golden_from_json(rows.to_json())
    assert again == rows
    assert check_golden_rows(again, contract, answer) == []


def test_a_difference_names_row_expected_and_got(made):
    rows, contract, _, _ = made
    found = check_golden_rows(rows, contract, lambda table: answer(table) * 1.001)
    assert found[0].row == 0
    low = rows.expected[0][0]
    assert str(found[0]).startswith(f"golden row 0: expected {low:.6g}, ")
    assert f"got {low * 1.001:.6g}" in str(found[0])
    assert check_golden_rows(rows, contract, lambda table: answer(table) + 1e-9) == []


def test_numbers_are_covered_from_the_least_to_the_largest(compose_config):
    config = compose_config("dataset=econmath_score").dataset
    dataset = load_dataset(config)
    rows = np.arange(dataset.n_rows)
    contract = make_contract(dataset, rows, config)
    made = make_golden_rows(dataset, config, rows, contract, lambda table: table["age"].to_numpy())
    ends = dataset.features["age"].iloc[
        [int(dataset.target.argmin()), int(dataset.target.argmax())]
    ]
    assert set(ends) <= {row["age"] for row in made.rows}
    assert any(None in row.values() for row in made.rows)
    json.loads(made.to_json())


def test_rows_of_dates_percentages_codes_and_decimal_commas_are_read_again(
    compose_config, tmp_path
):
    path = tmp_path / "notas.csv"
    rows = "".join(
        f"{i % 28 + 1:02}/{i % 12 + 1:02}/2024;{i % 90 + 1},5%;{1000 + i}.0;{i % 9}.{i % 7}00,5;"
        f"{'ab'[i % 2]}\n".replace(";0.", ";1.")
        for i in range(90)
    )
    path.write_text(f"day;share;course;money;grade\n{rows.replace('.0;', ';')}")
    clean = "{step: date_parts, column: day, parts: [month,weekday]}"
    config = compose_config(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        "dataset.categorical=[course]",
        f"dataset.clean=[normalise_text,{clean}]",
    ).dataset
    dataset = load_dataset(config)
    contract = make_contract(dataset, np.arange(dataset.n_rows), config)

    def numbers(features):
        return np.column_stack([features["share"], features["money"], features["day_month"]])

    golden = make_golden_rows(dataset, config, np.arange(dataset.n_rows), contract, numbers)
    assert golden.expected[0][0] == dataset.features["share"].iloc[0] == 1.5
    again = golden_from_json(golden.to_json())
    assert check_golden_rows(again, contract, numbers) == []
    assert again.rows[0]["share"] == "1,5%"
