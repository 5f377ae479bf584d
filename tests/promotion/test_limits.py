import pytest

from student_perf.config.search_path import find_config
from student_perf.config.typed import load_limits
from student_perf.errors import ConfigError
from student_perf.promotion.limits import GATE_CONFIG, GateLimits


def test_the_file_as_shipped_holds_the_documented_defaults():
    assert load_limits(GateLimits, find_config(GATE_CONFIG), {}) == GateLimits()


@pytest.mark.parametrize("wrong", [{"margin": -0.1}, {"calibration": 2}, {"risk": 0}])
def test_limits_of_the_gate_that_cannot_work_are_refused(wrong, tmp_path):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=f"^{name}={value}: must be"):
        GateLimits(**wrong)
    file = tmp_path / "promote.yaml"
    file.write_text(f"{name}: x\n")
    with pytest.raises(ConfigError, match=f"promote.yaml: promote.{name}=x: must be a number"):
        load_limits(GateLimits, file, {})
