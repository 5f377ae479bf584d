import pytest

from tests.reliability import PAGE, Tally, declared, rows


@pytest.mark.slow
def test_the_page_has_a_row_for_each_fault_that_a_test_brings_about_and_no_other():
    table = rows(PAGE.read_text(encoding="utf-8"))
    faults = declared()
    assert table.keys() == {fault[:2] for fault in faults}
    assert len(faults) == len(table)
    for part, what, result in faults:
        _, times, said = table[part, what]
        assert said == result or said.startswith("not tried: ")
        assert int(times) > 0 or said != result


def test_a_row_says_how_often_it_was_tried_and_whether_it_held():
    fault = ("Disk", "full", "one line")
    assert Tally(passed=3).row(fault) == "| full | 3 | one line |\n"
    assert Tally(passed=2, failed=1).row(fault) == "| full | 3 | **failed 1 times**: one line |\n"
    assert Tally(skipped="no mount").row(fault) == "| full | 0 | not tried: no mount |\n"
