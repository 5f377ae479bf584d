import pytest

from student_perf.config.limits import (
    DRIFT_FILE,
    GATE_FILE,
    GateLimits,
    Thresholds,
    load_limits,
)
from student_perf.errors import ConfigError


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"alpha": 0}, "alpha=0"),
        ({"warn": 0.3}, "warn=0.3 alarm=0.25"),
        ({"bins": 1}, "bins=1"),
        ({"bins": 2.5}, "bins=2.5"),
        ({"alarm": "high"}, "alarm=high: must be a number"),
        ({"smoothing": 0}, "smoothing=0"),
    ],
)
def test_limits_that_cannot_work_are_refused(wrong, named):
    with pytest.raises(ConfigError, match=named):
        Thresholds(**wrong)


def test_the_file_as_shipped_holds_the_documented_defaults():
    assert load_limits(Thresholds, DRIFT_FILE, {}) == Thresholds()
    assert load_limits(GateLimits, GATE_FILE, {}) == GateLimits()


def test_an_option_wins_over_the_file_and_the_file_over_the_default(tmp_path):
    file = tmp_path / "drift.yaml"
    file.write_text(DRIFT_FILE.read_text().replace("alarm: 0.25", "alarm: 0.4"))
    assert load_limits(Thresholds, file, {"alarm": None}).alarm == 0.4
    assert load_limits(Thresholds, file, {"alarm": 0.3}).alarm == 0.3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("alarms: 0.3", "alarms is no limit; .*alarm"),
        ("- 0.3", "must hold one limit per line"),
        ("alarm: [", "cannot be read"),
    ],
)
def test_a_file_that_cannot_serve_is_named(tmp_path, text, named):
    file = tmp_path / "drift.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"drift.yaml: {named}"):
        load_limits(Thresholds, file, {})


@pytest.mark.parametrize(
    "wrong", [{"margin": -0.1}, {"calibration": 2}, {"risk": 0}, {"risk": "x"}]
)
def test_limits_of_the_gate_that_cannot_work_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=f"{name}={value}: must be"):
        GateLimits(**wrong)
