import pytest

from student_perf.tables.options import ReadOptions
from student_perf.tables.sniff import (
    OptionError,
    complete_options,
    fitting_encoding,
    n_empty_lines,
)

# text, encoding, what is taken
SURE = [
    ("año;x\n1,5;2\n2,7;3\n", "cp1252", "separator ';', decimal ',', cp1252"),
    ("año;x\n1,5;2\n2,7;3\n", "utf-8-sig", "separator ';', decimal ',', utf-8-sig"),
    ("año\tx\n1.5\t2\n", "utf-16", "separator tab, decimal '.', utf-16"),
    ("a|b\r\n1|2\r\n", "utf-16-le", "separator '|', decimal '.', utf-16-le"),
    ('a,b\n"1,46",2\n', "utf-8", "separator ',', decimal ',', utf-8"),
    ('a,b\n"1,234",2.5\n', "utf-8", "separator ',', decimal '.', thousands ',', utf-8"),
    ("a;b\n1.234,5;2\n3,1;7\n", "utf-8", "separator ';', decimal ',', thousands '.', utf-8"),
    ("a;b\n1 234,5;2\n3,1;7\n", "utf-8", "separator ';', decimal ',', thousands blank, utf-8"),
    ("a;b;\n59,5%;x;\n60%;y;\n", "utf-8", "separator ';', decimal ',', utf-8"),
    ('a,b\n"x;y\nz",2\n"z",3\n', "utf-8", "separator ',', decimal '.', utf-8"),
    ("a,b\n1.234,x\n", "utf-8", "separator ',', decimal '.', utf-8"),
    ("a;b\n0,152;x\n0,967;y\n", "utf-8", "separator ';', decimal ',', utf-8"),
    ("a;b\n7,5;x\nNP;y\n8,25;z\n", "utf-8", "separator ';', decimal ',', utf-8"),
    ("a;b\n1,5;é", "cp1252", "separator ';', decimal ',', cp1252"),
    ("sep=;\r\na;b\r\n1,5;x\r\n", "utf-8", "separator ';', decimal ',', utf-8"),
]


@pytest.mark.parametrize(("text", "encoding", "expected"), SURE)
def test_a_file_shows_how_it_is_written(text, encoding, expected):
    assert complete_options(text.encode(encoding), ReadOptions()).describe() == expected


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ('a,b\n"1,234",x\n', "utf-8", r"\"dataset\.decimal=','\" or \"dataset\.thousands=','\""),
        ("a;b\n1.234;x\n", "utf-8", r"\"dataset\.decimal='\.'\" or"),
        ("a;b\n1,5;2.5\n", "utf-8", r"it holds '1,5' and '2\.5'"),
        ("a;b\n1,3;0.967\n8,0;0.164\n", "utf-8", r"it holds '1,3' and '0\.164'"),
        ("\u0436;b\n\u0434\u0438\u0436;2\n", "cp1251", r"dataset\.encoding=cp850"),
        ("año;b\n1;ó\n", "cp850", r"dataset\.encoding=cp850"),
    ],
)
def test_two_readings_are_refused_with_the_line_to_type(text, encoding, message):
    with pytest.raises(OptionError, match=message):
        complete_options(text.encode(encoding), ReadOptions())


def test_what_is_named_is_not_guessed():
    given = ReadOptions(separator=";", decimal=",", thousands=".", encoding="cp1251")
    taken = complete_options("ж;b\n1.234;ж\n".encode("cp1251"), given)
    assert taken.describe() == "separator ';', decimal ',', thousands '.', cp1251"
    with pytest.raises(ValueError, match="no such encoding"):
        complete_options(b"a,b\n1,2\n", ReadOptions(encoding="latin-99"))


def test_beside_a_named_decimal_sign_thousands_are_found():
    given = ReadOptions(decimal=",")
    taken = complete_options(b"a;b\n1,250;1.234\n2,500;5.678\n", given)
    assert (taken.decimal, taken.thousands) == (",", ".")


ROWS = "".join(f"{i};{i % 7}\n" for i in range(5000))


@pytest.mark.parametrize(
    ("last", "expected"),
    [("1,5;3\n2,25;4\n", ","), ("1.5;3\n", "."), ("", ".")],
)
def test_a_decimal_sign_that_comes_late_is_found(last, expected):
    assert complete_options(f"a;b\n{ROWS}{last}".encode(), ReadOptions()).decimal == expected


def test_a_late_cell_with_two_readings_is_asked_about():
    with pytest.raises(OptionError, match=r"'1\.234' is a fraction or a number of thousands"):
        complete_options(f"a;b\n{ROWS}1.234;3\n".encode(), ReadOptions())


def test_line_ends_of_old_macs_are_line_ends():
    taken = complete_options(b"a;b\r1,5;2\r2,5;3\r", ReadOptions())
    assert taken.describe() == "separator ';', decimal ',', utf-8"


def test_an_expected_encoding_counts_unless_the_file_has_another_one():
    assert fitting_encoding("ćž".encode("cp1250"), "cp1250") == "cp1250"
    assert fitting_encoding("año".encode(), "cp1252") == "utf-8"
    assert fitting_encoding("año".encode("cp1252"), "utf-8") == "cp1252"
    assert fitting_encoding("año".encode("utf-16"), "utf-8") == "utf-16"


@pytest.mark.parametrize(
    ("above", "n"),
    [("", 0), ("\n,,\n", 2), ("\u00a0,,\n", 1), ("\x0c\n", 1), ('"\n",,\n', 2), ("sep=,\n", 0)],
)
def test_lines_above_the_header_are_empty_as_rows_are(above, n):
    assert n_empty_lines(f"{above}a,b,c\n1,2,3\n", ",") == n


def test_a_name_with_a_line_break_is_no_empty_line():
    assert n_empty_lines('"\nhours",b\n1,2\n', ",") == 0
