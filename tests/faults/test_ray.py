"""A real Ray of two nodes, whose tasks are the workers of a sweep."""

import pytest

from tests.faults.conftest import check_whole
from tests.ray_nodes import NotHereError, ray_cluster
from tests.sweep.conftest import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(bench):
    """Two nodes that work in the environment of the bench."""
    pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="hydra-ray-launcher is not here")
    try:
        with ray_cluster(bench.environment) as running:
            bench.environment |= running.token
            yield running
    except NotHereError as error:
        pytest.skip(str(error))


@pytest.mark.fault(
    "Ray",
    "kill -9 of one of two nodes",
    "one line; Ray runs the worker on the other node, all trials are there",
)
def test_a_node_is_killed(bench, cluster):
    address = f"hydra.launcher.ray.init.address={cluster.address}"
    command = bench.start_sweep("tracking=off", "hydra/launcher=ray", address)
    bench.await_gate()
    cluster.kill_second()
    said = bench.here / "0.out"
    wait_until(lambda: "is gone; the trial is to be run again" in said.read_text())
    bench.open_gate()
    done = bench.outcome(command)
    assert done.code == 0, done.err  # on which Ray says that it has found the cluster
    assert done.out.count("is gone; the trial is to be run again") == 1
    check_whole(bench.folder, None)
