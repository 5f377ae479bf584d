import pytest
from omegaconf import OmegaConf

from student_perf.config.load import validate
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError


def test_leaves_are_dotted_and_lists_stay_whole():
    tree = {"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}}
    assert dict(iter_leaves(tree)) == {"a.b": 1, "a.c": [1, 2], "d": None, "e": {}}


def test_numbers_serve_where_text_or_floats_are_declared(compose_config):
    config = compose_config("dataset.version=3", "split.test_size=0")
    assert config.dataset.version == "3"
    assert config.split.test_size == 0.0


def test_a_missing_section_is_named():
    with pytest.raises(ConfigError, match=r"^tags: is missing"):
        validate(OmegaConf.create({"seed": 0}))
