"""Several commands at a time, a store that others hold, and a clock that goes back."""

import json
import sqlite3

import pytest

from student_perf.runs.record import load_record
from tests.faults.conftest import N_TRIALS, check_whole, one_error, runs_in

pytestmark = pytest.mark.slow

# A module that Python imports first, in every process of the command. Only Python's own clock goes
# back: setting the system's is not for a test, and a library that is loaded before all others
# would have to be installed.
BACK = """
import os, pathlib, time
os.nice = lambda increment: 0
_time, _time_ns, _open = time.time, time.time_ns, pathlib.Path({gate!r})
_back = lambda: 7200 if _open.exists() else 0
time.time = lambda: _time() - _back()
time.time_ns = lambda: _time_ns() - _back() * 10**9
"""


@pytest.mark.fault(
    "Together",
    "a sweep started a second time while the first one runs",
    "one line, exit code 1; the first one is finished",
)
def test_a_sweep_that_runs_already(bench):
    first = bench.start_sweep()
    bench.await_gate()
    one_error(bench.outcome(bench.start_sweep()), "another command is running this sweep")
    bench.open_gate()
    assert bench.outcome(first).code == 0
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Together",
    "two identical sweeps started at once",
    "one runs the trials; the other finds them, or says who runs",
)
def test_two_sweeps_at_once(bench):
    bench.open_gate()
    both = [bench.start_sweep() for _ in range(2)]
    done = sorted((bench.outcome(process) for process in both), key=lambda one: one.code)
    assert done[0].code == 0, done
    if done[1].code == 0:
        assert sum("10 done, 0 to go" in one.out for one in done) == 1
    else:  # on a slow machine the second one does not wait for so long
        one_error(done[1], "another command is running this sweep")
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Together",
    "`mlflow.db` locked by another program while a run ends",
    "the run is FINISHED on disk; `sync` sends it once",
)
def test_a_run_beside_a_locked_store(bench):
    bench.open_gate()
    assert bench.run("train", *bench.data()).code == 0
    holder = sqlite3.connect(bench.workspace / "mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    done = bench.run("train", *bench.data())
    assert done.code == 0, done.err
    holder.execute("ROLLBACK")
    holder.close()
    assert "Not in MLflow yet" in done.out
    for _ in range(2):
        assert bench.run("sync").code == 0
        assert [run.info.status for run in runs_in(bench.store)] == ["FINISHED"] * 2


@pytest.mark.fault(
    "Together",
    "the clock set back by two hours in the middle of a sweep",
    "no duration is negative, and the sweep adds up",
)
def test_the_clock_goes_back(bench):
    (bench.here / "sitecustomize.py").write_text(BACK.format(gate=str(bench.here / "open")))
    process = bench.start_sweep()
    bench.await_gate()
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, bench.store)
    records = [load_record(bench.folder / str(n)) for n in range(N_TRIALS)]
    assert records[5].started < records[0].started - 3600
    assert all((record.ended or 0) >= record.started for record in records)
    for file in bench.folder.rglob("record.json"):
        for name, value in json.loads(file.read_text())["metrics"].items():
            assert "seconds" not in name or min(value if isinstance(value, list) else [value]) >= 0


@pytest.mark.fault(
    "Models",
    "a model that prints and logs a gigabyte",
    "the log ends at 50 MB and says so; the sweep is finished",
)
def test_a_gigabyte_of_noise(bench):
    bench.open_gate()
    quiet = ("sh", "-c", 'exec "$0" "$@" > /dev/null')
    words = ("tracking=off", "model.noise=500")
    done = bench.outcome(bench.start_sweep(*words, prefix=quiet))
    assert done.code == 0, done.err
    check_whole(bench.folder, None)
    log = (bench.folder / "train.log").read_text()
    assert len(log) < 51_000_000
    assert "the log ends here, at 50 MB" in log
