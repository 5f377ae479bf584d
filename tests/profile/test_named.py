import pytest

from student_perf.errors import ConfigError
from student_perf.profile.named import named_table


def test_a_table_is_a_file_or_a_dataset(grades):
    assert named_table(str(grades)) == ["dataset=csv", f"dataset.path={grades}"]
    assert named_table("econmath") == ["dataset=econmath"]


@pytest.mark.parametrize(
    ("table", "what"), [("nowhere.csv", "no such file"), ("econmat", "did you mean econmath")]
)
def test_any_other_is_refused_with_what_is_near(table, what):
    with pytest.raises(ConfigError, match=what):
        named_table(table)
