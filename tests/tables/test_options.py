import pytest

from student_perf.errors import DataError
from student_perf.tables.options import ReadOptions, check_input, one_character, parse_named


def test_what_was_taken_is_said_in_one_line():
    options = ReadOptions("\t", ",", ".", "cp1252", ["s/d"], "Notas")
    assert options.describe() == (
        "separator tab, decimal ',', thousands '.', cp1252, sheet 'Notas', missing words s/d"
    )
    assert ReadOptions().describe() == ""


def test_a_separator_is_one_character_or_its_name():
    assert one_character("tab", "dataset.separator") == "\t"
    assert one_character(None, "dataset.separator") is None
    with pytest.raises(DataError, match=r"dataset\.separator=::: must be one character"):
        one_character("::", "dataset.separator")


def test_what_a_command_names_is_checked():
    named = parse_named(["separator=tab", "decimal=','", "encoding=cp1252", "missing_words=[]"])
    assert named == {"separator": "\t", "decimal": ",", "encoding": "cp1252", "missing_words": []}
    with pytest.raises(DataError, match=r"--read seperator=;: takes KEY=VALUE; did you mean sep"):
        parse_named(["seperator=;"])
    with pytest.raises(DataError, match="must be one character"):
        parse_named(["decimal=::"])


def test_a_file_of_new_rows_has_to_be_there(tmp_path):
    (tmp_path / "rows.csv").touch()
    check_input(tmp_path / "rows.csv")
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        check_input(tmp_path / "none.csv")
