import math
import unicodedata

import pytest

from student_perf.text import (
    column_name,
    duration,
    format_change,
    format_interval,
    format_number,
    format_probability,
    format_short,
    in_nfc,
    markdown_cell,
    markdown_code,
    markdown_table,
    plural,
    short_value,
    spreadsheet_cell,
    visible,
)


def test_numbers_are_readable():
    shown = [format_number(v) for v in (0.12345, 12.3456, 1234.56, 12345.678, None, math.nan)]
    assert shown == ["0.123", "12.346", "1,234.6", "12,346", "-", "-"]
    assert [format_number(v) for v in (999999.0, -8.39483e8)] == ["999,999", "-8.395e+08"]


def test_changes_have_a_sign_and_zero_is_never_negative():
    shown = [format_change(v) for v in (0.05, -0.05, -0.0001, 1234.5, math.nan)]
    assert shown == ["+0.050", "-0.050", "+0.000", "+1,234", "-"]


def test_probabilities_and_seconds_are_short():
    assert [format_probability(v) for v in (0.0312, 1.0, math.nan)] == ["0.03", "1.00", "-"]
    assert [format_short(v) for v in (0.0631, 12.4, 6e-41, None)] == ["0.063", "12", "6e-41", "-"]


def test_an_interval_is_written_in_one_way():
    assert format_interval(0.1, 0.2) == "0.100 to 0.200"
    assert format_interval(-0.1, 0.2, format_change) == "-0.100 to +0.200"
    assert format_interval(math.nan, None) == "-"
    assert format_interval(math.nan, 1) == "- to 1.000"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_values_are_shown_short():
    values = (0.123456, "0.123456", "1e-05", 300, "rf", "a.b", None, True, math.inf)
    shown = ["0.1235", "0.1235", "1e-05", "300", "rf", "a.b", "None", "True", "inf"]
    assert [short_value(value) for value in values] == shown


def test_one_is_singular():
    assert [plural(n, "fold") for n in (0, 1, 5)] == ["0 folds", "1 fold", "5 folds"]


def test_text_of_data_is_neither_table_nor_html_nor_link():
    assert markdown_cell("a|b\n<img> ![x](y)") == "a\\|b &lt;img> !\\[x](y)"
    assert markdown_code("a`b\n<c>") == "`a'b <c>`"


def test_a_table_aligns_figures_right():
    assert markdown_table(["run", "n"], [["a|b", 3]], figures=["n"]).splitlines() == [
        "| run | n |",
        "| --- | ---: |",
        "| a\\|b | 3 |",
    ]


@pytest.mark.parametrize("cell", ["=1+1", "+x", "-x", "@x", "\t=1", "\r=1", "-1+1", "- 1"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell):
    assert spreadsheet_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-1", "+1.5e3", "-inf", -1, None, "", "a=b", "'=1", " =1"])
def test_numbers_and_ordinary_text_stay(cell):
    assert spreadsheet_cell(cell) == cell


def test_marks_of_direction_and_control_characters_are_written_out_but_not_whitespace():
    turned = "".join(map(chr, (0x202E, 0x2066, 0x200F, 0x1B, 0, 0x7F)))
    assert visible(turned) == r"\u202e\u2066\u200f\u001b\u0000\u007f"
    assert visible("a\tb\nc\u00e9") == "a\tb\nc\u00e9"
    assert markdown_cell(turned[:1]) == r"\u202e"


def test_texts_in_lists_and_mappings_get_one_form():
    apart = unicodedata.normalize("NFD", "añó")
    assert in_nfc({apart: [apart, 3, None]}) == {"añó": ["añó", 3, None]}
    assert column_name(f" {apart} ") == "añó"
