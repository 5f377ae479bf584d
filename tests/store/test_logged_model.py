import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from student_perf.data.contract import ColumnContract, Contract
from student_perf.data.features import prepare_features
from student_perf.paths import PACKAGE_DIR
from student_perf.runs.layout import LOGGED_PLACE
from student_perf.serving.predict import predict_file
from student_perf.store.attachments import signature_of
from student_perf.store.kept_model import load_kept_model
from student_perf.store.logged_model import LoggedModel
from tests.servers import free_port

SHARES = {"probabilities": True}


@pytest.fixture(scope="module")
def kept(kept_once):
    return load_kept_model(str(kept_once))


@pytest.fixture(scope="module")
def folder(kept, tmp_path_factory):
    """A model as `send_model` logs it, without a store."""
    import mlflow

    place = tmp_path_factory.mktemp("logged")
    data = place / Path(LOGGED_PLACE).name
    data.symlink_to(kept.folder)
    mlflow.pyfunc.save_model(
        str(place / "saved"),
        loader_module="student_perf.store.logged_model",
        data_path=str(data),
        signature=signature_of(kept.contract),
        pip_requirements=[],
        code_paths=[str(PACKAGE_DIR)],
    )
    return place / "saved"


@pytest.fixture(scope="module")
def logged(folder):
    import mlflow

    return mlflow.pyfunc.load_model(str(folder))


@pytest.fixture
def rows(kept):
    return pd.DataFrame(kept.golden.rows)


def test_answers_and_probabilities_are_those_of_predict_to_the_last_bit(
    kept, logged, rows, tmp_path
):
    raw = pd.concat([rows] * 20, ignore_index=True)
    raw["hours"] += np.linspace(0, 1e-9, len(raw))
    raw.to_parquet(tmp_path / "in.parquet")
    predict_file(kept, tmp_path / "in.parquet", tmp_path / "out.parquet")
    expected = pd.read_parquet(tmp_path / "out.parquet").drop(columns=["row", "reason"])
    table = logged.predict(raw, params=SHARES)
    assert list(table.columns) == ["prediction", "proba_low", "proba_mid", "proba_high"]
    for name in table:
        assert table[name].tolist() == expected[name].tolist(), name
    assert logged.predict(raw).tolist() == expected["prediction"].tolist()


def test_integers_blanks_and_other_kinds_of_columns_are_taken(logged, rows):
    whole = rows.fillna({"hours": 3}).assign(hours=lambda table: table["hours"].round())
    expected = logged.predict(whole, params=SHARES)
    for other in (
        whole.assign(hours=whole["hours"].astype("int64")),
        whole.assign(hours=whole["hours"].astype("Int64")),
        whole.assign(hours=whole["hours"].astype("object")),
        whole.assign(hours=whole["hours"].map(str)),
        whole.assign(school=" " + whole["school"] + "  "),
        whole.assign(school=whole["school"].astype("object"), more=1)[
            ["more", *whole.columns[::-1]]
        ],
    ):
        pd.testing.assert_frame_equal(logged.predict(other, params=SHARES), expected)


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("school", "west", "row 1: school: 'west' is not one of north, south"),
        ("hours", True, "row 1: hours: 'True' is not a number"),
        ("hours", "many", "row 1: hours: 'many' is not a number"),
        ("hours", float("inf"), "row 1: hours: 'inf' is not a number"),
        ("hours", [1], r"row 1: hours: '\[1\]' is not a number"),
        ("absences", None, "row 1: absences: a missing value is not allowed"),
    ],
)
def test_what_predict_refuses_is_refused_with_the_reason(logged, rows, column, cell, reason):
    from mlflow.exceptions import MlflowException

    rows[column] = rows[column].astype("object")
    rows.at[1, column] = cell
    with pytest.raises(MlflowException, match=f"1 of {len(rows)} rows refused: {reason}") as caught:
        logged.predict(rows)
    assert caught.value.get_http_status_code() == 400


def test_a_column_that_is_not_there_is_refused(kept, logged, rows):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match=r"missing inputs .'hours'."):
        logged.predict(rows.drop(columns="hours"))
    with pytest.raises(MlflowException, match="column 'hours': the model needs it"):
        LoggedModel(kept).predict(rows.drop(columns="hours"))


def test_the_signature_is_that_of_the_contract(logged, kept):
    inputs = logged.metadata.signature.inputs
    assert inputs.required_input_names() == list(kept.contract.columns)
    kinds = {spec.name: str(spec.type) for spec in inputs}
    assert {name: rules.kind for name, rules in kept.contract.columns.items()} == {
        name: "categorical" if kind == "DataType.string" else "numeric"
        for name, kind in kinds.items()
    }
    assert logged.metadata.signature.params.params[0].default is False


def test_numbers_are_answered_with_numbers(kept, rows):
    class Hours:
        def predict(self, features):
            return features["hours"].fillna(0).to_numpy()

    contract = replace(kept.contract, classes=[])
    model = LoggedModel(replace(kept, model=Hours(), contract=contract))
    features, _ = prepare_features(rows, contract)
    np.testing.assert_array_equal(model.predict(rows, SHARES), features["hours"].fillna(0))
    assert signature_of(contract).params is None


@pytest.mark.slow
def test_mlflow_s_server_refuses_what_the_contract_refuses(logged, rows):
    from mlflow.pyfunc import scoring_server
    from starlette.testclient import TestClient

    client = TestClient(scoring_server.init(logged))

    def ask(*records, **more):
        return client.post("/invocations", json={"dataframe_records": records, **more})

    good = {name: None if value != value else value for name, value in rows.iloc[0].items()}
    answer = ask(good, params=SHARES)
    expected = logged.predict(rows[:1], params=SHARES)
    assert answer.status_code == 200
    assert answer.json()["predictions"] == expected.to_dict("records")
    for wrong in ({"school": "west"}, {"hours": True}, {"absences": None}, {"absences": [1]}):
        refused = ask(good, good | wrong)
        assert refused.status_code == 400
        assert "1 of 2 rows refused: row 1" in refused.json()["message"], wrong


@pytest.mark.slow
def test_mlflow_models_serve_starts_from_the_code_of_the_model(folder, rows, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder)]
    words = ["--env-manager", "local", "--port", str(port)]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("PYTHONPATH", None)
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=environment,
            cwd=tmp_path,
        )
        try:
            found = _ask_when_ready(server, port, rows)
        finally:
            os.killpg(server.pid, 9)
            server.wait()
    assert found == [200, 400]


def _ask_when_ready(server, port, rows):
    found = []
    for records in (rows[:1], rows[:1].assign(school="west")):
        body = json.dumps({"dataframe_split": json.loads(records.to_json(orient="split"))})
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            body.encode(),
            {"Content-Type": "application/json"},
        )
        until = time.monotonic() + 300
        while True:
            assert server.poll() is None
            assert time.monotonic() < until
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    found.append(answer.status)
            except urllib.error.HTTPError as error:
                found.append(error.code)
            except OSError:
                time.sleep(0.5)
                continue
            break
    return found


def test_a_column_that_follows_from_others_is_optional_in_the_signature():
    numbers = {name: ColumnContract("numeric", False, None, 0.0, 20.0) for name in ("a", "b", "m")}
    step = {"step": "derive", "column": "m", "of": ["a", "b"], "by": "mean"}
    signature = signature_of(Contract("grade", ["low", "high"], numbers, clean=[step]))
    assert [one.required for one in signature.inputs] == [True, True, False]
