import builtins
import zipfile

import pytest

from student_perf.errors import DataError
from student_perf.tables.files import first_line, iter_tables, read_file
from student_perf.tables.options import ReadOptions
from student_perf.tables.sheets import choose_sheet, read_sheet


def test_without_the_extra_the_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "python_calamine":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"run: .* -m pip install .*python-calamine.*, or save"):
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
    raw = read_sheet(b"", ReadOptions(sheet="Notas"))
    table = raw.table
    assert list(table) == ["nota", "grupo"]
    assert table["nota"].iloc[0] == 7.5
    assert table["nota"].isna().tolist() == [False, True]
    assert table["grupo"].tolist() == ["A", "2"]
    assert raw.notes == ("the first column only counts the rows: left out",)


def test_several_sheets_are_asked_about_by_name(book):
    with pytest.raises(ValueError, match=r"Notas, Otra; name one: \"dataset\.sheet='Notas'\""):
        choose_sheet(b"", None)
    with pytest.raises(ValueError, match="no such sheet; did you mean Notas"):
        choose_sheet(b"", "Nota")


def write_xlsx(path, **sheets):
    """A workbook of rows of texts and numbers, with what a reader needs and no more."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    books, relations = "", ""
    with zipfile.ZipFile(path, "w") as file:
        for number, (name, rows) in enumerate(sheets.items(), 1):
            target = f"worksheets/sheet{number}.xml"
            lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            content = f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData></worksheet>'
            file.writestr(f"xl/{target}", content)
            books += f'<sheet name="{name}" sheetId="{number}" r:id="r{number}"/>'
            relations += (
                f'<Relationship Id="r{number}" Type="{office}/worksheet" Target="{target}"/>'
            )
        workbook = (
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{books}</sheets></workbook>'
        )
        file.writestr("[Content_Types].xml", "<Types/>")
        book = f'<Relationship Id="b" Type="{office}/officeDocument" Target="xl/workbook.xml"/>'
        file.writestr("_rels/.rels", f'<Relationships xmlns="{package}">{book}</Relationships>')
        file.writestr("xl/workbook.xml", workbook)
        file.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{package}">{relations}</Relationships>',
        )


def cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


NOTES = [["grupo", "nota"], ["A", 7.5], ["B", 4]]


def test_a_real_workbook_is_read_by_its_only_sheet_or_the_one_that_is_named(tmp_path):
    write_xlsx(tmp_path / "one.xlsx", Notas=NOTES)
    raw = read_file(tmp_path / "one.xlsx")
    assert raw.table.to_dict("list") == {"grupo": ["A", "B"], "nota": [7.5, 4.0]}
    assert raw.options.describe() == "sheet 'Notas'"
    write_xlsx(tmp_path / "two.xlsx", Notas=NOTES, Otra=[["x"], [1], [2]])
    with pytest.raises(DataError, match="several sheets: Notas, Otra; name one"):
        read_file(tmp_path / "two.xlsx")
    other = read_file(tmp_path / "two.xlsx", ReadOptions(sheet="Otra")).table
    assert other["x"].tolist() == [1, 2]


def test_a_column_that_is_needed_once_may_not_occur_twice(tmp_path):
    write_xlsx(tmp_path / "in.xlsx", Notas=[["a", "b", "a"], [1, 2, 3]])
    with pytest.raises(DataError, match=r"in.xlsx: .* column 'a', which occurs twice"):
        list(iter_tables(tmp_path / "in.xlsx", ReadOptions(), 10, {"a"}))
    (table,) = iter_tables(tmp_path / "in.xlsx", ReadOptions(), 10, {"b"})
    assert list(table) == ["a", "b", "a_2"]


def test_rows_of_a_sheet_are_numbered_as_it_shows_them(tmp_path):
    write_xlsx(tmp_path / "in.xlsx", Notas=NOTES)
    assert first_line(tmp_path / "in.xlsx", ReadOptions(), 2) == 2
    write_xlsx(tmp_path / "in.xlsx", Notas=[NOTES[0], ["", ""], *NOTES[1:]])
    assert first_line(tmp_path / "in.xlsx", ReadOptions(), 2) is None
