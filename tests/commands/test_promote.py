import json
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from student_perf import cli
from student_perf.data import load_dataset
from student_perf.exit_codes import ExitCode
from student_perf.store.address import default_tracking
from tests.conftest import compose_config
from tests.servers import mlflow_server

QUICK = ("report.importance=false", "split.n_splits=3")


def client(store):
    return mlflow.MlflowClient(tracking_uri=store, registry_uri=store)


def aliases(store):
    model = client(store).get_registered_model("student-perf")
    return {alias: int(version) for alias, version in model.aliases.items()}


def clean(monkeypatch):
    """The check against the record passes whatever has changed in this checkout meanwhile."""
    monkeypatch.setattr("student_perf.reproduction.reproduce.compare_code", _same)


def _same(*_):
    from student_perf.reproduction.differences import Difference

    return Difference("code", True, [])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["sqlite", "server"])
def test_from_the_first_champion_to_a_rollback(
    place, workspace, train, tmp_path, monkeypatch, capsys
):
    clean(monkeypatch)
    if place == "sqlite":
        story(default_tracking().uri, train, tmp_path, capsys)
        return
    with mlflow_server(tmp_path) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        story(address, train, tmp_path, capsys)


def story(store, train, folder, capsys):
    assert train("model=logreg", *QUICK).code == 0
    assert cli.main(["promote", "latest"]) == 0
    assert "no champion yet" in capsys.readouterr().out
    assert aliases(store) == {"champion": 1}
    assert cli.main(["promote", "latest"]) == 0
    assert "nothing moved" in capsys.readouterr().out

    assert train("model=dummy", *QUICK).code == 0
    for _ in range(2):  # refused twice, registered once
        assert cli.main(["promote", "latest"]) == ExitCode.FINDING
        assert "FAILED: accuracy 0." in capsys.readouterr().out
        assert aliases(store) == {"champion": 1, "challenger": 2}
    version = client(store).get_model_version("student-perf", "2")
    assert "FAILED" in version.description
    found = mlflow.artifacts.download_artifacts(
        run_id=version.run_id, artifact_path="promotion.json", tracking_uri=store
    )
    decision = json.loads(Path(found).read_text(encoding="utf-8"))
    assert (decision["outcome"], decision["champion"]["number"]) == ("refused", "1")
    assert decision["checks"][0]["passed"] is False

    words = ["--force", "--why", "to show it", "--by", "ada"]
    assert cli.main(["promote", "latest", *words]) == 0
    assert aliases(store) == {"champion": 2, "previous": 1}
    description = client(store).get_model_version("student-perf", "2").description
    assert "Forced by ada: to show it" in description

    assert cli.main(["rollback", "--why", "it was a show", "--by", "ada"]) == 0
    assert aliases(store) == {"champion": 1, "previous": 2}
    tags = client(store).get_model_version("student-perf", "2").tags
    assert "by ada: it was a show" in tags["student_perf.rolled_back"]
    the_champion_answers(folder)


def the_champion_answers(folder):

    dataset = load_dataset(compose_config().dataset)
    dataset.features.head(5).to_csv(folder / "in.csv", index=False)
    words = ["models:/student-perf@champion", str(folder / "in.csv"), str(folder / "out.csv")]
    assert cli.main(["predict", *words]) == 0
    assert len(pd.read_csv(folder / "out.csv")) == 5
    assert cli.main(["check", "models:/student-perf@champion"]) == 0


@pytest.mark.slow
def test_other_data_and_another_contract_are_reasons_to_refuse(
    workspace, train, grades, monkeypatch, capsys
):
    clean(monkeypatch)
    words = ["dataset=csv", "dataset.target=grade", *QUICK]
    assert train(*words, f"dataset.path={grades}").code == 0
    first = ["--force", "--why", "so few rows show no gain"]
    assert cli.main(["promote", "latest", "--calibration", "1", *first]) == 0
    table = pd.read_csv(grades)
    table.drop(columns="paid").to_csv(grades, index=False)
    assert train(*words, f"dataset.path={grades}").code == 0
    capsys.readouterr()
    assert cli.main(["promote", "latest", "--calibration", "1"]) == ExitCode.FINDING
    out = " ".join(capsys.readouterr().out.split())
    assert "FAILED: the champion was trained on other data" in out
    assert "FAILED: differs from the champion's in paid" in out
    assert "better than the dummy FAILED" in out


@pytest.mark.slow
def test_what_cannot_be_promoted_says_so_and_moves_nothing(workspace, train, capsys):
    assert train("model=dummy", "tracking=off", *QUICK).code == 0
    assert cli.main(["promote", "latest"]) == 1
    assert "the run is not in MLflow" in capsys.readouterr().err
    assert not (workspace / "mlflow.db").exists()


def test_force_needs_a_reason(capsys):
    assert cli.main(["promote", "latest", "--force"]) == 1
    assert "add --why" in capsys.readouterr().err


def test_limits_come_from_the_command_line_too(capsys):
    assert cli.main(["promote", "latest", "--margin", "2"]) == 1
    assert "margin=2.0: must be from 0 to 1" in capsys.readouterr().err
