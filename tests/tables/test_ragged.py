import pytest

from student_perf.errors import DataError
from student_perf.tables.files import iter_tables, read_file
from student_perf.tables.options import ReadOptions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;b\n1;2\n\n3\n", "line 4 has 1 cell and the header 2: '3'; write the cells"),
        ("sep=;\na;b\n1;2\n3;4;5\n", "line 4 has 3 cells and the header 2: '3;4;5'; take off"),
        ("\na;b\n1;2\n3;4;\n", "line 4 has 3 cells and the header 2"),
        ('a;b\n1;"x\ny"\n3;"4\n5;6\n', "the row from line 4 to 5 has 1 cell|never closed"),
        (f"a;b\n1;{'x' * 99};\n3;4\n", "'1;x{58}...'"),
    ],
)
def test_the_line_of_a_ragged_row_is_named(tmp_path, text, message):
    path = tmp_path / "x.csv"
    path.write_text(text)
    for read in (read_file, lambda path, options: list(iter_tables(path, options, 10))):
        with pytest.raises(DataError, match=message):
            read(path, ReadOptions(separator=";"))


def test_a_row_far_down_is_found_in_its_encoding(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("año,b\n" + "ñ,2\n" * 300_000 + "ñandú\n", encoding="cp1252")
    with pytest.raises(DataError, match="line 300002 has 1 cell and the header 2: 'ñandú'"):
        read_file(path)
