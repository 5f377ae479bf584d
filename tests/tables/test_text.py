import pandas as pd
import pytest

from student_perf.errors import DataError
from student_perf.tables.files import read_column, read_file
from student_perf.tables.options import PLAIN, ReadOptions
from student_perf.tables.sniff import OptionError
from student_perf.tables.text import iter_text, n_blank_rows, read_text


def read(text, **options):
    raw = read_text(text.encode(), ReadOptions(**({"separator": ","} | options)))
    return raw.table, list(raw.notes)


def test_an_index_column_is_left_out_and_said():
    table, notes = read(",x,y\n0,1.5,a\n1,2.5,b\n")
    assert list(table) == ["x", "y"]
    assert notes == ["the first column only counts the rows: left out"]


def test_unnamed_and_repeated_columns_get_names_that_can_be_typed():
    table, notes = read(",x,x\nu,1,2\nv,3,4\n")
    assert list(table) == ["column_1", "x", "x_2"]
    assert notes == [
        "column 1 has no name: called column_1",
        "'x' occurs twice: column 3 is called x_2",
    ]


def test_a_trailing_separator_is_no_column():
    both, _ = read("a;b;\n1;x;\n2;y;\n", separator=";")
    rows_only, _ = read("a;b\n1;x;\n2;y;\n", separator=";")
    for table in (both, rows_only):
        assert list(table) == ["a", "b"]
        assert table["a"].tolist() == [1, 2]


def test_other_encodings_quoted_newlines_and_tabs_in_names():
    data = 'año\t;"b"\r\n1,5;"x\ny"\r\n'.encode("cp1252")
    table = read_text(data, ReadOptions(separator=";", decimal=",", encoding="cp1252")).table
    assert table.to_dict("list") == {"año": [1.5], "b": ["x\ny"]}


def test_parts_hold_the_same_rows_as_text():
    data = "a;b\n1,5;NA\n2,5;\n3,5;z\n".encode("utf-16")
    options = ReadOptions(separator=";", decimal=",", encoding="utf-16")
    parts = pd.concat(iter_text(data, options, 2), ignore_index=True)
    assert parts["a"].tolist() == ["1,5", "2,5", "3,5"]
    assert parts["b"].isna().tolist() == [False, True, False]


def test_one_column_is_read_alone():
    raw = read_text(b"a,b\n1,2\n", PLAIN, only="b")
    assert list(raw.table) == ["b"]


def test_a_line_that_names_the_separator_is_no_header(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes(b"sep=;\r\ngrupo;nota\r\nA;7,5\r\nB;8\r\n")
    raw = read_file(path)
    assert raw.table.to_dict("list") == {"grupo": ["A", "B"], "nota": [7.5, 8.0]}


@pytest.mark.parametrize("above", ["\n", "\r\n\r\n", ";;\n", '  \n"";;\n', "sep=;\n\n"])
def test_empty_lines_above_the_header_are_no_header(tmp_path, above):
    path = tmp_path / "export.csv"
    path.write_bytes(f"{above}a;b;c\n1,5;x;2\n2,5;y;3\n".encode())
    raw = read_file(path)
    assert list(raw.table) == ["a", "b", "c"]
    assert raw.table["a"].tolist() == [1.5, 2.5]
    (part,) = iter_text(path, raw.options, 10)
    assert part["c"].tolist() == ["2", "3"]


@pytest.mark.parametrize("end", [";;\r\n", ";;\n" * 3, ";;"])
def test_rows_of_empty_cells_at_the_end_are_no_rows(end):
    data = f"a;b;c\n1,5;x;2\n;;\n2,5;y;3\n{end}".encode()
    options = ReadOptions(separator=";", decimal=",", encoding="utf-8")
    raw = read_text(data, options)
    assert raw.table["c"].dropna().tolist() == [2, 3]
    assert len(raw.table) == 3  # one among the rows stays, so that rows keep their numbers
    n = end.count(";;")
    assert raw.notes == (f"{n} {'row' if n == 1 else 'rows'} of empty cells at the end: left out",)
    for n_rows in (1, 2, 10):
        parts = pd.concat(iter_text(data, options, n_rows), ignore_index=True)
        assert parts["b"].fillna("").tolist() == ["x", "", "y"]


def test_the_last_row_of_a_single_column_may_be_missing():
    assert len(read("a\n1\nNA\n")[0]) == 2


def test_empty_rows_that_begin_a_part_are_kept_until_another_row_comes(monkeypatch):
    monkeypatch.setattr("student_perf.tables.text.BLOCK", 8)
    data = b"a,b\n1,2\n" + b",\n" * 20 + b"3,4\n" + b",\n" * 20
    parts = pd.concat(iter_text(data, PLAIN, 3), ignore_index=True)
    assert len(parts) == 22
    assert parts["b"].iloc[-1] == "4"


def test_a_title_above_the_header_is_named_as_the_reason(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("Marks of 2025;;;\nid;group;hours;mark\n1;a;3;7,5\n2;b;4;8,25\n")
    with pytest.raises(DataError, match=r"no such column .* if that is a title, take it out"):
        read_column(path, ReadOptions(separator=";"), "mark")


def test_a_cell_beyond_the_header_is_never_lost(tmp_path):
    path = tmp_path / "late.csv"
    rows = "1;2;\n" * 3000
    path.write_text(f"a;b\n{rows}")
    assert list(read_file(path).table) == ["a", "b"]
    path.write_text(f"a;b\n{rows}5;6;IMPORTANT\n")
    with pytest.raises(DataError, match="line 3002 has 3 cells and the header 2: '5;6;IMP"):
        read_file(path)


@pytest.mark.parametrize("text", ['a,b\n1,"2\n3,4\n', 'a,b\n1,2\n3,"4\n5,6\n'])
def test_a_quote_that_is_never_closed_swallows_no_rows(text):
    with pytest.raises(ValueError, match="a quote is never closed, before"):
        read(text)
    with pytest.raises(ValueError, match="a quote is never closed, before"):
        list(iter_text(text.encode(), PLAIN, 10))


def test_a_lone_quote_within_a_cell_and_a_last_cell_of_two_lines_are_read():
    assert read('a,b\n1,2"\n3,4\n')[0]["b"].tolist() == ['2"', "4"]
    assert read('a,b\n1,"x\ny"\n')[0]["b"].tolist() == ["x\ny"]
    assert read('a,b\n1,"x\ny"')[0]["b"].tolist() == ["x\ny"]


def test_a_header_alone_has_no_rows_with_or_without_a_line_end():
    for text in ("a,b", "a,b\n"):
        assert read(text)[0].shape == (0, 2)
        assert list(iter_text(text.encode(), PLAIN, 10)) == []


def test_line_ends_of_old_macs_are_line_ends():
    assert read("a,b\r1,x\r2,y\r")[0].to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize("end", ["NaN,null\n", 's/d,S/D\n"",\n'])
def test_cells_with_a_word_for_a_missing_value_are_rows(end):
    options = ReadOptions(separator=",", encoding="utf-8", missing_words=["s/d"])
    data = f"a,b\n1,2\n{end}".encode()
    n = 1 + end.count("\n")
    assert len(read_text(data, options).table) == n
    assert sum(map(len, iter_text(data, options, 2))) == n


def test_a_file_of_empty_rows_is_refused_and_a_long_empty_end_is_counted():
    for reading in (
        lambda: read_text(b"a,b\n,\n,\n", PLAIN),
        lambda: list(iter_text(b"a,b\n,\n,\n", PLAIN, 9)),
    ):
        with pytest.raises(ValueError, match="all of its 2 rows are empty"):
            reading()
    assert n_blank_rows(b"a,b\n1,2\n" + b",\n" * 30_000 + b"\n", PLAIN) == 30_000
    assert n_blank_rows(b"a\n1\n\n", PLAIN) == 0


def test_a_column_that_is_needed_once_may_not_occur_twice():
    data, options = b"x;y;x\n1;2;3\n", ReadOptions(separator=";")
    with pytest.raises(OptionError, match="the model needs the column 'x', which occurs twice"):
        list(iter_text(data, options, 5, {"x", "y"}))
    for once in ({"y"}, {"x", "x_2"}):  # not needed, or read so in training
        (table,) = iter_text(data, options, 5, once)
        assert list(table) == ["x", "y", "x_2"]
