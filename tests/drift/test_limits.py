import pytest

from student_perf.config.search_path import find_config
from student_perf.config.typed import load_limits
from student_perf.drift.limits import DRIFT_CONFIG, Thresholds
from student_perf.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"alpha": 0}, "alpha=0"),
        ({"warn": 0.3}, "warn=0.3 alarm=0.25"),
        ({"bins": 1}, "bins=1"),
        ({"smoothing": 0}, "smoothing=0"),
    ],
)
def test_limits_that_cannot_work_are_refused(wrong, named):
    with pytest.raises(ConfigError, match=f"^{named}: must be"):
        Thresholds(**wrong)


def test_the_file_as_shipped_holds_the_documented_defaults():
    assert load_limits(Thresholds, find_config(DRIFT_CONFIG), {}) == Thresholds()


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "drift.yaml"
    shipped = find_config(DRIFT_CONFIG).read_text()
    file.write_text(shipped.replace("alarm: 0.25", "alarm: 0.4"))
    assert load_limits(Thresholds, file, {"alarm": None}).alarm == 0.4
    assert load_limits(Thresholds, file, {"alarm": 0.3, "model": "x"}).alarm == 0.3
    file.write_text("alarm: 1\n")
    assert load_limits(Thresholds, file, {}) == Thresholds(alarm=1.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alarms: 0.3", "drift.alarms=0.3: the config has no key 'drift.alarms'; did you .*alarm"),
        ("alarm: high", "drift.alarm=high: must be a number; write it like drift.alarm=0.2"),
        ("alarm: true", "drift.alarm=true: must be a number"),
        ("bins: 2.5", "drift.bins=2.5: must be a whole number"),
        ("bins: 1", "bins=1: must be 2 or more; try 10"),
        ("- 0.3", "drift=.*must be a group of keys: alpha, warn"),
        ("alarm: [", "cannot be read"),
    ],
)
def test_a_file_that_cannot_serve_is_named(tmp_path, text, named):
    file = tmp_path / "drift.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"drift.yaml: {named}"):
        load_limits(Thresholds, file, {})
