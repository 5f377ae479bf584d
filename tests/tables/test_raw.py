import pyarrow as pa

from student_perf.tables.numbers import TypedColumn
from student_perf.tables.options import PLAIN
from student_perf.tables.raw import table_of


def test_notes_and_percent_signs_are_told_by_column():
    columns = {
        "a": TypedColumn(pa.array([1, 2]), ("percent signs taken off",), is_percent=True),
        "b": TypedColumn(pa.array(["x", None])),
    }
    raw = table_of(columns, PLAIN)
    assert raw.table["a"].tolist() == [1, 2]
    assert raw.notes == ("'a': percent signs taken off",)
    assert raw.percents == ("a",)
