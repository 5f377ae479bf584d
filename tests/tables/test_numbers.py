import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from student_perf.tables.numbers import (
    NumberForm,
    about_other_decimal,
    parse_numbers,
    read_cells,
    typed_column,
)
from student_perf.tables.options import PLAIN, ReadOptions
from student_perf.tables.text import null_words

SPANISH = ReadOptions(decimal=",", thousands=".")


@pytest.mark.parametrize(
    ("cells", "options", "expected"),
    [
        (["1,46", "-2", None], SPANISH, [1.46, -2, None]),
        (["1.234,5", "12"], SPANISH, [1234.5, 12]),
        (["59,5%", "60 %"], SPANISH, [59.5, 60]),
        (["50%", "7%"], PLAIN, [50, 7]),
        (["1", "-", "NA", "3"], PLAIN, [1, None, None, 3]),
        ([" 1.5", "2e3"], PLAIN, [1.5, 2000]),
    ],
)
def test_columns_of_numbers_are_numbers(cells, options, expected):
    column = typed_column(pa.array(cells, pa.string()), options)
    assert column.cells.to_pylist() == expected
    assert column.is_percent == ("%" in str(cells[0]))


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (["007", "012"], PLAIN),
        (["1", "two"], PLAIN),
        (["50%", "7"], PLAIN),
        (["12.3.4,5", "1"], SPANISH),
        (["1", "-"], ReadOptions(missing_words=[])),
    ],
)
def test_anything_else_stays_text(cells, options):
    assert typed_column(pa.array(cells, pa.string()), options).cells.to_pylist() == cells


@pytest.mark.parametrize("blank", [" ", "\t", "  nan "])
def test_a_cell_of_blanks_is_missing_among_numbers(blank):
    column = typed_column(pa.array(["29.85", blank, "108"]), PLAIN)
    assert column.cells.to_pylist() == [29.85, None, 108.0]
    new = read_cells(pd.Series(["29.85", blank]), PLAIN, NumberForm())
    assert new.isna().tolist() == [False, True]
    german = ReadOptions(decimal=",", missing_words=["k.A."])
    declared = typed_column(pa.array(["1,5", " k.a. ", blank]), german)
    assert declared.cells.to_pylist() == [1.5, None, None]
    assert typed_column(pa.array([blank, blank]), PLAIN).cells.null_count == 2


def test_what_was_decided_is_said():
    codes = typed_column(pa.array(["01", "02"]), PLAIN)
    words = typed_column(pa.array(["1", "-", "-"]), PLAIN)
    assert codes.notes == ("kept as text, since numbers with leading zeros are codes",)
    assert words.notes == ("'-' among numbers is taken as missing (2 rows)",)


def test_new_rows_are_read_as_the_training_file():
    numbers = parse_numbers(pd.Series(["1.000,5", "3", "x", None]), SPANISH)
    assert numbers.tolist()[:2] == [1000.5, 3]
    assert numbers.isna().tolist() == [False, False, True, True]


@pytest.mark.parametrize("cells", [["+1", "2"], ["5.", "2.5"], ["1E3", "-.5"]])
def test_whatever_training_takes_for_a_number_new_rows_take_too(cells):
    trained = typed_column(pa.array(cells), PLAIN).cells.to_pylist()
    assert all(isinstance(number, (int, float)) for number in trained)
    new = read_cells(pd.Series([*cells, "x"], dtype="str"), PLAIN, NumberForm())
    assert new.tolist() == [*trained, "x"]


def test_hexadecimal_and_infinite_cells_are_no_numbers():
    cells = ["1"] * 1200 + ["0x1A"]
    assert typed_column(pa.array(cells), PLAIN).cells.to_pylist() == cells
    assert parse_numbers(pd.Series(["0x1A", "inf", "1e999"]), PLAIN).isna().all()


def test_numbers_are_the_same_to_the_last_bit():
    cells = [repr(0.1 * i) for i in range(1, 2000)]
    trained = typed_column(pa.array(cells), PLAIN).cells.to_pylist()
    broken = pd.Series([*cells, "x"], dtype="str")
    assert parse_numbers(broken, PLAIN).tolist()[:-1] == trained


def test_labels_longer_than_a_number_holds_stay_exact():
    cells = pd.Series(["1152921504606846977", "7"], dtype="str")
    assert read_cells(cells, PLAIN, NumberForm()).tolist() == ["1152921504606846977", 7.0]


def test_words_beside_default_are_missing_among_numbers_too():
    texts = pa.array(["1", "NP", "-", "2"])
    options = ReadOptions(missing_words=["default", "NP"])
    read = read_cells(pd.Series(["1", "np", "-", "default"], dtype="str"), options, NumberForm())
    assert read.tolist()[0] == 1.0
    assert read.isna().tolist() == [False, True, True, False]
    empty = pc.is_in(texts, pa.array(null_words(options)))
    typed = typed_column(pc.if_else(empty, pa.scalar(None, pa.string()), texts), options)
    assert typed.cells.to_pylist() == [1, None, None, 2]
    assert typed.notes == ("'-' among numbers is taken as missing (1 row)",)


def test_a_sign_between_three_digits_may_be_either():
    assert about_other_decimal("1,234", PLAIN) == (
        "is a number of thousands or has a decimal comma where the file has decimal points; write "
        "it as '1234' or '1.234' in the file"
    )
