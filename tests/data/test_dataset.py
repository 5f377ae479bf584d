import unicodedata
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer

from student_perf.data import load_dataset
from student_perf.data.dataset import survey
from student_perf.errors import DataError
from tests.hostile import change_in_place


def test_econmath_becomes_four_ordered_bands_without_the_score(compose_config):
    dataset = load_dataset(compose_config().dataset)
    assert dataset.features.shape == (856, 16)
    assert "score" not in dataset.features
    assert np.bincount(dataset.target).tolist() == [140, 187, 258, 271]
    assert dataset.n_missing == 126
    # Pinned: the same rows and columns on every platform and library version.
    assert dataset.sha256.startswith("f3c0d2f5b40e")


def test_score_as_a_number_is_the_same_table(compose_config):
    bands = load_dataset(compose_config().dataset)
    score = load_dataset(compose_config("dataset=econmath_score").dataset)
    assert score.classes == ()
    assert score.uncut is None
    assert np.array_equal(bands.uncut, score.target)
    assert score.sha256 == bands.sha256
    pd.testing.assert_frame_equal(score.features, bands.features)


def test_what_a_model_does_to_its_rows_does_not_reach_the_dataset(small_dataset):
    before = small_dataset.features.copy()
    for numbers in (np.arange(small_dataset.n_rows), np.array([3, 5])):
        rows = small_dataset.rows(numbers)
        pd.testing.assert_frame_equal(rows, before.iloc[numbers])
        change_in_place(rows)
        SimpleImputer(copy=False).fit_transform(small_dataset.rows(numbers)[["points"]])
        pd.testing.assert_frame_equal(small_dataset.features, before)


def test_the_target_is_read_only(small_dataset):
    with pytest.raises(ValueError, match="read-only"):
        small_dataset.target[0] = 2


def test_kinds_of_a_csv(compose_config, grades):
    config = compose_config("dataset=csv", f"dataset.path={grades}", "dataset.target=grade")
    dataset = load_dataset(config.dataset)
    assert dataset.numeric == ["hours", "absences", "paid"]
    assert dataset.categorical == ["school"]
    assert dataset.classes == ("high", "low", "mid")
    assert dataset.features["school"].isna().sum() == 2
    assert dataset.target_labels(np.array([2, 0])).tolist() == ["mid", "high"]


def test_dropped_columns_are_gone_and_change_the_hash(compose_config):
    whole = load_dataset(compose_config().dataset)
    part = load_dataset(compose_config("dataset.drop=[age,work]").dataset)
    assert part.features.shape[1] == 14
    assert part.sha256 != whole.sha256


@pytest.mark.parametrize(
    ("content", "extra", "message"),
    [
        ("hours,grade\n", "", "has no rows below its header"),
        ("hours,grade\n1,a\n2,b\n", "dataset.target=grad", "did you mean grade"),
        ("hours,grade\n1,a\n2,b\n", "dataset.drop=[houres]", "did you mean hours"),
        ("hours,grade\n1,a\n2,b\n", "dataset.drop=[hours]", "leaves no feature column"),
        ("hours,grade\n1,a\ninf,b\n", "", "'inf' is infinite.* .1 row, first: row 1"),
    ],
)
def test_tables_that_do_not_serve_are_refused(compose_config, tmp_path, content, extra, message):
    path = tmp_path / "t.csv"
    path.write_text(content)
    overrides = ["dataset=csv", f"dataset.path={path}", "dataset.target=grade", extra]
    with pytest.raises(DataError, match=message):
        load_dataset(compose_config(*filter(None, overrides)).dataset)


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ([1, 2], "holds lists or records"),
        ({"unit": 1}, "holds lists or records"),
        (pd.Timedelta("2 days"), "is a timedelta64; derive a number"),
        (b"yes", "is a bytes; derive a number"),
    ],
)
def test_cells_that_are_no_values_are_refused(compose_config, tmp_path, cell, message):
    path = tmp_path / "t.parquet"
    pd.DataFrame({"odd": [cell] * 4, "grade": list("abab")}).to_parquet(path)
    config = compose_config("dataset=parquet", f"dataset.path={path}", "dataset.target=grade")
    with pytest.raises(DataError, match=f"column 'odd'.*{message}"):
        load_dataset(config.dataset)


def test_decimals_are_numbers(compose_config, tmp_path):
    path = tmp_path / "t.parquet"
    cells = [Decimal("1.50"), None, Decimal("2.25"), Decimal("0")]
    pd.DataFrame({"fee": cells, "grade": list("abab")}).to_parquet(path)
    config = compose_config("dataset=parquet", f"dataset.path={path}", "dataset.target=grade")
    features = load_dataset(config.dataset).features
    np.testing.assert_array_equal(features["fee"], [1.5, np.nan, 2.25, 0])


def test_a_survey_shows_columns_that_a_run_would_refuse(tmp_path, compose_config):
    table = pd.DataFrame({"day": ["2026-01-02"] * 3, "x": ["1", "2", "three"], "y": [1.5, 2, 3]})
    table.to_csv(tmp_path / "t.csv", index=False)
    words = ("dataset.target=''", "dataset.task=classification", "dataset.classes=null")
    config = compose_config("dataset=csv", f"dataset.path={tmp_path / 't.csv'}", *words)
    seen = survey(config.dataset)
    assert list(seen.columns) == ["day", "x", "y"]
    assert set(seen.refused) == {"day", "x"}
    assert seen.columns["x"].tolist() == ["1", "2", "three"]
    assert seen.read_as.separator == ","


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "json"])
def test_accents_are_the_same_however_they_are_stored(tmp_path, compose_config, form, ending):
    def stored(text):
        return unicodedata.normalize(form, text)

    cells = {"año": [1.5, 2.5, 3.5] * 9, "ciudad": ["Cádiz", "Málaga", "León"] * 9}
    table = pd.DataFrame(cells | {"título": ["sí", "no", "no"] * 9})
    table = table.rename(columns=stored).map(lambda c: stored(c) if isinstance(c, str) else c)
    path = tmp_path / f"t.{ending}"
    {"csv": table.to_csv, "parquet": table.to_parquet, "json": table.to_json}[ending](
        path, **({"orient": "records"} if ending == "json" else {"index": False})
    )
    named = unicodedata.normalize("NFD" if form == "NFC" else "NFC", "título")
    words = ["dataset=csv", f"dataset.path={path}", f"dataset.target='{named}'"]
    dataset = load_dataset(compose_config(*words).dataset)
    assert (list(dataset.features), dataset.target_name) == (["año", "ciudad"], "título")
    assert dataset.classes == ("no", "sí")
    assert set(dataset.features["ciudad"]) == {"Cádiz", "Málaga", "León"}


def test_a_point_among_decimal_commas_is_no_word_for_missing(tmp_path, compose_config):
    path = tmp_path / "t.csv"
    rows = [f"{i},{i % 7};{i % 9},5;{'ab'[i % 2]}" for i in range(40)]
    for place, name in ((0, "points"), (1, "score")):
        cells = [row.split(";") for row in rows]
        cells[3][place], cells[9][place] = "6.7", "12.0"
        path.write_text("points;score;grade\n" + "".join(";".join(one) + "\n" for one in cells))
        words = ["dataset=csv", f"dataset.path={path}"]
        with pytest.raises(DataError) as raised:
            load_dataset(compose_config(*words, "dataset.target=grade").dataset)
        assert str(raised.value) == (
            f"column '{name}': '6.7' has a decimal point where the file has decimal commas; write "
            "it as '6,7' in the file (2 rows, first: row 3, line 5)"
        )
        with pytest.raises(DataError, match=r"'6.7'.* \(2 rows\) has a decimal point where"):
            load_dataset(compose_config(*words, f"dataset.target={name}").dataset)


def test_a_word_of_totals_among_numbers_is_no_word_for_missing(tmp_path, compose_config):
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"n,points,grade\n{rows}Total,120,a\n")
    words = ["dataset=csv", f"dataset.path={tmp_path / 't.csv'}", "dataset.target=grade"]
    with pytest.raises(DataError, match="column 'n': 'Total' in the last row sums up the others"):
        load_dataset(compose_config(*words).dataset)
