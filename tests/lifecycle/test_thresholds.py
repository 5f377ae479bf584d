import pytest

from student_perf.errors import ConfigError
from student_perf.lifecycle.thresholds import Thresholds


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"alpha": 0}, "--alpha 0"),
        ({"warn": 0.3}, "--warn 0.3 --alarm 0.25"),
        ({"bins": 1}, "--bins 1"),
        ({"smoothing": 0}, "--smoothing 0"),
    ],
)
def test_limits_that_cannot_work_are_refused(wrong, named):
    with pytest.raises(ConfigError, match=named):
        Thresholds(**wrong)
