import pytest

from student_perf.drift.named import named_side
from student_perf.errors import ConfigError


def test_a_side_is_a_file_a_dataset_or_a_run(grades, kept_run):
    assert named_side(str(grades), None) == grades
    words = named_side("csv 'dataset.path=my file.csv'", None)
    assert words == ["dataset=csv", "dataset.path=my file.csv"]
    assert named_side(str(kept_run), None).folder == kept_run


@pytest.mark.parametrize(
    ("text", "what"),
    [("nowhere.csv", "no such file"), ("econmat", "did you mean econmath")],
)
def test_any_other_is_refused_with_what_is_near(workspace, text, what):
    with pytest.raises(ConfigError, match=what):
        named_side(text, None)
