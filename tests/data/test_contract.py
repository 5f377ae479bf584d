from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data.contract import (
    check_contract,
    contract_from_yaml,
    find_violations,
    make_contract,
)
from student_perf.errors import DataError
from tests.conftest import SMALL_CONFIG


@pytest.fixture
def contract(small_dataset):
    return make_contract(small_dataset, np.arange(60), SMALL_CONFIG)


def test_it_describes_the_rows_it_is_made_from(small_dataset, contract):
    points = contract.columns["points"]
    assert (points.lowest, points.highest) == (
        small_dataset.features["points"].min(),
        small_dataset.features["points"].max(),
    )
    assert contract.columns["school"].categories == ["north", "south"]
    assert contract.classes == ["low", "mid", "high"]
    assert find_violations(small_dataset.features, contract) == []


def test_only_the_given_rows_count(small_dataset):
    rows = np.flatnonzero(small_dataset.features["school"] == "north")
    assert make_contract(small_dataset, rows, SMALL_CONFIG).columns["school"].categories == [
        "north"
    ]


def test_declared_facts_come_first(small_dataset):
    declared = replace(
        SMALL_CONFIG, categories={"school": ["south", "north", "east"]}, ranges={"points": [-9, 9]}
    )
    columns = make_contract(small_dataset, np.arange(60), declared).columns
    assert columns["school"].categories == ["south", "north", "east"]
    assert (columns["points"].lowest, columns["points"].highest) == (-9.0, 9.0)


def test_yaml_brings_it_back(contract):
    assert contract_from_yaml(contract.to_yaml()) == contract


def test_each_violation_names_column_value_count_and_rows(small_dataset, contract):
    bad = small_dataset.features.copy()
    bad.loc[[2, 5], "school"] = "west"
    bad.loc[7, "school"] = None
    bad.loc[9, "points"] = 99.0
    found = {str(v) for v in find_violations(bad, contract)}
    low, high = contract.columns["points"].lowest, contract.columns["points"].highest
    assert found == {
        f"column 'points': '99.0' is outside {low:g} to {high:g} (1 row: 9)",
        "column 'school': 'west' is not one of north, south (2 rows: 2, 5)",
        "column 'school': a missing value is not allowed, every row had a value in training "
        "(1 row: 7)",
    }
    with pytest.raises(DataError, match=r"column 'points'.*column 'school'"):
        check_contract(bad, contract)


def test_missing_columns_and_wrong_kinds(small_dataset, contract):
    bad = pd.DataFrame({"points": ["1", "many", "3"]})
    found = [str(v) for v in find_violations(bad, contract)]
    assert found[0] == "column 'points': 'many' is not a number (1 row: 1)"
    assert "column 'school'" in found[1]
    assert "required" in found[1]


def test_declared_ranges_are_enforced_before_training(train, tmp_path):
    path = tmp_path / "t.csv"
    rows = "".join(f"{age},{age % 2}\n" for age in range(15, 60))
    path.write_text(f"age,grade\n{rows}")
    outcome = train(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        "+dataset.ranges.age=[15,22]",
    )
    assert outcome.code == 1
    assert "column 'age':" in outcome.err
    assert "is outside 15 to 22" in outcome.err


def test_a_column_of_text_takes_any_words_and_is_read_back(small_dataset):
    texts = replace(small_dataset, text=("school",))
    contract = make_contract(texts, np.arange(60), SMALL_CONFIG)
    assert contract.columns["school"].kind == "text"
    assert contract_from_yaml(contract.to_yaml()) == contract
    other = small_dataset.features.assign(school="never seen")
    assert find_violations(other, contract) == []
