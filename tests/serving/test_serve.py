import html
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from student_perf.data.features import prepare_features
from student_perf.errors import ConfigError, StudentPerfError
from student_perf.runs.golden import GoldenRows
from student_perf.scoring.conformal import LEVELS, PredictionSets
from student_perf.serving.access import Access
from student_perf.serving.serve import Limits, Predictor, describe, make_app, serve
from student_perf.store.kept_model import load_kept_model
from tests.servers import free_port
from tests.serving.loopback import LIMIT, connect, received, running, wait_for


class Served:
    """A test client of a kept model and the lines it logs."""

    def __init__(self, kept, **limits):
        self.kept = kept
        self.lines = []
        app = make_app(kept, Limits(**limits), Access("127.0.0.1"), self.lines.append)
        self.client = TestClient(app, base_url="http://localhost:8000")

    def predict(self, *rows):
        return self.client.post("/predict", json={"rows": rows})


@pytest.fixture
def served(kept_run):
    return Served(load_kept_model(str(kept_run)), rows=50)


def test_answers_are_those_of_the_model(served):
    golden = served.kept.golden
    answer = served.predict(*golden.rows)
    assert answer.status_code == 200
    found = answer.json()["predictions"]
    features, _ = prepare_features(pd.DataFrame(golden.rows), served.kept.contract)
    expected = served.kept.output(features)
    shares = [list(one["probabilities"].values()) for one in found]
    np.testing.assert_array_equal(shares, expected)
    assert list(found[0]["probabilities"]) == ["low", "mid", "high"]
    labels = [one["prediction"] for one in found]
    assert labels == served.kept.model.predict(features).tolist()
    alone = served.predict(golden.rows[0]).json()["predictions"]
    assert alone[0]["prediction"] == found[0]["prediction"]


def test_the_log_counts_rows_far_outside_of_the_training_and_the_answer_does_not(served):
    row = served.kept.golden.rows[0]
    answer = served.predict(row, row | {"hours": 400.0, "absences": 400}, row | {"hours": None})
    assert answer.status_code == 200
    served.predict(row)
    far, plain = map(json.loads, served.lines)
    assert (far["rows"], far["far_outside"]) == (3, 1)
    assert "far_outside" not in plain
    assert set(answer.json()) == {"predictions"}
    assert set(answer.json()["predictions"][1]) == {"prediction", "probabilities"}


def test_a_request_may_ask_for_the_classes_that_hold_the_truth(served):
    rows = served.kept.golden.rows
    plain = served.predict(*rows).json()["predictions"]
    found = {
        level: served.client.post(f"/predict?coverage={level}", json={"rows": rows}).json()
        for level in (0.5, 0.9)
    }
    few, many = ([set(one["set"]) for one in found[at]["predictions"]] for at in (0.5, 0.9))
    assert all(one <= other for one, other in zip(few, many, strict=True))
    assert all(one["prediction"] in inside for one, inside in zip(plain, few, strict=True))
    assert [dict(one, set=None) for one in found[0.5]["predictions"]] == [
        dict(one, set=None) for one in plain
    ]
    for asked, rule in (("2", "must be from 0.5 to 0.99"), ("much", "must be a number")):
        answer = served.client.post(f"/predict?coverage={asked}", json={"rows": rows})
        assert answer.status_code == 422
        assert rule in answer.json()["detail"]


def test_numbers_get_an_interval(served):
    kept = served.kept
    limits = PredictionSets(100, [2.0] * len(LEVELS), [4.0] * len(LEVELS))
    predictor = Predictor(kept, 10)
    predictor.kept = replace(kept, contract=replace(kept.contract, classes=[]), sets=limits)
    predictor._output = lambda columns: np.array([3.0])
    body = json.dumps({"rows": kept.golden.rows[:1]}).encode()
    (answer,) = predictor.answer(body, predictor.limit("0.9")).answers
    assert answer == {"prediction": 3.0, "low": 1.0, "high": 5.0}


def test_an_unknown_category_is_422_with_the_allowed_ones_and_no_value_is_logged(served):
    row = served.kept.golden.rows[0]
    answer = served.predict(row, row | {"school": "yes"}, row | {"hours": "many", "extra": 1})
    assert answer.status_code == 422
    message = answer.json()
    assert (message["detail"], message["count"]) == ("3 cells refused", 3)
    assert message["refusals"][0] == {
        "row": 1,
        "column": "school",
        "value": "yes",
        "problem": "unknown category",
        "message": "school: 'yes' is not one of north, south",
        "allowed": ["north", "south"],
    }
    assert [one["column"] for one in message["refusals"]] == ["school", "extra", "hours"]
    served.predict(row)
    refused, good = map(json.loads, served.lines)
    assert (refused["status"], refused["rows"]) == (422, 3)
    assert refused["refused"] == {"unknown category": 1, "unknown column": 1, "not a number": 1}
    assert (good["method"], good["path"], good["status"], good["rows"]) == (
        "POST",
        "/predict",
        200,
        1,
    )
    assert good["ms"] > 0
    assert "yes" not in served.lines[0]
    assert "many" not in served.lines[0]


def test_requests_over_the_limits_are_413_however_they_are_sent(kept_run):
    served = Served(load_kept_model(str(kept_run)), request_bytes=2000, rows=3)
    row = served.kept.golden.rows[0]
    assert served.predict(row, row, row).status_code == 200
    many = served.predict(row, row, row, row)
    assert (many.status_code, many.json()["detail"]) == (
        413,
        "4 rows are more than the limit of 3",
    )
    sent = 0

    def chunks():
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 1000

    headers = {"Content-Type": "application/json"}
    for content in (b" " * 2001, chunks()):
        answer = served.client.post("/predict", content=content, headers=headers)
        assert answer.status_code == 413
        assert "limit of 2000 bytes" in answer.json()["detail"]
    served.lines.clear()
    assert served.client.post("/predict", content="{}").status_code == 415
    assert served.client.post("/predict", content="{", headers=headers).status_code == 400
    assert [json.loads(line)["status"] for line in served.lines] == [415, 400]


def test_health_model_documentation_and_schema(served, kept_run):
    get = served.client.get
    assert get("/health").json() == {"status": "alive"}
    n_golden = len(served.kept.golden.rows)
    assert get("/ready").json() == {"status": "ready", "golden_rows": n_golden}
    described = get("/model").json()
    assert described["contract"]["classes"] == ["low", "mid", "high"]
    assert len(described["model_sha256"]) == len(described["data_sha256"]) == 64
    page = get("/docs").text
    assert "north, south" in page
    assert "src=" not in page
    assert "://" not in page.replace(str(kept_run), "")
    schema = get("/openapi.json").json()["paths"]["/predict"]["post"]["requestBody"]
    schema = schema["content"]["application/json"]["schema"]
    school = schema["properties"]["rows"]["items"]["properties"]["school"]
    assert ["north", "south"] in [part.get("enum") for part in school["anyOf"]]
    assert served.client.post("/predict", json=schema["examples"][0]).status_code == 200


def test_another_path_or_method_is_json_too(served):
    wrong = served.client.get("/predictions")
    assert (wrong.status_code, wrong.json()) == (404, {"detail": "Not Found"})
    wrong = served.client.get("/predict")
    assert (wrong.status_code, wrong.json()) == (405, {"detail": "Method Not Allowed"})
    assert wrong.headers["allow"] == "POST"
    assert [json.loads(line)["status"] for line in served.lines] == [404, 405]


def test_a_model_that_answers_otherwise_is_not_ready_and_not_served(served, kept_run):
    preprocess = served.kept.model.estimator_.named_steps["preprocess"]
    scaler = preprocess.named_transformers_["numeric"].steps[-1][1]
    scaler.mean_ = scaler.mean_ + 1.0
    answer = served.client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"][0].startswith("golden row 0: expected")
    with pytest.raises(StudentPerfError, match="is not served, golden row 0"):
        Served(served.kept)
    with pytest.raises(ConfigError, match="no golden rows"):
        Served(replace(served.kept, golden=None))


def test_the_arrays_that_answer_are_checked_too(served, monkeypatch):
    monkeypatch.setattr(
        "student_perf.serving.array_model.ArrayModel.output",
        lambda self, values: np.full((len(served.kept.golden.rows), 3), 1 / 3),
    )
    assert served.client.get("/ready").status_code == 503


def test_an_unforeseen_error_is_a_plain_500(served, monkeypatch):
    def fail(self, values):
        raise RuntimeError("secret north")

    monkeypatch.setattr("student_perf.serving.array_model.ArrayModel.output", fail)
    answer = served.predict(served.kept.golden.rows[0])
    assert answer.status_code == 500
    assert "north" not in answer.text + served.lines[0]
    assert json.loads(served.lines[0])["error"].startswith("RuntimeError at ")


def test_a_table_model_is_served_from_tables(served, monkeypatch):
    expected = served.predict(*served.kept.golden.rows).json()
    monkeypatch.setattr("student_perf.serving.serve.make_array_model", lambda kept, golden: None)
    assert Served(served.kept).predict(*served.kept.golden.rows).json() == expected


def test_a_regression_model_answers_with_numbers(served):
    class Hours:
        def predict(self, features):
            return features["hours"].fillna(0).to_numpy()

    rows = served.kept.golden.rows
    expected = [[0.0 if row["hours"] is None else row["hours"]] for row in rows]
    golden = GoldenRows(rows, expected, served.kept.golden.packages)
    kept = replace(
        served.kept,
        model=Hours(),
        golden=golden,
        contract=replace(served.kept.contract, classes=[]),
    )
    found = Served(kept).predict(*rows).json()["predictions"]
    assert found == [{"prediction": value} for (value,) in expected]


def test_an_mlflow_folder_tells_its_run(served, tmp_path, kept_run):
    folder = tmp_path / "model"
    (folder / "extra_files").mkdir(parents=True)
    (folder / "model.skops").write_bytes((kept_run / "model.skops").read_bytes())
    (folder / "extra_files/contract.yaml").write_bytes((kept_run / "contract.yaml").read_bytes())
    (folder / "MLmodel").write_text("run_id: abc\nmodel_id: m-1\n", encoding="utf-8")
    described = describe(replace(served.kept, folder=folder))
    assert (described["run_id"], described["model_id"]) == ("abc", "m-1")
    assert described["model_sha256"] == describe(served.kept)["model_sha256"]


def test_no_answer_leads_elsewhere(served):
    row = served.kept.golden.rows[0]
    for path in ("/predict/", "/docs/", "/health/"):
        answer = served.client.post(path, json={"rows": [row]}, follow_redirects=False)
        assert answer.status_code == 404, path
    assert served.client.get("/docs/", follow_redirects=False).status_code == 404


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1:9123", "127.0.0.1:9123"),
        ("[::1]:9123", "[::1]:9123"),
        ("localhost:1;reboot", "127.0.0.1"),
    ],
)
def test_the_line_on_the_page_asks_this_server(served, host, shown):
    text = served.client.get("/docs", headers={"Host": host}).text
    line = html.unescape(text.partition("<pre>curl ")[2].partition("</pre>")[0])
    *_, body, address = shlex.split(line)
    assert address == f"{shown}/predict"
    assert "reboot" not in text
    kind = {"Content-Type": "application/json"}
    assert served.client.post("/predict", content=body, headers=kind).status_code == 200


def test_the_line_of_a_server_with_a_token_has_a_place_for_it(kept_run):
    access = Access("127.0.0.1", "a-token-of-at-least-sixteen")
    app = make_app(load_kept_model(str(kept_run)), Limits(), access, print)
    text = TestClient(app).get("/", headers={"Authorization": f"Bearer {access.token}"}).text
    assert "curl -H &#39;Authorization: Bearer TOKEN&#39;" in text
    assert access.token not in text


def test_a_page_from_elsewhere_cannot_ask(served):
    rows = {"rows": served.kept.golden.rows}
    answer = served.client.post("/predict", json=rows, headers={"Host": "rebound.example:8000"})
    assert answer.status_code == 421
    assert "Access-Control-Allow-Origin" not in served.client.get("/model").headers


def test_every_answer_has_its_security_headers(served):
    for path in ("/docs", "/model", "/nothing", "/predict"):
        headers = served.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
    page = served.client.get("/docs")
    assert page.headers["content-security-policy"] == "frame-ancestors 'none'"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "Content-Security-Policy" in page.text


def test_what_is_not_quick_is_answered_beside_the_event_loop(served, monkeypatch):
    asked = []

    async def run(self, function, *arguments):
        asked.append(function.__name__)
        return function(*arguments)

    monkeypatch.setattr("student_perf.serving.serve._Threads.run", run)
    row = served.kept.golden.rows[0]
    assert served.predict(row).status_code == 200
    assert asked == []
    assert served.predict(row | {"school": "yes"}).status_code == 422
    assert served.predict(row | {"school": " north "}).status_code == 200
    assert served.predict(*[row] * 51).status_code == 413
    served.client.get("/ready")
    assert asked == ["answer", "answer", "answer", "check"]


def test_too_many_requests_at_once_are_503_but_quick_ones_and_health_are_answered(
    served, monkeypatch
):
    monkeypatch.setattr("student_perf.serving.serve._MOST_AT_WORK", 0)
    row = served.kept.golden.rows[0]
    busy = served.predict(row | {"school": "yes"})
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
    assert served.client.get("/ready").status_code == 503
    assert served.client.get("/health").status_code == 200
    assert served.predict(row).status_code == 200


def test_a_large_body_is_413_and_a_slow_one_408_and_one_that_ends_early_499(served, monkeypatch):
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with running(served.client.app) as port:
        for size in (25_000_000, 50_000_000):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/predict", b" " * size, headers)
            assert connection.getresponse().status == 413
            connection.close()
        with connect(port) as asking:
            asking.sendall(head + b"Expect: 100-continue\r\nContent-Length: 50000000\r\n\r\n")
            assert received(asking).startswith(b"HTTP/1.1 413")  # before a byte of it is sent
        with connect(port) as leaving:
            leaving.sendall(head + b"Content-Length: 100\r\n\r\nhalf")
        wait_for(lambda: len(served.lines) == 4)
        monkeypatch.setattr("student_perf.serving.serve._BODY_SECONDS", 0.1)
        with connect(port) as slow:
            slow.sendall(head + b"Content-Length: 100\r\n\r\nhalf")
            assert received(slow).startswith(b"HTTP/1.1 408")
    assert [json.loads(line)["status"] for line in served.lines] == [413, 413, 413, 499, 408]


def test_what_cannot_be_listened_on_is_reported(kept_run):
    kept = load_kept_model(str(kept_run))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--port {port}: cannot be listened on"):
            serve(kept, Access("127.0.0.1"), port, Limits(), print)


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"request_bytes": -1}])
def test_a_limit_that_lets_nothing_through_is_reported(wrong):
    with pytest.raises(ConfigError, match="must be at least 1"):
        Limits(**wrong)


@pytest.mark.slow
def test_a_real_server_answers_and_ends_cleanly_on_ctrl_c(kept_run):
    port = free_port()
    command = [sys.executable, "-m", "student_perf", "serve", str(kept_run), "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    try:
        line = process.stderr.readline()
        assert f"http://127.0.0.1:{port}" in line, line + process.stderr.read()
        kept = load_kept_model(str(kept_run))
        body = json.dumps({"rows": kept.golden.rows})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        headers = {"Content-Type": "application/json"}
        seconds = []
        for _ in range(20):
            started = time.perf_counter()
            connection.request("POST", "/predict", body, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())["predictions"]
            seconds.append(time.perf_counter() - started)
        assert min(seconds) < 0.04  # Nagle's delay, which would hold up each of them
        np.testing.assert_allclose(
            [list(one["probabilities"].values()) for one in found], kept.golden.expected
        )
        connection.request("POST", "/predict", iter([b" " * 600_000] * 2), headers)
        assert connection.getresponse().status == 413
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0
    assert err == ""
    assert [json.loads(line)["status"] for line in out.splitlines()] == [200] * 20 + [413]
