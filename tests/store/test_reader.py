import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ChangedError, ConfigError, TrackingError
from student_perf.experiment.run import run_experiment
from student_perf.reproduction.reproduce import reproduce
from student_perf.runs import tags
from student_perf.runs.layout import LOGGED_PLACE, SENDING_LOCK_FILE
from student_perf.runs.record import RunRecord, load_record
from student_perf.store import reader
from student_perf.store.client import RunStore
from student_perf.store.find import find_run, open_run
from student_perf.store.publisher import publish_sweep
from student_perf.store.reader import Selection, fetch_file, fetch_run, read_runs
from student_perf.terminal import Terminal
from tests.conftest import compose_config
from tests.servers import mlflow_server


@pytest.fixture
def store(tmp_path):
    """A sweep of three trials (one pruned) and a single run of another experiment, in sqlite."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    folder = tmp_path / "mine"
    for number, status in enumerate(["FINISHED", "FINISHED", "PRUNED"]):
        record = RunRecord(
            folder / str(number),
            f"logreg-{number}",
            "trial",
            {"model.C": str(number), "objective.metric": "accuracy"},
            {"student_perf.kind": "trial", "student_perf.trial_number": str(number)}
            | {"student_perf.study_name": "mine", "student_perf.data_sha256": "d"},
            metrics={
                "cv_accuracy_mean": 0.5 + number / 10,
                "fold_accuracy": [0.4, float("nan"), 0.6 + number],
                "fold_f1_macro": [0.1, 0.2, 0.3],
            },
            status=status,
            started=1_700_000_000.0 + number,
            ended=1_700_000_100.0,
        )
        record.folder.mkdir(parents=True)
        (record.folder / "predictions.parquet").write_bytes(bytes([number]))
        record.save()
    kind = {"student_perf.kind": "sweep", "student_perf.study_name": "mine"}
    RunRecord(folder, "mine", "sweep", {}, kind).finish()
    publish_sweep(folder, TrackingConfig(True, uri, "exam"))
    single = RunRecord(tmp_path / "one", "alone", "single", {}, {"student_perf.kind": "single"})
    single.folder.mkdir()
    single.finish()
    RunStore(TrackingConfig(True, uri, "other")).send(single)
    return uri, folder


def test_records_come_back_as_they_were_sent(store):
    uri, folder = store
    found = {r.name: r for r in read_runs(uri, Selection(experiment="exam"), ["f1_macro"])}
    assert set(found) == {"mine", "logreg-0", "logreg-1", "logreg-2"}
    for number in range(3):
        sent, got = load_record(folder / str(number)), found[f"logreg-{number}"]
        assert (got.kind, got.status) == (sent.kind, sent.status)
        assert got.decisive_params == sent.decisive_params
        assert got.tracking_uri == uri
        assert got.tags.items() >= sent.tags.items()
        assert (got.started, got.ended) == (sent.started, sent.ended)
        assert got.mlflow_run_id == sent.mlflow_run_id
        assert got.metrics["cv_accuracy_mean"] == sent.metrics["cv_accuracy_mean"]
        first, undefined, last = got.metrics["fold_accuracy"]
        assert (first, last) == (0.4, 0.6 + number)
        assert math.isnan(undefined)
        assert got.metrics["fold_f1_macro"] == [0.1, 0.2, 0.3]
        file = fetch_file(got, uri, "predictions.parquet")
        assert file.read_bytes() == bytes([number])


def test_sqlite_read_directly_agrees_with_mlflows_client(store):
    uri, _ = store
    for selection in [
        Selection(),
        Selection(experiment="exam"),
        Selection(experiment="other", studies=("mine",)),
        Selection(studies=("mine", "no such")),
        Selection(ids=("a",)),
        Selection(studies=("mine",), kinds=("sweep", "nested")),
        Selection(kinds=("single", "trial")),
    ]:
        direct = read_runs(uri, selection, ["f1_macro"])
        asked = sorted(reader._read_client(uri, selection, ["f1_macro"]), key=by_id)
        for a, b in zip(sorted(direct, key=by_id), asked, strict=True):
            params = b.params | {"tracking.uri": uri}
            assert repr(a) == repr(replace(b, metrics=in_order(a, b), params=params))


def by_id(record):
    return record.mlflow_run_id


def in_order(like, record):
    return {key: record.metrics[key] for key in like.metrics}


def test_a_sweep_by_its_id_brings_its_trials(store):
    uri, folder = store
    sweep_id = (folder / "mlflow_run_id").read_text()
    names = [
        record.name for record in read_runs(uri, Selection(ids=(sweep_id,), parents=(sweep_id,)))
    ]
    assert sorted(names) == ["logreg-0", "logreg-1", "logreg-2", "mine"]
    assert names[:3] == ["logreg-0", "logreg-1", "logreg-2"]  # by start


def test_deleted_runs_stay_out(store):
    uri, folder = store
    MlflowClient(tracking_uri=uri).delete_run(load_record(folder / "0").mlflow_run_id)
    names = {record.name for record in read_runs(uri, Selection(studies=("mine",)))}
    assert names == {"mine", "logreg-1", "logreg-2"}


def test_a_store_that_cannot_be_read_says_so(tmp_path):
    with pytest.raises(TrackingError, match="no such database"):
        read_runs(f"sqlite:///{tmp_path}/none.db", Selection())
    (tmp_path / "text.db").write_text("no database" * 100)
    with pytest.raises(TrackingError, match="could not be read"):
        read_runs(f"sqlite:///{tmp_path}/text.db", Selection())
    record = RunRecord(tmp_path, "mine", "trial", {}, {})
    with pytest.raises(TrackingError, match=r"mine: predictions.parquet is not in"):
        fetch_file(record, "sqlite:///x.db", "predictions.parquet")


@pytest.mark.slow
def test_a_server_gives_the_same_records(store, tmp_path):
    uri, _ = store
    with mlflow_server(tmp_path, store=uri) as address:
        direct = read_runs(uri, Selection(experiment="exam"))
        asked = read_runs(address, Selection(experiment="exam"))
        assert [str(r.metrics) for r in direct] == [
            str(in_order(a, b)) for a, b in zip(direct, asked, strict=True)
        ]


@pytest.mark.slow
def test_a_run_of_another_machine_comes_back_whole_and_is_reproduced(workspace, tmp_path):
    words = ["tracking=sqlite", "model=ridge", "report.importance=false", "split.n_splits=2"]
    folder = workspace / "outputs" / "2026-01-02" / "a"
    config = compose_config(*words)
    sent = run_experiment(config, folder, Terminal(quiet=True)).record
    store, run_id = config.tracking.uri, sent.mlflow_run_id
    there = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    shutil.rmtree(folder)  # what is left is what another machine would see
    fetched = fetch_run(find_run(run_id[:12], store), store, tmp_path / "fetched")
    assert fetched.mlflow_run_id == run_id
    assert fetched.metrics == sent.shown_metrics
    assert fetched.decisive_params == sent.decisive_params
    assert fetched.tags.items() >= sent.tags.items()
    for name, content in there.items():
        if name.name not in ("record.json", SENDING_LOCK_FILE):
            assert (tmp_path / "fetched" / name).read_bytes() == content, name
    assert json.loads((tmp_path / "fetched" / "record.json").read_text())["kind"] == "single"
    with open_run(run_id, store) as recorded:
        assert reproduce(recorded, tmp_path / "again").sentence == "identical"
    assert list(fetched.files) == [name for name in sent.files if name != "model.skops"]
    assert tags.FILES not in fetched.tags
    (model,) = workspace.rglob(f"artifacts/{LOGGED_PLACE}/model.skops")
    model.rename(model.parents[2] / model.name)  # where earlier versions logged it
    again = fetch_run(find_run(run_id[:12], store), store, tmp_path / "earlier").folder
    assert (again / "model.skops").read_bytes() == there[Path("model.skops")]
    artifact = find_run(run_id, store).folder / "predictions.parquet"
    artifact.write_bytes(artifact.read_bytes() + b"more")
    with (
        pytest.raises(ChangedError, match=r"predictions\.parquet: was changed after the run"),
        open_run(run_id, store) as recorded,
    ):
        reproduce(recorded, tmp_path / "changed")
    with pytest.raises(ChangedError, match=r"predictions\.parquet"):
        fetch_file(find_run(run_id, store), store, "predictions.parquet")
    for word in ("f" * 32, "x%' OR 1=1"):
        with pytest.raises(ConfigError, match="no such run"):
            find_run(word, store)


def test_a_store_that_is_not_there_is_not_made(workspace):
    store = f"sqlite:///{workspace}/none.db"
    with pytest.raises(TrackingError, match="no such database"):
        find_run("abcd", store)
    with pytest.raises(ConfigError, match="no such run"):  # the default store, not there yet
        find_run("abcd")
    assert not (workspace / "none.db").exists()
    with pytest.raises(TrackingError, match="no answer"):
        find_run("abcd", "http://127.0.0.1:9")
