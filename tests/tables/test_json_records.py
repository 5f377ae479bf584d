import pytest

from student_perf.tables.json_records import json_cells, read_json
from student_perf.tables.options import PLAIN, ReadOptions

LINES = '{"at": "2024-01-03", "n": 7.125, "k": 1}\n{"at": "NaN", "n": null, "k": 2}\n'
LIST = '[{"at": "2024-01-03", "n": 7.125, "k": 1}, {"k": 2}]'


@pytest.mark.parametrize("text", [LINES, LIST])
def test_records_are_rows_and_types_are_kept(text):
    table = read_json(text, PLAIN).table
    assert list(table) == ["at", "n", "k"]
    assert table["n"].iloc[0] == 7.125
    assert table["n"].isna().tolist() == [False, True]
    assert table["k"].tolist() == [1, 2]
    assert table["at"].isna().tolist() == [False, True]
    assert table["at"].iloc[0] == "2024-01-03"


def test_a_number_among_text_keeps_its_value_beside_decimal_commas():
    options = ReadOptions(decimal=",", thousands=".")
    table = read_json('[{"n": 7.125}, {"n": "1.000,5"}]', options).table
    assert table["n"].tolist() == [7.125, 1000.5]


def test_cells_of_new_rows_stay_numbers_and_text():
    cells = json_cells('[{"n": 7.125, "s": true}, {"n": "8", "s": 1}]', PLAIN)
    assert cells["n"].tolist() == [7.125, "8"]
    assert cells["s"].tolist() == ["True", 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1, 2]}', "column 'a' holds lists or records"),
        ("[1, 2]", "JSON is read as records"),
        ("[]", "JSON is read as records"),
        ('{"a": 1,\n', "is not JSON"),
    ],
)
def test_other_json_is_no_table(text, message):
    with pytest.raises(ValueError, match=message):
        read_json(text, PLAIN)
