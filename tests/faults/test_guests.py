"""Workers that join a sweep from outside, and what ends them or the sweep's command."""

import os
import signal

import pytest

from student_perf.sweep.join import INVITATION_FILE
from tests.faults.conftest import NAME, check_whole, one_error
from tests.sweep.conftest import wait_until

pytestmark = pytest.mark.slow
UNTRACKED = "tracking=off"


@pytest.fixture
def with_guest(bench):
    """A sweep in its middle with a guest in a trial: the bench and both processes."""
    command = bench.start_sweep(UNTRACKED)
    bench.await_gate()
    guest = bench.start("worker", NAME)
    wait_until(lambda: len(bench.waiting()) == 3 or guest.poll() is not None)
    assert guest.poll() is None, bench.outcome(guest)
    return bench, command, guest


@pytest.mark.fault("Guests", "kill -9 of a guest in a trial", "another worker runs the trial again")
def test_a_guest_is_killed(with_guest):
    bench, command, guest = with_guest
    os.killpg(guest.pid, signal.SIGKILL)
    bench.open_gate()
    done = bench.outcome(command)
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, None)


@pytest.mark.fault(
    "Guests", "Ctrl-C of a guest in a trial", "the trial is run again; the sweep goes on"
)
def test_a_guest_leaves(with_guest):
    bench, command, guest = with_guest
    os.kill(guest.pid, signal.SIGINT)
    wait_until(lambda: "Ctrl-C: waiting for the fold" in (bench.here / "1.out").read_text())
    bench.open_gate()
    left, done = bench.outcome(guest), bench.outcome(command)
    assert (left.code, done.code, left.err, done.err) == (130, 0, "", "")
    assert "0 trials ended here" in left.out
    check_whole(bench.folder, None)
    one_error(bench.run("worker", NAME), "does not run; this continues it", "hydra.sweeper.n_jobs")


@pytest.mark.fault(
    "Guests",
    "kill -9 of the command while a guest works",
    "the guest runs what is left; the same command closes the sweep",
)
def test_the_command_is_killed(with_guest):
    bench, command, guest = with_guest
    os.killpg(command.pid, signal.SIGKILL)
    bench.open_gate()
    helped = bench.outcome(guest)
    assert (helped.code, helped.err) == (0, "")
    assert "8 of 10 trials are done" in helped.out
    assert "continue python -m student_perf.train -m dataset=csv" in helped.out
    done = bench.run(*bench.sweep_words(UNTRACKED))
    assert (done.code, done.err) == (0, "")
    assert "8 done, 2 to go, 2 of them to be run again" in " ".join(done.out.split())
    check_whole(bench.folder, None)
    assert not (bench.folder / INVITATION_FILE).exists()


@pytest.mark.fault(
    "Guests",
    "kill -9 of the command, which is started again while a guest is in a trial",
    "it waits for the guest's trial, and runs the others",
)
def test_the_command_comes_back(with_guest):
    bench, command, guest = with_guest
    os.killpg(command.pid, signal.SIGKILL)
    again = bench.start_sweep(UNTRACKED)
    text = bench.here / "2.out"
    wait_until(lambda: "of guests, at work" in text.read_text() or again.poll() is not None)
    bench.open_gate()
    helped, done = bench.outcome(guest), bench.outcome(again)
    assert (helped.code, done.code, helped.err, done.err) == (0, 0, "", "")
    check_whole(bench.folder, None)
