"""What is recorded survives a real tracking server that goes away, and many processes at once."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.runs.record import RunRecord, load_record
from student_perf.store.client import RunStore
from tests.servers import free_port, mlflow_server, postgres

pytestmark = pytest.mark.slow


def call(workspace, *words):
    environment = os.environ | {WORKSPACE_VARIABLE: str(workspace), "MLFLOW_TRACKING_URI": ""}
    del environment["MLFLOW_TRACKING_URI"]
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def runs_at(uri):
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("student_perf")
    return client.search_runs([experiment.experiment_id]) if experiment else []


def test_a_server_that_dies_during_a_sweep_loses_nothing(workspace, tmp_path):
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    words = ["model=rf", "model.max_depth=2,3,4,5,6,7", "split.n_splits=3"]
    sweep = ["student_perf.train", "-m", *words, f"tracking.uri={uri}", "report.importance=false"]
    with mlflow_server(tmp_path, port):
        running = call(workspace, *sweep)
        until = time.monotonic() + 180
        while not any(r.data.tags.get("student_perf.kind") == "trial" for r in runs_at(uri)):
            assert time.monotonic() < until
            assert running.poll() is None
            time.sleep(0.2)
    said, _ = running.communicate(timeout=300)
    assert running.returncode == 0, said
    assert "Not in MLflow yet" in said
    assert "student_perf sync" in said
    (folder,) = (workspace / "multirun").iterdir()
    assert load_record(folder / "winner").status == "FINISHED"

    with mlflow_server(tmp_path, port):
        for _ in range(2):
            done = call(workspace, "student_perf", "sync")
            said, _ = done.communicate(timeout=300)
            assert done.returncode == 0, said
            found = runs_at(uri)
            kinds = sorted(run.data.tags["student_perf.kind"] for run in found)
            assert kinds == ["final", "sweep", *["trial"] * 6]
            assert {run.info.status for run in found} == {"FINISHED"}
            numbers = sorted(
                int(run.data.tags["student_perf.trial_number"])
                for run in found
                if run.data.tags["student_perf.kind"] == "trial"
            )
            assert numbers == list(range(6))
            for run in found:
                if run.data.tags["student_perf.kind"] == "trial":
                    number = run.data.tags["student_perf.trial_number"]
                    best = load_record(folder / number).metrics["cv_accuracy_mean"]
                    assert run.data.metrics["cv_accuracy_mean"] == best


def _send_one(uri, folder, barrier):
    barrier.wait()
    record = RunRecord(folder, folder.name, "single", {"a": "1"}, {})
    folder.mkdir(parents=True)
    record.finish()
    RunStore(TrackingConfig(True, uri, "together")).send(record)


def test_sixteen_processes_on_a_fresh_file_all_succeed(tmp_path):
    sixteen_at_once(f"sqlite:///{tmp_path}/fresh.db", tmp_path)


@pytest.mark.skipif(not shutil.which("initdb"), reason="no PostgreSQL on this machine")
def test_sixteen_processes_on_a_fresh_postgresql_all_succeed(workspace, tmp_path):
    with postgres() as uri:
        sixteen_at_once(uri, tmp_path)


@pytest.mark.skipif(not shutil.which("initdb"), reason="no PostgreSQL on this machine")
def test_a_run_on_postgresql_is_there_and_its_password_nowhere(workspace, tmp_path):
    quick = ["model=dummy", "report.importance=false", "split.n_splits=3"]
    with postgres() as uri:
        running = call(workspace, "student_perf.train", *quick, f"tracking.uri={uri}")
        said, _ = running.communicate(timeout=300)
        assert running.returncode == 0, said
        (run,) = runs_at(uri)
        assert run.info.status == "FINISHED"
        assert "rosebud77" not in said + str(run.to_dictionary())
    written = [path for path in workspace.rglob("*") if path.is_file()]
    assert any(path.name == "model.skops" for path in written)
    assert not [path for path in written if b"rosebud77" in path.read_bytes()]


def sixteen_at_once(uri, tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(16)
    processes = [
        context.Process(target=_send_one, args=(uri, tmp_path / f"run{i}", barrier))
        for i in range(16)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=300)
    assert [process.exitcode for process in processes] == [0] * 16
    client = MlflowClient(tracking_uri=uri)
    (experiment,) = client.search_experiments(filter_string="name = 'together'")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted(run.info.run_name for run in runs) == sorted(f"run{i}" for i in range(16))
    assert {run.info.status for run in runs} == {"FINISHED"}
