from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.evaluation.structure import (
    blocks,
    copied_rows,
    find_structure,
    repeated_ids,
    sorted_by_target,
    time_order,
)
from tests.evaluation.tied_rows import copied, in_file_order, in_time, independent, made, of_pupils


def every(dataset):
    return np.arange(dataset.n_rows)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_found_in_independent_rows(seed):
    dataset = independent(seed=seed)
    assert find_structure(dataset, every(dataset)) == []


@pytest.mark.parametrize("name", ["econmath", "econmath_score", "catholic", "gpa2", "attend"])
def test_nothing_is_found_in_the_packaged_tables(compose_config, name):
    dataset = load_dataset(compose_config(f"dataset={name}").dataset)
    assert find_structure(dataset, every(dataset)) == []


def test_rows_of_few_values_are_no_copies():
    rng = np.random.default_rng(0)
    answers = {f"q{i}": rng.integers(0, 2, 500).astype(float) for i in range(6)}
    assert copied_rows(made(answers, rng.integers(0, 2, 500))) is None


def test_copies_are_counted():
    finding = copied_rows(copied())
    assert finding.message.startswith("600 of 600 rows are copies of each other by all 5 features")
    assert "300 distinct rows" in finding.message
    assert "drop_duplicates" in finding.line
    few = copied()
    few = made(few.features.iloc[:320].reset_index(drop=True), few.target[:320])
    assert copied_rows(few).message.startswith("40 of 320 rows")


def test_the_line_for_copies_takes_them_out_though_an_id_differs(compose_config, tmp_path):
    known = copied()
    rows = known.features.assign(**{"row id": range(600), "passed": known.target})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    source = [f"dataset.path={tmp_path / 'rows.csv'}", "dataset.target=passed"]
    words = ["dataset=csv", *source, 'dataset.drop=["row id"]']
    finding = copied_rows(load_dataset(compose_config(*words).dataset))
    again = load_dataset(compose_config(*words, finding.line.strip("'")).dataset)
    assert (again.n_rows, copied_rows(again)) == (300, None)


def test_an_identifier_that_occurs_several_times_is_a_group():
    pupils = of_pupils()
    finding = repeated_ids(pupils, every(pupils))
    assert finding.columns == ("student_id",)
    assert finding.line == "dataset.group=student_id split=stratified_group_kfold"
    fixed = pupils.dropped["student_id"] % 7
    traits = pupils.features.assign(born=fixed % 3, job=(fixed % 2).astype(float))
    unnamed = replace(
        pupils,
        features=traits,
        dropped=pupils.dropped.rename(columns={"student_id": "k"}),
        target=np.random.default_rng(0).integers(0, 2, 600),
    )
    assert repeated_ids(unnamed, every(pupils)).message.endswith("alike in born, job")


def test_bands_of_a_number_are_not_traits_of_it():
    points = pd.Series(np.random.default_rng(0).integers(0, 40, 600).astype(float))
    bands = {"points": points, "passed": (points > 12) * 1.0, "grade": points // 10}
    target = np.random.default_rng(1).integers(0, 2, 600)
    assert repeated_ids(made(bands, target), np.arange(600)) is None
    gaps = {**bands, "points": points.where(points > 12)}
    assert repeated_ids(made(gaps, target), np.arange(600)) is None


def test_only_the_given_rows_decide():
    pupils, rows = of_pupils(), np.arange(400)
    blind = pupils.target.copy()
    blind[400:] = 1 - blind[400:]
    found = repeated_ids(replace(pupils, target=blind), rows)
    assert found == repeated_ids(pupils, rows)


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (pd.date_range("2020-01-01", periods=60), "dataset.time=day split=temporal"),
        ([f"2020-01-{i % 28 + 1:02d}" for i in range(60)], "dataset.time=day split=temporal"),
        ([f"{i % 28 + 1:02d}.01.2020" for i in range(60)], "dataset.time=day split=temporal"),
        (np.arange(60) % 12 + 2010.0, "dataset.time=day split=temporal"),
        (np.arange(60) + 18_000.0, "dataset.time=day split=temporal"),
        (np.arange(60.0), None),
        ([f"room {i}" for i in range(60)], None),
    ],
)
def test_columns_of_time_are_found(small_dataset, column, line):
    dataset = replace(small_dataset, dropped=pd.DataFrame({"day": column}))
    finding = time_order(dataset)
    assert (finding and finding.line) == line
    born = replace(small_dataset, dropped=pd.DataFrame({"birth_year": column}))
    assert time_order(born) is None


def test_rows_in_blocks_are_found_without_a_column():
    pupils = of_pupils()
    order = np.argsort(pupils.dropped["student_id"].to_numpy(), kind="stable")
    finding = blocks(in_file_order(pupils, order), every(pupils))
    assert "neighbouring rows of the file are alike" in finding.message
    assert finding.line.startswith("dataset.group=COLUMN ")
    assert blocks(in_file_order(pupils, every(pupils)), every(pupils)) is None


def test_a_file_sorted_by_its_target_is_found():
    clean = independent()
    order = np.argsort(clean.target, kind="stable")
    assert sorted_by_target(in_file_order(clean, order), every(clean)).columns == ("passed",)
    years = in_time()
    order = np.argsort(years.target, kind="stable")
    assert sorted_by_target(in_file_order(years, order), every(years)) is not None
