import json
import os
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError, TrackingError
from student_perf.experiment.run import run_experiment
from student_perf.runs.layout import SENDING_LOCK_FILE
from student_perf.runs.record import RunRecord, load_record
from student_perf.store.client import as_current, check_store
from student_perf.store.publisher import publish
from student_perf.terminal import Terminal
from tests.conftest import compose_config

QUICK = ["split.n_splits=2", "report.importance=false"]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """One tracked run in a store of its own, with a run id left in the environment."""
    folder = tmp_path_factory.mktemp("tracked")
    uri = f"sqlite:///{folder}/mlflow.db"
    config = compose_config("model=xgb", "model.n_estimators=10", f"tracking.uri={uri}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_RUN_ID", "0123456789abcdef0123456789abcdef")
        result = run_experiment(config, folder / "run", Terminal(quiet=True))
    client = MlflowClient(tracking_uri=uri)
    return result, client, client.get_run(result.record.mlflow_run_id)


def test_the_run_is_finished_under_its_name_and_experiment(tracked):
    result, client, run = tracked
    assert run.info.status == "FINISHED"
    assert run.info.run_name == result.record.name
    experiments = client.search_experiments(filter_string="name = 'student_perf'")
    assert [e.experiment_id for e in experiments] == [run.info.experiment_id]
    assert len(client.search_runs([run.info.experiment_id])) == 1
    assert load_record(result.record.folder).mlflow_run_id == run.info.run_id


def test_params_metrics_and_tags_equal_the_record(tracked):
    result, client, run = tracked
    params = result.record.params
    noise = {"tracking.uri", "tracking.experiment", "tags.role", "report.importance"}
    assert noise <= set(params)
    assert run.data.params == result.record.decisive_params
    assert {key.split(".")[0] for key in set(params) - set(run.data.params)} == {
        "tracking", "tags", "report"
    }  # fmt: skip
    assert result.record.shown_metrics.keys() == run.data.metrics.keys()
    assert len(run.data.metrics) < 40
    for name, value in result.record.shown_metrics.items():
        history = client.get_metric_history(run.info.run_id, name)
        values = value if isinstance(value, list) else [value]
        assert [m.value for m in sorted(history, key=lambda m: m.step)] == values, name
    assert result.record.tags.items() <= run.data.tags.items()


def test_artifacts_are_those_of_the_folder(tracked):
    result, client, run = tracked
    logged = {file.path for file in client.list_artifacts(run.info.run_id)} - {"images", "tables"}
    own = {"model.skops", "record.json", SENDING_LOCK_FILE}
    kept = {p.name for p in result.record.folder.iterdir()} - own
    assert logged == kept
    assert "confusion_matrix.png" in logged


def test_dataset_input_carries_our_digest(tracked):
    result, _, run = tracked
    (entry,) = run.inputs.dataset_inputs
    assert entry.dataset.name == "econmath"
    assert entry.dataset.digest == result.record.tags["student_perf.data_sha256"][:32]


def test_the_logged_model_loads_safely_and_answers_alike(tracked):
    import mlflow

    from student_perf.runs.model_file import load_model

    result, client, run = tracked
    (output,) = run.outputs.model_outputs
    model_info = client.get_logged_model(output.model_id)
    loaded = mlflow.pyfunc.load_model(model_info.artifact_location)
    assert list(loaded.metadata.flavors) == ["python_function"]  # no pickle anywhere
    assert loaded.metadata.signature.inputs.input_names()[:2] == ["age", "work"]
    example = loaded.input_example
    kept = load_model(result.record.folder / "model.skops")
    np.testing.assert_array_equal(loaded.predict(example), kept.predict(example))
    pinned = Path(model_info.artifact_location.removeprefix("file://"), "requirements.txt")
    assert all("==" in line for line in pinned.read_text().split())


@pytest.mark.slow
def test_params_that_mlflow_refuses_or_cuts_stay_apart(tracked, tmp_path, grades):
    _, client, _ = tracked
    uri = load_record(tracked[0].record.folder).params["tracking.uri"]
    path = tmp_path / "g.csv"
    table = pd.read_csv(grades).rename(columns={"school": "school (%)"})
    long = [f"{'x' * 2000} {i}" for i in range(4)]
    table["school [%]"] = (long * len(table))[: len(table)]
    table.to_csv(path, index=False)
    config = compose_config(
        "model=dummy",
        f"tracking.uri={uri}",
        "tracking.experiment=keys",
        "dataset=csv",
        f"dataset.path={path}",
        "dataset.target=grade",
        *QUICK,
    )
    config.composed["dataset"]["categories"] = {
        "school (%)": ["north", "south"],
        "school [%]": long,
    }
    record = run_experiment(config, tmp_path / "run", Terminal(quiet=True)).record
    params = client.get_run(record.mlflow_run_id).data.params
    mine = {key: value for key, value in params.items() if "categories.school ___" in key}
    assert len(mine) == 2
    assert "['north', 'south']" in mine.values()
    cut = max(mine.values(), key=len)
    assert len(cut) == 6000
    assert re.search(r"\.\.\. \(cut: 8,0\d\d characters in all, SHA-256 [0-9a-f]{64}\)$", cut)


def test_a_failed_run_is_published_as_failed(tracked, monkeypatch, tmp_path):
    def broken(*_args, **_kwargs):
        raise RuntimeError("out of memory")

    _, client, first = tracked
    uri = load_record(tracked[0].record.folder).params["tracking.uri"]
    monkeypatch.setattr("student_perf.experiment.records.write_result", broken)
    config = compose_config(
        "model=logreg", f"tracking.uri={uri}", "tracking.experiment=failing", *QUICK
    )
    with pytest.raises(RuntimeError):
        run_experiment(config, tmp_path, Terminal(quiet=True))
    record = load_record(tmp_path)
    run = client.get_run(record.mlflow_run_id)
    assert (record.status, run.info.status) == ("FAILED", "FAILED")
    assert run.data.tags["student_perf.error"] == "RuntimeError: out of memory"
    assert run.info.experiment_id != first.info.experiment_id


@pytest.mark.slow
def test_a_broken_sending_ends_the_run_as_failed(tracked, monkeypatch, tmp_path, caplog):
    _, client, _ = tracked
    uri = load_record(tracked[0].record.folder).params["tracking.uri"]

    def broken(*_args, **_kwargs):
        raise OSError("connection lost")

    monkeypatch.setattr("student_perf.store.client._send_files", broken)
    config = compose_config(
        "model=logreg", f"tracking.uri={uri}", "tracking.experiment=broken", *QUICK
    )
    with caplog.at_level("ERROR"):
        run_experiment(config, tmp_path, Terminal(quiet=True))
    assert re.search("connection lost.*the whole record is in", caplog.text)
    experiment = client.get_experiment_by_name("broken")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FAILED"
    assert "connection lost" in run.data.tags["student_perf.error"]
    assert load_record(tmp_path).status == "FINISHED"


def test_a_deleted_experiment_is_said_before_the_first_fit(tracked, tmp_path):
    _, client, _ = tracked
    uri = load_record(tracked[0].record.folder).params["tracking.uri"]
    client.delete_experiment(client.create_experiment("gone"))
    config = compose_config("model=dummy", f"tracking.uri={uri}", "tracking.experiment=gone")
    with pytest.raises(TrackingError, match=r"experiment=gone: was deleted.*experiments restore"):
        run_experiment(config, tmp_path / "run", Terminal(quiet=True))
    assert not (tmp_path / "run").exists()  # nothing was fitted


@pytest.mark.parametrize("in_environment", [None, "sqlite:///theirs.db"])
@pytest.mark.parametrize("in_process", [None, "sqlite:///mine.db"])
def test_a_store_is_the_current_one_for_a_while_only(monkeypatch, in_environment, in_process):
    import mlflow

    mlflow.set_tracking_uri(in_process)
    os.environ.pop("MLFLOW_TRACKING_URI", None)  # which MLflow has set
    if in_environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", in_environment)
    with as_current("sqlite:///ours.db"):
        assert mlflow.get_tracking_uri() == "sqlite:///ours.db"
    assert os.environ.pop("MLFLOW_TRACKING_URI", None) == in_environment
    assert mlflow.is_tracking_uri_set() == (in_process is not None)
    if in_process:
        assert mlflow.get_tracking_uri() == in_process
    mlflow.set_tracking_uri(None)


def store(uri):
    return TrackingConfig(True, uri, "x")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("file:./mlruns", "must start with a scheme"),
        ("htp://127.0.0.1", "did you mean http"),
        ("./mlruns", "must start with a scheme"),
        ("sqlite:////no/such/folder/mlflow.db", "not there or not writable"),
        ("sqlite:////tmp/100%20right/mlflow.db", "takes '%20' in a path for something else"),
        ("sqlite:////tmp/why?/mlflow.db", "takes '[?]' in a path for something else"),
    ],
)
def test_stores_that_cannot_work_are_refused_at_once(uri, message):
    with pytest.raises((TrackingError, ConfigError), match=message):
        check_store(store(uri))


def test_a_closed_port_is_refused_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TrackingError, match="no answer within"):
            check_store(store(f"http://127.0.0.1:{port}"))


def test_a_server_that_accepts_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("student_perf.store.client._ANSWER_SECONDS", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        kept_open: list[object] = []
        threading.Thread(target=lambda: kept_open.append(silent.accept()), daemon=True).start()
        with pytest.raises(TrackingError, match="timed out"):  # it stays silent for ever
            check_store(store(f"http://127.0.0.1:{silent.getsockname()[1]}"))


@pytest.mark.slow
def test_a_server_that_refuses_its_name_is_named_before_training():
    from mlflow.server.security_utils import INVALID_HOST_MSG

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(403)
            self.end_headers()
            self.wfile.write(INVALID_HOST_MSG.encode())

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        name = f"127.0.0.1:{server.server_port}"
        with pytest.raises(TrackingError, match=f"called {name} .*allowed-hosts {name}"):
            check_store(store(f"http://{name}"))
        server.shutdown()


def test_a_run_id_in_the_environment_is_ignored(tracked):
    result, _, _ = tracked
    assert result.record.mlflow_run_id != "0123456789abcdef0123456789abcdef"
    assert "MLFLOW_RUN_ID" not in os.environ


class FallsSilent(BaseHTTPRequestHandler):
    """Answers as MLflow does until a run is to be filled, and no question after that."""

    def do_GET(self):
        path = self.path.partition("?")[0].rpartition("/")[2]
        self._answer({"experiment": EXPERIMENT} if path == "get-by-name" else {})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.rpartition("/")[2]
        if path == "create":
            info = {"run_id": "a" * 32, "experiment_id": "1", "status": "RUNNING"}
            self.server.patience.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")  # for what follows
            self._answer({"run": {"info": info, "data": {}}})
        elif path == "search":
            self._answer({"runs": []})
        else:
            self.server.silent.append(path)
            self.server.over.wait(600)

    def _answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


EXPERIMENT = {"experiment_id": "1", "name": "e", "lifecycle_stage": "active"}


@pytest.mark.slow
def test_a_server_that_falls_silent_is_asked_once_more_and_no_other_question(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "300")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    record = RunRecord(tmp_path, "run", "single", {"a": "1"}, {}, {"m": 0.5})
    record.finish()
    server = ThreadingHTTPServer(("127.0.0.1", 0), FallsSilent)
    server.silent, server.over, server.patience = [], threading.Event(), monkeypatch
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        uri = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(TrackingError, match="did not take the run"):
            publish(record, TrackingConfig(True, uri, "e"))
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
    assert set(server.silent) == {"log-batch"}
    assert len(server.silent) <= 2
    assert load_record(tmp_path).status == "FINISHED"
