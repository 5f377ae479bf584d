import hashlib

import pytest
from mlflow import MlflowClient

from student_perf.runs import tags
from student_perf.store.stage import Stage, children, experiment_stage, holders, run_stage
from tests.servers import mlflow_server


@pytest.fixture(scope="module", params=["sqlite", pytest.param("server", marks=pytest.mark.slow)])
def uri(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "server":
        with mlflow_server(folder) as address:
            yield address
    else:
        yield f"sqlite:///{folder}/mlflow.db"


@pytest.mark.slow
def test_what_is_in_use_deleted_or_not_there_is_said(uri):
    client = MlflowClient(tracking_uri=uri)
    exam, other = client.create_experiment("exam & more"), client.create_experiment("other")
    used, binned = (client.create_run(exam).info.run_id for _ in range(2))
    client.delete_run(binned)
    client.delete_experiment(other)
    assert experiment_stage(uri, "exam & more") is Stage.ACTIVE
    assert experiment_stage(uri, "other") is Stage.DELETED
    assert experiment_stage(uri, "no such") is Stage.ABSENT
    assert run_stage(uri, used) is Stage.ACTIVE
    assert run_stage(uri, binned) is Stage.DELETED
    assert run_stage(uri, "0" * 32) is Stage.ABSENT


def test_what_cannot_be_asked_is_unknown_and_nothing_is_made(tmp_path):
    (tmp_path / "other.db").write_text("no database")
    assert experiment_stage(f"sqlite:///{tmp_path}/other.db", "exam") is Stage.UNKNOWN
    assert experiment_stage("http://127.0.0.1:9", "exam") is Stage.UNKNOWN
    assert experiment_stage(f"sqlite:///{tmp_path}/none.db", "exam") is Stage.ABSENT
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["other.db"]


@pytest.mark.slow
def test_runs_below_another_and_aliases_are_read_as_by_mlflow(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    parent = client.create_run("0").info.run_id
    below = [client.create_run("0", tags={tags.PARENT: parent}).info.run_id for _ in range(3)]
    client.delete_run(below[0])
    ids = ",".join(sorted(below[1:]))
    assert children(uri, parent) == hashlib.sha256(ids.encode()).hexdigest()
    client.create_registered_model("grades")
    for run_id in below[1:]:
        client.create_model_version("grades", f"{tmp_path}/model", run_id)
    client.set_registered_model_alias("grades", "champion", "2")
    client.set_registered_model_alias("grades", "previous", "1")
    assert holders(uri, "grades") == {"champion": ("2", below[2]), "previous": ("1", below[1])}
    client.delete_model_version("grades", "1")
    assert holders(uri, "grades") == {"champion": ("2", below[2])}
    assert holders(uri, "nobody") == {}
