import numpy as np
import pandas as pd
import pytest

from student_perf.data.cleaning import Declared, clean_table
from student_perf.data.contract import contract_from_yaml, make_contract
from student_perf.data.dataset import load_dataset
from student_perf.data.derive import computed, contradictions
from student_perf.data.features import prepare_features
from student_perf.errors import DataError
from tests.conftest import compose_config

DECLARED = Declared("grade", {})


def table():
    return pd.DataFrame(
        {
            "a": [1.0, 4.0, 9.0, np.nan],
            "b": [2.0, 0.0, 3.0, 1.0],
            "c": [0.1, 0.2, 0.3, 0.4],
            "word": ["x", "y", "x", "y"],
            "grade": ["low", "high", "low", "high"],
        }
    )


def step(**changes):
    return {"step": "derive", "column": "new", "of": ["a", "b"], "by": "mean"} | changes


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("mean", [1.5, 2.0, 6.0, None]),
        ("sum", [3.0, 4.0, 12.0, None]),
        ("difference", [-1.0, 4.0, 6.0, None]),
        ("ratio", [0.5, None, 3.0, None]),
        ("product", [2.0, 0.0, 27.0, None]),
    ],
)
def test_a_column_is_made_by_a_named_function_and_gaps_stay_gaps(by, expected):
    cleaned, (_, done), _ = clean_table(table(), [step(by=by)], DECLARED)
    assert cleaned["new"].astype(object).where(cleaned["new"].notna(), None).tolist() == expected
    assert done.notes == (
        ("'new': 1 row has no ratio, as when one divides by 0",) if by == "ratio" else ()
    )


@pytest.mark.parametrize("by", ["mean", "sum", "product"])
@pytest.mark.slow
def test_a_row_alone_gives_the_same_bits_as_among_others(by):
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 9)), columns=list("abcdefghi"))
    together = computed(rows, list(rows), by)
    alone = [computed(rows.iloc[[i]], list(rows), by).iloc[0] for i in range(len(rows))]
    assert together.tolist() == alone


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"by": "avg"}, "derive of 'new': no such function avg"),
        ({"of": "a"}, "of=a: must be a list of two or more columns"),
        ({"of": ["a"]}, "must be a list of two or more columns"),
        ({"of": ["a", "b", "c"], "by": "ratio"}, "a ratio takes two columns, 3 are listed"),
        ({"column": "c"}, "derive of 'c': the table has this column already"),
        ({"of": ["a", "word"]}, "'word' holds values like 'x', mean needs numbers"),
        ({"of": ["a", "bb"]}, "has no column 'bb'; did you mean b?"),
    ],
)
def test_a_wrong_step_is_refused_in_one_line(changes, words):
    with pytest.raises(DataError, match=words.replace("?", r"\?")) as caught:
        clean_table(table(), [step(**changes)], DECLARED)
    assert "\n" not in str(caught.value)


def test_no_feature_is_made_of_the_target():
    with pytest.raises(DataError, match="'a' is the target"):
        clean_table(table(), [step()], Declared("a", {}))


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ({"step": "drop_columns", "columns": ["a"]}, "takes away 'a'.*dataset.drop"),
        ({"step": "map_values", "column": "b", "values": {"3": None}}, "changes 'b'.*before"),
        ({"step": "map_values", "column": "new", "values": {"6": 1}}, "changes 'new'.*before"),
    ],
)
def test_no_later_step_changes_what_a_column_was_made_of(later, words):
    with pytest.raises(DataError, match=words):
        clean_table(table(), [step(), later], DECLARED)


def test_a_given_value_must_be_the_computed_one():
    rules = contradictions(
        pd.Series([1.5, 7.0, None, 1.0, "x"], dtype=object),
        pd.Series([1.5, 2.0, 3.0, np.nan, 2.0]),
        ["a", "b"],
        "mean",
    )
    assert rules.tolist() == [
        None,
        "is not the mean of 'a' and 'b', which is 2; leave it out",
        None,
        "is given, but 'a' and 'b' have no mean; leave it out",
        "is not the mean of 'a' and 'b', which is 2; leave it out",
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Contract of a dataset whose columns G1, G2 and start are left out, and its features."""
    path = tmp_path_factory.mktemp("derive") / "marks.csv"
    rows = "".join(
        f"{i % 17},5;{i % 13},25;{i % 11};{i % 28 + 1:02}/0{i % 9 + 1}/2024;{'ab'[i % 2]}\n"
        for i in range(80)
    )
    path.write_text(f"G1;G2;absences;start;grade\n{rows}")
    config = compose_config(
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        "dataset.drop=[G1,G2]",
        "dataset.clean=[normalise_text,"
        "{step: date_parts, column: start, parts: [month, days]},"
        "{step: derive, column: marks, of: [G1, G2], by: mean},"
        "{step: derive, column: late, of: [absences, start_days], by: ratio}]",
    ).dataset
    dataset = load_dataset(config)
    contract = make_contract(dataset, np.arange(dataset.n_rows), config)
    return path, contract_from_yaml(contract.to_yaml()), dataset


def test_new_rows_give_the_features_of_training_to_the_bit(trained):
    path, contract, dataset = trained
    names = ["absences", "start_month", "start_days", "marks", "late"]
    assert list(dataset.features) == list(contract.columns) == names
    raw = pd.read_csv(path, sep=";", decimal=",")
    features, refused = prepare_features(raw, contract, contract.options)
    assert refused == {}
    pd.testing.assert_frame_equal(features, dataset.features, check_exact=True)
    again, refused = prepare_features(dataset.features, contract)
    assert refused == {}
    pd.testing.assert_frame_equal(again, dataset.features, check_exact=True)


def test_sources_left_out_of_the_features_are_checked_too(trained):
    _, contract, _ = trained
    row = {"G1": [3.5], "G2": [4.5], "absences": [2], "start": ["05/02/2024"]}
    features, refused = prepare_features(pd.DataFrame(row), contract)
    assert refused == {}
    assert features["marks"].tolist() == [4.0]
    _, refused = prepare_features(pd.DataFrame(row | {"G2": ["many"]}), contract)
    assert str(refused[0]).startswith("G2: 'many' is not a number")
    _, refused = prepare_features(pd.DataFrame(row | {"marks": [9.0]}), contract)
    assert str(refused[0]).startswith("marks: '9.0' is not the mean of 'G1' and 'G2', which is 4")
    with pytest.raises(DataError, match="column 'G2': the model needs it"):
        prepare_features(pd.DataFrame(row).drop(columns="G2"), contract)


def test_what_follows_from_other_features_is_optional(trained):
    _, contract, _ = trained
    assert contract.optional == ["late"]


def test_a_derived_target_needs_its_sources_left_out(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_text("G1,G2,hours\n" + "".join(f"{i % 17},{i % 13},{i % 7}\n" for i in range(80)))
    words = (
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=total",
        "dataset.task=regression",
        "dataset.clean=[normalise_text,{step: derive, column: total, of: [G1, G2], by: sum}]",
    )
    with pytest.raises(DataError, match=r"gives it away.*dataset.drop=\[G1,G2\]"):
        load_dataset(compose_config(*words).dataset)
    dataset = load_dataset(compose_config(*words, "dataset.drop=[G1,G2]").dataset)
    assert list(dataset.features) == ["hours"]
    assert dataset.target[:3].tolist() == [0, 2, 4]
