"""A real Slurm of one node without accounting, whose jobs are the workers of a sweep."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from student_perf.sweep.engines import is_queued
from tests.faults.conftest import check_whole
from tests.slurm import NotHereError, slurm_cluster
from tests.sweep.conftest import wait_until

pytestmark = pytest.mark.slow
WORDS = ("tracking=off", "hydra/launcher=slurm")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The environment of a cluster's programs."""
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    try:
        with slurm_cluster(tmp_path_factory.mktemp("slurm")) as environment:
            yield environment
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.fixture
def slurm_bench(bench, cluster, monkeypatch):
    """A bench whose commands reach the cluster, as does this process."""
    bench.environment |= cluster
    for name, value in cluster.items():
        monkeypatch.setenv(name, value)
    yield bench
    subprocess.run(["scancel", f"--user={os.getuid()}"], check=True)
    wait_until(lambda: not queued())


def queued():
    done = subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def parent_of(pid):
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(text.rpartition(")")[2].split()[1])


@pytest.mark.fault(
    "Slurm, without accounting",
    "kill -9 of one of two jobs",
    "one line; the other runs its trial again, all trials are there",
)
def test_a_job_is_killed(slurm_bench):
    command = slurm_bench.start_sweep(*WORDS)
    slurm_bench.await_gate()
    os.kill(parent_of(slurm_bench.waiting()[0]), signal.SIGKILL)
    said = slurm_bench.here / "0.out"
    wait_until(lambda: "is gone; the trial is to be run again" in said.read_text())
    slurm_bench.open_gate()
    done = slurm_bench.outcome(command)
    assert (done.code, done.err) == (0, "")
    check_whole(slurm_bench.folder, None)


@pytest.mark.fault(
    "Slurm, without accounting",
    "Ctrl-C of the command with `hydra.sweeper.detach=true`",
    "the jobs work on; the same command joins them and closes the sweep",
)
def test_the_command_leaves_its_jobs(slurm_bench):
    words = (*WORDS, "hydra.sweeper.detach=true")
    command = slurm_bench.start_sweep(*words)
    slurm_bench.await_gate()
    os.kill(command.pid, signal.SIGINT)
    left = slurm_bench.outcome(command)
    assert left.code == 130
    assert "2 workers at work go on; the same command joins them" in " ".join(left.out.split())
    assert len(queued().splitlines()) == 2
    again = slurm_bench.start_sweep(*words)
    said = slurm_bench.here / "1.out"
    wait_until(lambda: "at work: they go on" in said.read_text() or again.poll() is not None)
    slurm_bench.open_gate()
    done = slurm_bench.outcome(again)
    assert (done.code, done.err) == (0, "")
    check_whole(slurm_bench.folder, None)


@pytest.mark.fault(
    "Slurm, without accounting",
    "Ctrl-C of the command",
    "its jobs are cancelled; the same command finishes the sweep",
)
def test_the_command_cancels_its_jobs(slurm_bench):
    command = slurm_bench.start_sweep(*WORDS)
    slurm_bench.await_gate()
    os.kill(command.pid, signal.SIGINT)
    left = slurm_bench.outcome(command)
    assert left.code == 130
    wait_until(lambda: not queued())
    assert not is_queued("mine")
    done = slurm_bench.sweep("tracking=off")
    assert (done.code, done.err) == (0, "")
    assert "3 done, 7 to go" in done.out
    check_whole(slurm_bench.folder, None)
