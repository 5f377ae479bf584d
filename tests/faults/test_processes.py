"""Processes of a sweep that are ended from outside."""

import os
import signal

import pytest

from student_perf.runs.record import load_record
from tests.faults.conftest import check_whole, runs_in
from tests.sweep.conftest import wait_until
from tests.sweep.test_run import descendants

pytestmark = pytest.mark.slow


@pytest.fixture
def at_gate(bench):
    """A tracked sweep in its middle, with the ids of a worker and of its publisher."""
    process = bench.start_sweep()
    bench.await_gate()
    bench.await_sent()
    workers = bench.waiting()
    (publisher,) = set(descendants(process.pid)) - set(workers)
    return bench, process, workers[0], publisher


@pytest.mark.fault("Processes", "kill -9 of a worker in a trial", "another runs the trial again")
def test_a_worker_is_killed(at_gate):
    bench, process, worker, _ = at_gate
    os.kill(worker, signal.SIGKILL)
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, bench.store)


@pytest.mark.fault("Processes", "kill -9 of the publisher", "another sends the rest, nothing twice")
def test_the_publisher_is_killed(at_gate):
    bench, process, _, publisher = at_gate
    os.kill(publisher, signal.SIGKILL)
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    assert "Not in MLflow yet" not in done.out
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Processes",
    "SIGTERM and SIGHUP to a worker or the publisher",
    "they go on: only the command decides when they end",
)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_to_a_child(name, at_gate):
    bench, process, worker, publisher = at_gate
    for child in (worker, publisher):
        os.kill(child, getattr(signal, name))
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Processes",
    "all killed at once, as when the machine goes",
    "shown as STOPPED; finished by the same command",
)
def test_the_machine_goes(at_gate):
    bench, process, _, _ = at_gate
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: load_record(bench.folder).status == "STOPPED")
    assert "3" not in {f.parent.name for f in bench.folder.glob("*/record.json")
                       if load_record(f.parent).status == "RUNNING"}  # fmt: skip
    done = bench.sweep()
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Processes",
    "kill -9 of the first run while MLflow's tables are made",
    "the next run makes them",
)
def test_the_tables_are_being_made(bench):
    bench.open_gate()
    process = bench.start("train", *bench.data())
    database = bench.workspace / "mlflow.db"
    new = database.with_name("mlflow.db.new")
    wait_until(lambda: new.exists() or process.poll() is not None)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not database.exists()
    done = bench.run("train", *bench.data())
    assert (done.code, done.err) == (0, "")
    assert not new.exists()
    (run,) = runs_in(bench.store)
    assert run.info.status == "FINISHED"
