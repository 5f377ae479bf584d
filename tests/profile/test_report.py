import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.errors import ConfigError, DataError
from student_perf.profile.report import make_report


@pytest.fixture
def dirty(grades):
    """The grades with a date, a mixed column, a copy, and rows without a grade."""
    table = pd.read_csv(grades)
    table["seen"] = pd.date_range("2026-01-01", periods=len(table)).strftime("%Y-%m-%d")
    table["mixed"] = [str(i) if i % 4 else "unknown" for i in range(len(table))]
    table.loc[7:9, "grade"] = None
    table = pd.concat([table, table.iloc[20:30]])
    table.to_csv(grades, index=False)
    return grades


@pytest.mark.slow
def test_what_would_stop_a_run_is_said_and_the_rest_is_looked_at(dirty):
    report = make_report(str(dirty), ["dataset.target=grade"])
    kinds = {one.name: one.kind for one in report.columns}
    assert (kinds["seen"], kinds["mixed"], kinds["hours"]) == ("date", "refused", "number")
    assert [line.split(":")[0] for line in report.problems] == [
        "column 'seen'",
        "column 'mixed'",
        "column 'grade'",
    ]
    assert "3 rows have no target" in report.problems[-1]
    assert report.n_copies == 10
    assert sum(report.target_counts.values()) == 127
    assert report.answers is not None
    assert report.read_as.startswith("separator ','")


def test_without_a_target_the_columns_are_shown(dirty):
    report = make_report(str(dirty))
    assert (report.target, report.answers, report.findings) == ("", None, [])
    assert {one.role for one in report.columns} == {"feature"}
    assert report.n_copies == 10


@pytest.mark.slow
def test_a_dataset_of_conf_takes_overrides_and_no_check_stops_the_look():
    words = ["dataset.drop=[]", "split.n_splits=3"]
    report = make_report("gpa2", [*words, "guards.SP203=error"])
    assert report.findings == []
    (line,) = report.problems
    assert line.startswith("SP203: ")  # it would stop a run
    report = make_report("gpa2", words)
    assert report.problems == []
    assert report.answers is not None
    assert report.answers.n_folds == 3
    assert [finding.code for finding in report.findings] == ["SP203"]
    plain = report.to_dict()
    assert plain["findings"][0]["code"] == "SP203"
    assert plain["columns"][0]["name"] == "sat"
    assert "seen" not in plain


def test_contradictions_leave_a_ceiling(tmp_path):
    table = pd.DataFrame({"a": [1, 1, 2, 3] * 20, "grade": ["x", "y", "x", "y"] * 20})
    table.to_csv(tmp_path / "t.csv", index=False)
    report = make_report(str(tmp_path / "t.csv"), ["dataset.target=grade", "split.test_size=0"])
    assert report.n_contradictory == 40
    assert report.noise_limit == pytest.approx(0.75)
    assert report.n_copies == 77


@pytest.mark.slow
def test_classes_in_two_spellings_are_a_problem(grades):
    text = grades.read_text()
    grades.write_text(text.replace(",high\n", ",HIGH\n", 20))
    report = make_report(str(grades), ["dataset.target=grade"])
    (line,) = report.problems
    assert "'dataset.classes=[HIGH,low,mid]' dataset.ordered=false" in line
    assert report.target_counts["HIGH"] == 20  # the rest is looked at
    assert report.answers is not None
    with pytest.raises(DataError) as raised:  # as a run does
        load_dataset(report.config.dataset)
    assert str(raised.value) == line


@pytest.mark.parametrize(
    ("table", "message"),
    [("nowhere.csv", "no such file"), ("econmat", "did you mean econmath")],
)
def test_a_name_that_is_neither_file_nor_dataset_is_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        make_report(table)


@pytest.mark.slow
def test_a_date_that_is_declared_or_left_out_stops_nothing(dirty):
    words = ["dataset.target=grade", "dataset.drop=[mixed]"]
    in_time = make_report(str(dirty), [*words, "dataset.time=seen", "split=temporal"])
    left_out = make_report(str(dirty), ["dataset.target=grade", "dataset.drop=[mixed,seen]"])
    for report in (in_time, left_out):
        assert [line.split(":")[0] for line in report.problems] == ["column 'grade'"]
        assert report.answers is not None


def test_what_a_finding_says_is_no_note_too(tmp_path):
    rows = [f"{i},{'-' if i == 3 else i % 7},{'' if i == 5 else 'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["n,points,grade", *rows]) + "\n")
    report = make_report(str(tmp_path / "t.csv"), ["dataset.target=grade"])
    said = [one.text for one in report.findings if one.code == "SP206"]
    assert said == ["'points': '-' among numbers is taken as missing (1 row)"]
    assert report.notes == []
    assert "column 'grade': 1 row has no target" in report.problems[0]
    assert make_report(str(tmp_path / "t.csv")).notes == said


def test_a_table_without_rows_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n")
    with pytest.raises(DataError, match=r"t\.csv: has no rows below its header"):
        make_report(str(tmp_path / "t.csv"))
