"""PostgreSQL that is restarted while a sweep uses it."""

import shutil

import pytest

from tests.faults.conftest import check_whole
from tests.servers import postgres_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("initdb") is None, reason="PostgreSQL is not installed here"),
]


@pytest.mark.fault(
    "PostgreSQL",
    "away from the middle of a sweep to its end, as MLflow's backend",
    "the sweep is FINISHED on disk; `sync` sends it once",
)
def test_the_store_stays_away(bench):
    with postgres_server() as server:
        process = bench.start_sweep(f"tracking.uri={server.uri}")
        bench.await_gate()
        bench.await_sent()
        server.stop("immediate")
        bench.open_gate()
        done = bench.outcome(process)
        assert (done.code, done.err) == (0, "")
        assert done.out.count("Not in MLflow yet") == 1
        server.start()
        bench.environment["MLFLOW_TRACKING_URI"] = server.uri
        for _ in range(2):
            synced = bench.run("sync", str(bench.folder))
            assert (synced.code, synced.err) == (0, "")
            check_whole(bench.folder, server.uri)


@pytest.mark.fault(
    "PostgreSQL",
    "restarted (fast, immediate) in the middle of a sweep, as backend of Optuna and MLflow",
    "the sweep is complete in both by itself",
)
@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_study_and_store_are_restarted(mode, bench):
    with postgres_server() as server:
        storage = server.add_database("study")
        words = (f"tracking.uri={server.uri}", f"hydra.sweeper.storage={storage}")
        process = bench.start_sweep(*words)
        bench.await_gate()
        bench.await_sent()
        server.stop(mode)
        server.start()
        bench.open_gate()
        done = bench.outcome(process)
        assert (done.code, done.err) == (0, "")
        assert "Not in MLflow yet" not in done.out
        check_whole(bench.folder, server.uri, storage)
