"""A disk that is full or may not be written to."""

import subprocess

import pytest

from student_perf.runs.record import load_record
from tests.faults.conftest import check_whole, fill, one_error

pytestmark = pytest.mark.slow

FULL = "no space is left on its disk; free some"


@pytest.mark.fault(
    "Disk",
    "full in a run",
    "one line with the folder and what to free, exit code 1; FAILED, with no draft left",
)
@pytest.mark.parametrize("left", [20_000, 60_000, 400_000])
def test_a_run(left, bench, small_disk):
    bench.workspace = small_disk(1)
    fill(bench.workspace, left)
    one_error(bench.run("train", "tracking=off", "model=rf"), str(bench.workspace), FULL)
    assert not [*bench.workspace.rglob("*.tmp")]
    for record in bench.workspace.rglob("record.json"):
        assert load_record(record.parent).status == "FAILED"


@pytest.mark.fault(
    "Disk",
    "full for an export",
    "one line with the folder and what to free, exit code 1; no bundle; the next one is whole",
)
def test_an_export(bench, small_disk):
    bench.open_gate()
    assert bench.run("train", "tracking=off", *bench.data()).code == 0
    place = small_disk(1)
    ballast = fill(place, 20_000)
    one_error(bench.run("export", "latest", str(place / "b.zip")), str(place), FULL)
    assert [file.name for file in place.iterdir()] == ["ballast"]
    ballast.unlink()
    assert bench.run("export", "latest", str(place / "b.zip")).code == 0
    assert bench.run("verify", str(place / "b.zip")).code == 0


@pytest.mark.fault(
    "Disk",
    "full while the workers of a sweep write",
    "one line with the folder and what to free, exit code 1; STOPPED; finished by the same command",
)
@pytest.mark.parametrize("left", [60_000, 110_000, 160_000])
def test_the_workers_of_a_sweep(left, bench, small_disk):
    bench.workspace = small_disk(1)
    ballast = fill(bench.workspace, left)
    one_error(bench.sweep("tracking=off"), str(bench.workspace), FULL)
    assert not [*bench.folder.rglob("*.tmp")]
    for record in bench.folder.glob("record.json"):
        assert load_record(record.parent).status == "STOPPED"
    ballast.unlink()
    again = bench.sweep("tracking=off")
    assert again.code == 0, again.err
    check_whole(bench.folder, None)


@pytest.mark.fault(
    "Disk",
    "full for the store of a sweep, in the middle",
    "the sweep is FINISHED on disk and says what to free; `sync` sends it once",
)
def test_the_publisher_of_a_sweep(bench, small_disk):
    place = small_disk(8)
    store = f"sqlite:///{place}/mlflow.db"
    process = bench.start_sweep(f"tracking.uri={store}")
    bench.await_gate()
    bench.await_sent()
    ballast = fill(place)
    bench.open_gate()
    done = bench.outcome(process)
    assert done.code == 0, done.err
    text = " ".join(done.out.split())
    assert text.count("Not in MLflow yet") == 1
    assert FULL in text
    ballast.unlink()
    for _ in range(2):
        assert bench.run("sync").code == 0
        check_whole(bench.folder, store)


@pytest.mark.fault(
    "Disk",
    "full for the workspace and the store of a tracked sweep, in the middle",
    "one line with the folder and what to free, exit code 1; STOPPED; finished by the same command",
)
def test_a_tracked_sweep(bench, small_disk):
    bench.workspace = small_disk(8)
    process = bench.start_sweep()
    bench.await_gate()
    ballast = fill(bench.workspace)
    bench.open_gate()
    one_error(bench.outcome(process), str(bench.workspace), FULL)
    assert load_record(bench.folder).status == "STOPPED"
    ballast.unlink()
    again = bench.sweep()
    assert again.code == 0, again.err
    check_whole(bench.folder, bench.store)


@pytest.mark.fault(
    "Disk",
    "a workspace that may not be written to",
    "one line with the place, exit code 1",
)
@pytest.mark.parametrize("words", [[], ["-m"], ["sync"]])
def test_a_read_only_workspace(words, bench, small_disk):
    place = bench.workspace = small_disk(8)
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    if words == ["sync"]:
        assert bench.run("sync").out == "Nothing is pending.\n"
        return
    sweep = bench.sweep_words() if words else ["train", *bench.data()]
    line = one_error(bench.run(*sweep), str(place))
    assert "Read-only file system" in line or "not writable" in line, line
