from student_perf.data.outside import Outside
from student_perf.serving.summary import Summary


def test_rows_are_counted_by_what_came_of_them():
    summary = Summary(rows=1200, refused=3, flagged=1)
    summary.problems.update({"missing value": 1, "unknown category": 3})
    assert str(summary) == (
        "1,200 rows, 1,197 predicted, 3 refused, 1 flagged (unknown category 3, missing value 1)"
    )
    assert str(Summary(rows=1)) == "1 row, 1 predicted, 0 refused"


def test_only_what_is_not_taken_for_granted_is_said():
    assert Summary(rows=1).form_lines() == []
    lines = Summary(read_as="decimal ','", written_as="separator ';'").form_lines()
    assert lines == ["read as decimal ','", "written as separator ';'"]
    assert Summary(rows=1).notes() == []


def test_the_line_of_the_farthest_row_is_named_where_it_is_known():
    one = Outside("age", 15, 22, 3, 2, 99, 7, 11)
    known = Summary(rows=1200, outside=[one], first_line=2).notes()
    assert known == [
        "age: 3 of 1,200 rows are outside 15 to 22 of the training (farthest: 99, row 7, line 9 of "
        "the file)"
    ]
    assert Summary(rows=40, outside=[one]).notes()[0].endswith("(farthest: 99, row 7)")


def test_of_many_columns_far_outside_the_worst_five_are_named():
    found = [Outside(f"x{i}", 0, 1, 1, 1, 9 - i, i, 8 - i) for i in range(7)]
    lines = Summary(rows=1, outside=found).notes()
    assert lines[0] == "x0: 1 of 1 row is outside 0 to 1 of the training (farthest: 9, row 0)"
    assert len(lines) == 6
    assert lines[5] == "and 2 more columns with rows far outside of the training"
