"""The network between a sweep and its stores is cut, in a network namespace of the test's own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.conftest import check_whole
from tests.servers import QUICK_SERVER, free_port
from tests.sweep.conftest import wait_until

pytestmark = pytest.mark.slow


class Network:
    """A namespace whose only device is a loopback of its own.

    `inside` is what a command that is to run in it begins with.
    """

    def __init__(self) -> None:
        command = ["unshare", "--map-root-user", "--net", "sleep", "3600"]
        self._holder = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        options = ["--preserve-credentials", "--user", "--net", "--target", str(self._holder.pid)]
        self.inside = ("nsenter", *options)

    def set(self, state: str) -> bool:
        """Bring the device `up` or `down`."""
        words = [*self.inside, "ip", "link", "set", "lo", state]
        return subprocess.run(words, capture_output=True).returncode == 0

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def network():
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("unshare, nsenter or ip is not installed here")
    made = Network()
    with contextlib.closing(made):
        until = time.monotonic() + 10
        while not made.set("up"):
            if time.monotonic() > until:
                pytest.skip("the system does not permit a network namespace")
            time.sleep(0.1)
        yield made


@pytest.fixture
def server(network, tmp_path):
    """Address, within the namespace, of an MLflow server that runs there; its database."""
    store, port = f"sqlite:///{tmp_path}/server.db", free_port()
    words = ["--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port)]
    words += ["--artifacts-destination", str(tmp_path / "artifacts"), "--workers", "1"]
    with (tmp_path / "server.log").open("w") as log:
        command = [*network.inside, sys.executable, "-m", "mlflow", "server", *words]
        process = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=os.environ | QUICK_SERVER
        )
    wait_until(lambda: "startup complete" in (tmp_path / "server.log").read_text())
    yield f"http://127.0.0.1:{port}", store
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.fault(
    "Network",
    "cut between a sweep and its tracking server, for a while or to the sweep's end",
    "the sweep is FINISHED on disk; what is missing in MLflow is sent by itself or by `sync`, once",
)
@pytest.mark.parametrize("back", ["before", "after"])
def test_the_network_is_cut(back, bench, network, server):
    address, store = server
    bench.environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "2"
    process = bench.start_sweep(f"tracking.uri={address}", prefix=network.inside)
    bench.await_gate()
    bench.await_sent()
    assert network.set("down")
    if back == "before":
        network.set("up")
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    assert ("Not in MLflow yet" in done.out) == (back == "after")
    network.set("up")
    for _ in range(2):
        synced = bench.run("sync", str(bench.folder), prefix=network.inside)
        assert (synced.code, synced.err) == (0, "")
        checked = bench.run("check", str(bench.folder), prefix=network.inside)
        assert checked.code == 0, checked
        check_whole(bench.folder, store, audited=False)  # `check` has asked, from inside
