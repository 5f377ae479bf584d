from dataclasses import replace

import pytest

from student_perf.pages.profile import answer_sentences, data_facts, data_page
from student_perf.profile.report import make_report
from tests.pages.page_reader import Reader


@pytest.fixture
def report(grades):
    text = grades.read_text().replace("school,", "a<b,", 1)
    grades.write_text(text)
    return make_report(str(grades), ["dataset.target=grade"])


@pytest.mark.slow
def test_the_page_holds_every_column_and_needs_nothing_else(report, pictures):
    page = data_page(report)
    reader = Reader(page)
    (table,) = reader.tables
    assert [row[0] for row in table] == [
        "column",
        "a<b",
        "hours",
        "absences",
        "paid",
        "grade (target)",
    ]
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert len(reader.links) == 6  # the target, missing cells, four features
    assert "default-src 'none'" in page
    assert "script" not in reader.tags
    assert "://" not in page
    for sentence in answer_sentences(report):
        assert sentence in "".join(reader.text)


def test_facts_and_sentences_say_what_the_data_can_answer(report):
    facts = data_facts(report)
    assert facts["size"] == "120 rows; 3 columns of numbers, 2 columns of text"
    assert facts["target"].startswith("grade: ")
    interval, difference, rows = answer_sentences(report)
    assert "expect a 95 % interval of about ±" in interval
    assert "in 4 of 5 cases" in difference
    assert rows.endswith("(now 120).")


def test_a_difference_beyond_what_the_metric_can_have_is_no_promise(report):
    wide = replace(report.answers, smallest=1.517)
    _, line = answer_sentences(replace(report, answers=wide))
    assert line.startswith("Two models cannot be told apart by accuracy on these rows")


def test_without_a_target_or_with_a_problem_nothing_is_promised(grades):
    (line,) = answer_sentences(make_report(str(grades)))
    assert line.endswith("add dataset.target=COLUMN.")
    rare = grades.read_text().replace(",mid\n", ",once\n", 1)
    grades.write_text(rare)
    (line,) = answer_sentences(make_report(str(grades), ["dataset.target=grade"]))
    assert line == "Not known yet, since a run would stop."
