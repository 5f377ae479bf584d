"""A tracking server that goes, hangs or answers nonsense while a sweep runs."""

import pytest

from student_perf.runs.record import load_record
from tests.faults.conftest import check_whole, one_error, runs_in
from tests.faults.proxy import proxy_to
from tests.servers import free_port, mlflow_server
from tests.sweep.conftest import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture
def proxy(server, bench):
    """Between the commands and the server; what hangs is given up after two seconds."""
    bench.environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "2"
    with proxy_to(server) as made:
        yield made


def sync(bench, store):
    done = bench.run("sync", str(bench.folder))
    assert (done.code, done.err) == (0, "")
    check_whole(bench.folder, store)


def sync_at_once(bench, *words):
    """Two at once: the second finds all there, or says after a minute that the first one sends."""
    both = [bench.start("sync", *words) for _ in range(2)]
    done = sorted((bench.outcome(process) for process in both), key=lambda one: one.code)
    assert done[0].code == 0, done
    if done[1].code:
        one_error(done[1], "another process is sending it to MLflow")


@pytest.mark.fault(
    "Tracking server",
    "answers 500, 403 or HTML, or hangs, from the middle of a sweep on",
    "the sweep is FINISHED on disk with one line that names `sync`, which sends it once",
)
@pytest.mark.parametrize("mode", ["500", "403", "html", "hang"])
def test_in_the_middle(mode, bench, proxy, server):
    process = bench.start_sweep(f"tracking.uri={proxy.address}")
    bench.await_gate()
    bench.await_sent()
    proxy.mode = mode
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Not in MLflow yet") == 1
    records = map(load_record, (file.parent for file in bench.folder.rglob("record.json")))
    assert {record.status for record in records} == {"FINISHED"}
    proxy.mode = "pass"
    sync(bench, server)


@pytest.mark.fault(
    "Tracking server",
    "answers 500, hangs or refuses from before the start of a sweep on",
    "the sweep is FINISHED on disk; two `sync` at once send it once",
)
@pytest.mark.parametrize("mode", ["500", "hang", "refuses"])
def test_before_the_start(mode, bench, proxy, server):
    proxy.mode = mode
    uri = f"http://127.0.0.1:{free_port()}" if mode == "refuses" else proxy.address
    done = bench.sweep(f"tracking.uri={uri}")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Not in MLflow yet") == 1
    proxy.mode = "pass"
    if mode == "refuses":  # it has come back at another address
        record = load_record(bench.folder)
        record.params["tracking.uri"] = proxy.address
        record.save()
    sync_at_once(bench, str(bench.folder))
    check_whole(bench.folder, server)
    sync(bench, server)


@pytest.mark.fault(
    "Tracking server",
    "answers 500 or hangs once the model of a sweep's winner is sent",
    "the sweep is FINISHED on disk; `sync` sends the rest once",
)
@pytest.mark.parametrize("mode", ["500", "hang"])
def test_at_the_end(mode, bench, proxy, server):
    proxy.trigger = ("logged-models", mode)
    done = bench.sweep(f"tracking.uri={proxy.address}")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Not in MLflow yet") == 1
    proxy.trigger, proxy.mode = None, "pass"
    sync(bench, server)


@pytest.mark.fault(
    "Tracking server", "takes a second for each answer", "the sweep waits for it and is complete"
)
def test_slow_answers(bench, proxy, server):
    bench.environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] = "20"
    process = bench.start_sweep(f"tracking.uri={proxy.address}")
    bench.await_gate()
    bench.await_sent()
    proxy.mode = "slow"
    bench.open_gate()
    done = bench.outcome(process)
    assert (done.code, done.err) == (0, "")
    assert "Not in MLflow yet" not in done.out
    proxy.mode = "pass"
    check_whole(bench.folder, server)


@pytest.mark.fault(
    "Tracking server",
    "killed in the middle of a sweep, and back before its end or after it",
    "everything arrives once: by the sweep itself, or by `sync`",
)
@pytest.mark.parametrize("back", ["before", "after"])
def test_killed(back, bench, tmp_path):
    port = free_port()
    with mlflow_server(tmp_path, port) as address:
        process = bench.start_sweep(f"tracking.uri={address}")
        bench.await_gate()
        bench.await_sent()
    if back == "after":
        bench.open_gate()
        done = bench.outcome(process)
        assert "Not in MLflow yet" in done.out
    with mlflow_server(tmp_path, port) as address:
        if back == "before":
            bench.open_gate()
            done = bench.outcome(process)
            assert "Not in MLflow yet" not in done.out
        assert (done.code, done.err) == (0, "")
        sync(bench, address)


@pytest.mark.fault(
    "Tracking server", "away while a run ends", "two `sync` at once send the run once"
)
def test_a_run_is_sent_by_two(bench, proxy, server):
    bench.open_gate()
    proxy.mode = "500"
    done = bench.run("train", *bench.data(), f"tracking.uri={proxy.address}")
    assert (done.code, done.err) == (0, "")
    assert "Not in MLflow yet" in done.out
    proxy.mode = "pass"
    (folder,) = bench.workspace.glob("outputs/*/*")
    mine = load_record(folder).record_id
    sync_at_once(bench)
    for _ in range(2):
        sent = [r for r in runs_in(server) if r.data.tags["student_perf.record_id"] == mine]
        assert [run.info.status for run in sent] == ["FINISHED"]
        assert len(sent[0].outputs.model_outputs) == 1
        assert bench.run("sync").code == 0
    wait_until(lambda: load_record(folder).mlflow_run_id == sent[0].info.run_id)
