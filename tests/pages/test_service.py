from dataclasses import replace
from pathlib import Path

from student_perf.pages.service import page
from student_perf.serving.request_rows import example_row
from student_perf.store.kept_model import KeptModel
from tests.serving.test_request_rows import CONTRACT


def made(contract):
    kept = KeptModel("<run>", Path(), None, contract, None)
    return page(kept, {"rows": [example_row(contract)]}, 1234, 56)


def test_the_page_names_columns_values_and_limits():
    text = made(CONTRACT)
    assert "Up to 56 rows and 1234 bytes" in text
    assert "<td>coaching<td>categorical<td>NO, WA, OA<td>no" in text
    assert "<td>age<td>numeric<td>15 to 22<td>no" in text
    assert (
        "<td>hours a week<td>numeric<td>0 to 20.5 in training; others are taken too<td>yes" in text
    )
    assert "one of low, high" in text
    assert "&quot;hours a week&quot;: 10.25" in text


def test_names_from_data_are_text_and_no_markup():
    text = made(replace(CONTRACT, target="<script>", classes=[]))
    assert "<script>" not in text
    assert "Model &lt;run&gt;. The answer for a row is a number." in text
