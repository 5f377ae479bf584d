import pytest

from student_perf.errors import ConfigError
from student_perf.promotion.rollback import rollback
from student_perf.store.registry import Version
from tests.promotion.test_promotion import Memory


def test_rollback_exchanges_and_a_second_one_takes_it_back():
    one, two = Version("1", "b"), Version("2", "c")
    registry = Memory(champion=two, previous=one)
    assert rollback(registry, "ada", None) == (one, two)
    assert "by ada: no reason given" in registry.tags["student_perf.rolled_back"]
    evidence, moved = registry.message
    assert evidence.startswith("rollback_")  # before anything moves
    assert moved == ["champion", "previous"]
    assert rollback(registry, "ada", None) == (two, one)


@pytest.mark.parametrize(
    ("holders", "what"),
    [({}, "has no champion to leave"),
     ({"champion": Version("1", "b")}, "has no earlier champion to go back to")],
)  # fmt: skip
def test_what_cannot_be_exchanged_is_said(holders, what):
    with pytest.raises(ConfigError, match=what):
        rollback(Memory(**holders), None, None)
