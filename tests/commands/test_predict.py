import pandas as pd
import pytest

from student_perf import cli
from student_perf.runs.record import load_record


@pytest.mark.parametrize(("choice", "code"), [("refuse", 4), ("flag", 0)])
def test_the_exit_code_tells_whether_rows_were_refused(
    kept_run,
    grades,
    tmp_path,
    capsys,
    choice,
    code,
):
    table = pd.read_csv(grades)
    table.loc[[3, 7], "school"] = "east"
    table.to_csv(tmp_path / "in.csv", index=False)
    out = tmp_path / "out.csv"
    arguments = ["predict", str(kept_run), str(tmp_path / "in.csv"), str(out)]
    assert cli.main([*arguments, "--on-unknown", choice]) == code
    model, words = capsys.readouterr().out.splitlines()
    assert model == f"model {load_record(kept_run).name}, {kept_run}"
    assert words.startswith("120 rows, ")
    assert "(unknown category 2)" in words
    assert pd.read_csv(out)["prediction"].isna().sum() == (2 if code else 0)


def test_no_model_is_one_line(grades, tmp_path, capsys):
    assert cli.main(["predict", "nothing", str(grades), str(tmp_path / "out.csv")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing: no such run" in line


def test_a_file_of_another_program_is_read_as_it_shows_and_said(kept_run, grades, tmp_path, capsys):
    table = pd.read_csv(grades)
    table.to_csv(tmp_path / "in.csv", index=False, sep=";", decimal=",", encoding="utf-16")
    out, expected = tmp_path / "out.csv", tmp_path / "expected.csv"
    assert cli.main(["predict", str(kept_run), str(grades), str(expected)]) == 0
    assert "read as" not in capsys.readouterr().out
    assert cli.main(["predict", str(kept_run), str(tmp_path / "in.csv"), str(out)]) == 0
    _, read, written, _ = capsys.readouterr().out.splitlines()
    assert read == "read as separator ';', decimal ',', utf-16"
    assert written == "written as separator ';', decimal ',', utf-8-sig"
    words = {"sep": ";", "decimal": ",", "encoding": "utf-8-sig"}
    found, expected = pd.read_csv(out, **words), pd.read_csv(expected)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


def test_copied_numbers_with_a_decimal_comma_are_no_formulas(kept_run, grades, tmp_path, capsys):
    table = pd.read_csv(grades).assign(change=-1.5, note="-a")
    table.to_csv(tmp_path / "in.csv", index=False, sep=";", decimal=",")
    words = ["predict", str(kept_run), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert cli.main([*words, "--keep", "change,note"]) == 0
    line = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1]
    assert line.startswith("0;-1,5;'-a;")


def test_numbers_far_outside_of_the_training_are_said_and_predicted(
    kept_run, grades, tmp_path, capsys
):
    table = pd.read_csv(grades)
    table["hours"] *= 1000
    table.loc[4, "hours"] = 5e6
    table.to_csv(tmp_path / "in.csv", index=False)
    words = ["predict", str(kept_run), str(tmp_path / "in.csv"), str(tmp_path / "out.csv")]
    assert cli.main(words) == 0
    _, counts, line = capsys.readouterr().out.splitlines()
    assert counts.startswith("120 rows, 120 predicted, 0 refused")
    assert line.startswith("hours: 1")
    assert "of 120 rows are outside " in line
    assert line.endswith("of the training (farthest: 5e+06, row 4, line 6 of the file)")


def test_a_wrong_word_of_how_to_read_is_one_line(kept_run, grades, tmp_path, capsys):
    words = ["predict", str(kept_run), str(grades), str(tmp_path / "out.csv")]
    assert cli.main([*words, "--read", "seperator=tab"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "--read seperator=tab: takes KEY=VALUE; did you mean separator?" in line


def test_named_columns_go_into_the_output(kept_run, grades, tmp_path, capsys):
    table = pd.read_csv(grades)
    table.insert(0, "id", [f"00{i}" for i in range(len(table))])
    table.loc[3, "id"] = "=1+1"
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    table.to_csv(source, index=False)
    words = ["predict", str(kept_run), str(source), str(out)]
    assert cli.main([*words, "--keep", "id,school"]) == 0
    found = pd.read_csv(out, dtype=str)
    assert list(found.columns[:4]) == ["row", "id", "school", "prediction"]
    assert found["id"][0] == "000"
    assert found["id"][3] == "'=1+1"  # no formula to a spreadsheet
    assert found["school"].tolist() == table["school"].tolist()
    out.unlink()
    for name, why in (("matricula", "has no such column"), ("reason", "has a column of that name")):
        capsys.readouterr()
        assert cli.main([*words, "--keep", name]) == 1
        assert why in capsys.readouterr().err
        assert not out.exists()
