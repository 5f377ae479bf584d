import errno
import os
import signal
import time

import pytest

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ChangedError
from student_perf.experiment import beside
from student_perf.experiment.beside import Helper, Here, companion
from student_perf.runs import artifacts
from student_perf.runs.record import RunRecord
from student_perf.store import publisher

TRACKING = TrackingConfig(True, "sqlite:///grades.db", "grades")
THIS_PROCESS = os.getpid()


@pytest.fixture
def record(tmp_path):
    return RunRecord(tmp_path, "run", "single", {}, {})


@pytest.fixture
def publish(monkeypatch):
    """Has a function stand for `try_publish`, and nothing made ready for it."""
    monkeypatch.setattr(beside, "_get_ready", lambda tracking: None)
    return lambda function: monkeypatch.setattr(publisher, "try_publish", function)


@pytest.fixture
def helper():
    """Makes a process that sends, and ends it."""
    made = []

    def make():
        made.append(Helper(TRACKING))
        made[-1].start()
        return made[-1]

    yield make
    for one in made:
        one.close()


def in_another_process(record, *_):
    record.mlflow_run_id = str(os.getpid())


def test_another_process_sends_and_this_one_knows_the_run(publish, helper, record):
    publish(in_another_process)
    assert helper().send(record, TRACKING, None) is None
    assert int(record.mlflow_run_id) != os.getpid()


def test_a_reason_not_to_send_comes_back(publish, helper, record):
    publish(lambda *_: "tracking.uri=x: gone")
    assert helper().send(record, TRACKING, None) == "tracking.uri=x: gone"
    assert record.mlflow_run_id is None


def test_what_sending_raises_is_raised_here(publish, helper, record):
    def changed(*_):
        raise ChangedError("predictions.parquet: was changed after the run")

    publish(changed)
    with pytest.raises(ChangedError, match="was changed after the run"):
        helper().send(record, TRACKING, None)


def test_if_the_process_is_killed_this_one_sends(publish, helper, record):
    def killed_elsewhere(*_):
        if os.getpid() != THIS_PROCESS:
            os.kill(os.getpid(), signal.SIGKILL)
        return "sent from here"

    publish(killed_elsewhere)
    assert helper().send(record, TRACKING, None) == "sent from here"


def test_a_library_that_is_not_ready_does_not_end_it(publish, helper, record, monkeypatch):
    def broken(_tracking):
        raise ImportError("no such module")

    publish(in_another_process)
    monkeypatch.setattr(beside, "_get_ready", broken)
    assert helper().send(record, TRACKING, None) is None


def test_leaving_ends_a_process_at_work(publish, helper, monkeypatch):
    monkeypatch.setattr(beside, "_get_ready", lambda tracking: time.sleep(600))
    busy = helper()
    busy.close()
    assert not busy._process.is_alive()


def test_ctrl_c_and_sigterm_are_left_to_the_command(publish, helper, record, monkeypatch, tmp_path):
    monkeypatch.setattr(beside, "_get_ready", lambda tracking: (tmp_path / "ready").touch())
    publish(in_another_process)
    one = helper()
    while not (tmp_path / "ready").exists():
        assert one._process.is_alive()
        time.sleep(0.01)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(one._process.pid, number)
    assert one.send(record, TRACKING, None) is None


def test_ctrl_c_while_it_starts_ends_it(publish, monkeypatch):
    monkeypatch.setattr(beside, "_get_ready", lambda tracking: time.sleep(600))
    one = Helper(TRACKING)
    start = one._process.start

    def interrupted():
        start()
        os.kill(THIS_PROCESS, signal.SIGINT)

    monkeypatch.setattr(one._process, "start", interrupted)
    monkeypatch.setattr(beside, "Helper", lambda *_: one)
    monkeypatch.setattr(beside, "can_fork", lambda: True)
    monkeypatch.delitem(beside.sys.modules, "mlflow", raising=False)
    with pytest.raises(KeyboardInterrupt), companion(TRACKING):
        raise AssertionError("began")
    assert not one._process.is_alive()


def test_one_that_was_not_started_can_be_closed():
    Helper(TRACKING).close()


def test_it_ends_with_the_command(publish, helper):
    one = helper()
    one._connection.close()
    one._process.join()
    assert one._process.exitcode == 0


@pytest.mark.parametrize("why", ["not tracked", "threads", "imported"])
def test_this_process_does_it_where_another_would_not_help(monkeypatch, why):
    monkeypatch.setattr(beside, "can_fork", lambda: why != "threads")
    if why == "imported":
        monkeypatch.setitem(beside.sys.modules, "mlflow", beside)
    else:
        monkeypatch.delitem(beside.sys.modules, "mlflow", raising=False)
    with companion(TrackingConfig(why != "not tracked", "sqlite:///grades.db", "grades")) as one:
        assert type(one) is Here


@pytest.fixture
def draw(monkeypatch):
    """Has a function stand for `write_pictures`."""
    return lambda function: monkeypatch.setattr(artifacts, "write_pictures", function)


def by_whom(folder, _):
    (folder / "drawn").write_text(str(os.getpid()))


def test_another_process_draws(publish, draw, helper, tmp_path):
    draw(by_whom)
    publish(in_another_process)
    one = helper()
    one.draw(tmp_path, None)
    one.wait()
    assert int((tmp_path / "drawn").read_text()) == one._process.pid


def test_if_the_process_is_killed_this_one_draws(publish, draw, helper, tmp_path):
    draw(by_whom)
    publish(in_another_process)
    one = helper()
    one._process.kill()
    one._process.join()
    one.draw(tmp_path, None)
    one.wait()
    assert int((tmp_path / "drawn").read_text()) == THIS_PROCESS


def test_a_full_disk_is_said_here(publish, draw, helper, record, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "roc_curves.png")

    draw(full)
    publish(in_another_process)
    one = helper()
    one.draw(tmp_path, None)
    with pytest.raises(OSError, match="No space left"):
        one.wait()
    assert one.send(record, TRACKING, None) is None


def test_a_run_that_fails_while_its_pictures_are_drawn_is_sent(
    publish, draw, helper, record, tmp_path
):
    draw(by_whom)
    publish(lambda *_: "sent after the pictures")
    one = helper()
    one.draw(tmp_path, None)
    assert one.send(record, TRACKING, None) == "sent after the pictures"
    assert (tmp_path / "drawn").exists()
