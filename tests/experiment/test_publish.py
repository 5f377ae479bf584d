import pytest

from student_perf.errors import TrackingError
from student_perf.experiment.run import run_experiment
from student_perf.runs.record import load_record
from student_perf.terminal import Terminal


def run(config, folder):
    return run_experiment(config, folder, Terminal(quiet=True))


def test_ctrl_c_marks_the_record_and_sends_nothing(compose_config, tmp_path, monkeypatch):
    def interrupted(*_args, **_kwargs):
        raise KeyboardInterrupt

    def unreachable(*_args, **_kwargs):
        raise AssertionError("nothing may be sent after Ctrl-C")

    monkeypatch.setattr("student_perf.experiment.run.cross_validate", interrupted)
    monkeypatch.setattr("student_perf.experiment.publish.publish", unreachable)
    with pytest.raises(KeyboardInterrupt):
        run(compose_config("model=logreg"), tmp_path)
    assert load_record(tmp_path).status == "FAILED"


def test_a_store_that_fails_at_the_end_leaves_a_finished_record(
    compose_config, tmp_path, monkeypatch
):
    def refused(*_args, **_kwargs):
        raise TrackingError("tracking.uri=x: gone")

    monkeypatch.setattr("student_perf.experiment.publish.publish", refused)
    run(compose_config("model=logreg"), tmp_path)
    record = load_record(tmp_path)
    assert (record.status, record.mlflow_run_id) == ("FINISHED", None)
