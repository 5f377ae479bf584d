from dataclasses import replace
from pathlib import Path

from student_perf.pages.service import page
from student_perf.serving.request_rows import example_row
from student_perf.store.kept_model import KeptModel
from tests.pages.page_reader import Reader
from tests.serving.test_request_rows import CONTRACT


def made(contract):
    kept = KeptModel("<run>", "<run>", Path(), None, contract, None)
    return page(kept, {"rows": [example_row(contract)]}, 1234, 56, "localhost:4321", False)


def test_the_page_names_columns_values_and_limits():
    text = made(CONTRACT)
    assert "up to 56 rows and 1234 bytes" in text
    rows = Reader(text).tables[0]
    assert ["coaching", "categorical", "NO, WA, OA", "no"] in rows
    assert ["age", "numeric", "15 to 22", "no"] in rows
    bound = "0 to 20.5 in training; others are accepted too"
    assert ["hours a week", "numeric", bound, "yes"] in rows
    assert "one of low, high" in text
    assert "&#34;hours a week&#34;: 10.25" in text


def test_the_page_needs_nothing_beside_itself():
    text = made(CONTRACT)
    assert "default-src 'none'" in text
    assert Reader(text).links == []
    assert "://" not in text


def test_names_from_data_are_text_and_no_markup():
    text = made(replace(CONTRACT, target="<script>", classes=[]))
    assert "<script>" not in text
    assert "Model &lt;run&gt;. The answer for a row is a number." in text
