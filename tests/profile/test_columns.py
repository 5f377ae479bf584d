import math

import numpy as np
import pandas as pd
import pytest

from student_perf.data.dataset import Survey
from student_perf.profile.columns import column_facts


def seen_of(**columns):
    table = pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})
    return Survey(table, {"mixed": "column 'mixed': ..."}, (), None)


def test_each_column_has_its_kind_gaps_and_values():
    seen = seen_of(
        hours=[1.0, 2.0, np.nan, 9.0],
        school=pd.Series(["north", "north", "south", "a very long name of a school"], dtype="str"),
        mixed=pd.Series(["1", "two", None, "3"], dtype="str"),
    )
    hours, school, mixed = column_facts(seen, "", None, np.arange(4))
    assert (hours.kind, hours.missing, hours.values) == ("number", 0.25, "1 to 9, median 2")
    assert school.values == "north 50%, south 25%, a very long name of a s… 25%"
    assert (mixed.kind, mixed.n_distinct) == ("refused", 3)
    assert math.isnan(hours.told)


def test_rare_values_and_large_numbers_are_written_out():
    names = pd.Series([f"S{i}" for i in range(300)], dtype="str")
    pay = np.array([500_000.0, 3_989_000.0, 2_181_000.0] + [np.nan] * 297)
    student, income = column_facts(seen_of(student=names, income=pay), "", None, np.arange(300))
    assert student.values.startswith("S0 <1%, S1 <1%")
    assert income.values == "500000 to 3989000, median 2181000"


def test_features_tell_of_the_target_on_these_rows_only(small_dataset):
    seen = Survey(small_dataset.features.assign(grade="x", old="y"), {}, (), None)
    rows = np.arange(0, 60, 2)
    points, school, grade, old = column_facts(seen, "grade", small_dataset, rows)
    assert points.told == pytest.approx(0.55, abs=0.25)
    assert school.told < points.told
    assert (grade.role, old.role) == ("target", "left out")
