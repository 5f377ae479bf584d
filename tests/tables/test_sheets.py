import builtins

import pytest

from student_perf.tables.options import ReadOptions
from student_perf.tables.sheets import choose_sheet, read_sheet


def test_without_the_extra_the_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"pip install 'student-perf\[sheets\]'"):
        choose_sheet(b"PK", None)


class Sheet:
    def __init__(self, rows):
        self.rows, self.height = rows, len(rows)

    def to_python(self):
        return self.rows


class Book:
    def __init__(self, **sheets):
        self.sheets, self.sheet_names = sheets, list(sheets)

    def get_sheet_by_name(self, name):
        return Sheet(self.sheets[name])


@pytest.fixture
def book(monkeypatch):
    rows = [["", "", ""], ["", "nota", "grupo"], [0.0, 7.5, "A"], [1.0, "", 2.0]]
    made = Book(Notas=rows, Otra=[["x"]], Vacia=[])
    monkeypatch.setattr("student_perf.tables.sheets._book", lambda source: made)
    return made


def test_a_sheet_is_a_table(book):
    table, notes = read_sheet(b"", ReadOptions(sheet="Notas"))
    assert list(table) == ["nota", "grupo"]
    assert table["nota"].iloc[0] == 7.5
    assert table["nota"].isna().tolist() == [False, True]
    assert table["grupo"].tolist() == ["A", "2"]
    assert notes == ["the first column only counts the rows: left out"]


def test_several_sheets_are_asked_about_by_name(book):
    with pytest.raises(ValueError, match=r"Notas, Otra; name one: \"dataset\.sheet='Notas'\""):
        choose_sheet(b"", None)
    with pytest.raises(ValueError, match="no such sheet; did you mean Notas"):
        choose_sheet(b"", "Nota")
