import pytest

from student_perf.errors import TrackingError
from student_perf.store.registry import Registry


@pytest.mark.slow
def test_a_run_without_a_model_and_a_name_nobody_has(workspace):
    (workspace / "mlflow.db").touch()
    registry = Registry(f"sqlite:///{workspace}/mlflow.db", "student-perf")
    assert registry.holder("champion") is None
    with pytest.raises(TrackingError, match="cannot be registered"):
        registry.register("a" * 32)


def test_a_store_that_cannot_be_is_refused_at_once():
    with pytest.raises(TrackingError, match=r"tracking\.uri=ftp://x"):
        Registry("ftp://x", "student-perf").holder("champion")
