import pyarrow as pa
import pytest

from student_perf.tables.numbers import parse_numbers, typed_column
from student_perf.tables.options import PLAIN, ReadOptions

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
    column, _ = typed_column(pa.array(cells, pa.string()), options)
    assert column.to_pylist() == expected


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
    column, _ = typed_column(pa.array(cells, pa.string()), options)
    assert column.to_pylist() == cells


def test_what_was_decided_is_said():
    _, codes = typed_column(pa.array(["01", "02"]), PLAIN)
    _, words = typed_column(pa.array(["1", "-", "-"]), PLAIN)
    assert codes == "kept as text, since numbers with leading zeros are codes"
    assert words == "'-' among numbers is taken as missing (2 rows)"


def test_new_rows_are_read_as_the_training_file():
    import pandas as pd

    numbers = parse_numbers(pd.Series(["1.000,5", "3", "x", None]), SPANISH)
    assert numbers.tolist()[:2] == [1000.5, 3]
    assert numbers.isna().tolist() == [False, False, True, True]
