import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from student_perf.config.schema import TrackingConfig
from student_perf.runs import tags
from student_perf.runs.record import RunRecord
from student_perf.store import rows
from student_perf.store.address import sqlite_file
from student_perf.store.client import RunStore
from student_perf.store.rows import EndedRun, open_runs, unknown_schema


@pytest.fixture(scope="module")
def tracking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a store")  # with a space in its path
    return TrackingConfig(True, f"sqlite:///{folder}/mlflow.db", "exam 1")


def make_record(folder, name, **more):
    (folder / ".hydra").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / ".hydra" / "overrides.yaml").write_text("[]\n")
    return RunRecord(
        folder,
        name,
        "trial",
        {"model.C": "0.5", "space.+model.a@b": "x" * 7000, "k" * 260: "v"},
        {"mlflow.user": "ana", "mlflow.note.content": "# Note", "team": "blue", **more},
        {
            "cv_accuracy_mean": 0.625,
            "fold_accuracy": [0.75, 0.5, float("nan"), 0.5],
            "cv_log_loss_std": float("inf"),
            "whole": 3,
        },
        status="PRUNED",
        started=1_999_999_999.0,
        ended=2_000_000_000.25,
    )


def rows_of(tracking, run_id):
    """Every row of every table that mentions the run, with a word in place of its id."""
    found = {}
    with closing(sqlite3.connect(sqlite_file(tracking.uri))) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f"SELECT * FROM {table}").fetchall()
            mine = [row for row in rows if any(run_id in str(cell) for cell in row)]
            texts = [
                tuple(c.replace(run_id, "ID") if isinstance(c, str) else c for c in row)
                for row in mine
            ]
            found[table] = sorted(texts, key=repr)
    return found


def send(tracking, record):
    (run_id,) = RunStore(tracking).add_rows([record])
    return run_id


def test_every_row_is_the_one_that_mlflows_client_writes(tracking, tmp_path):
    """Where this fails on a new MLflow: see what changed before its revision is called known."""
    record = make_record(tmp_path / "0", "trial-0")
    theirs, ours = RunStore(tracking).send(record), send(tracking, record)
    expected = rows_of(tracking, theirs)
    assert rows_of(tracking, ours) == expected
    n_rows = {table: len(rows) for table, rows in expected.items() if rows}
    assert n_rows == {"runs": 1, "params": 3, "tags": 4, "metrics": 5, "latest_metrics": 3}


def test_the_revision_is_that_of_the_pinned_mlflow(tracking):
    RunStore(tracking)
    with closing(sqlite3.connect(sqlite_file(tracking.uri))) as connection:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    assert found[0][0] in rows.KNOWN_REVISIONS


def test_the_client_reads_what_was_written(tracking, tmp_path):
    run_id = send(tracking, make_record(tmp_path / "0", "trial-0"))
    client = MlflowClient(tracking_uri=tracking.uri)
    run = client.get_run(run_id)
    assert (run.info.status, run.info.run_name, run.info.user_id) == ("KILLED", "trial-0", "ana")
    assert run.data.metrics == {"cv_accuracy_mean": 0.625, "fold_accuracy": 0.5, "whole": 3.0}
    history = client.get_metric_history(run_id, "fold_accuracy")
    assert sorted((m.step, m.value) for m in history) == [(0, 0.75), (1, 0.5), (3, 0.5)]
    assert {f.path for f in client.list_artifacts(run_id)} == {".hydra", "config.yaml"}
    found = client.download_artifacts(run_id, ".hydra/overrides.yaml", str(tmp_path))
    assert Path(found).read_text() == "[]\n"


@pytest.mark.slow
def test_runs_of_which_one_cannot_be_written_leave_no_row(tracking, tmp_path):
    store = RunStore(tracking)
    good = make_record(tmp_path / "0", "trial-0", **{tags.RECORD_ID: "d" * 32})
    bad = make_record(tmp_path / "1", "trial-1", **{tags.RECORD_ID: "d" * 32})  # of the other one
    with pytest.raises(sqlite3.IntegrityError):
        store.add_rows([good, bad])
    assert not any(rows_of(tracking, "d" * 32).values())
    bad.tags[tags.RECORD_ID] = "a" * 32
    assert store.add_rows([good, bad]) == ["d" * 32, "a" * 32]


def test_the_trials_of_a_sweep_are_those_that_mlflows_client_finds(tracking, tmp_path, monkeypatch):
    store, parent = RunStore(tracking), "f" * 32
    for n, stage in enumerate(("active", "deleted", "active", "replaced")):
        kind = "final" if stage == "replaced" else "trial"
        words = {tags.PARENT: parent, tags.KIND: kind, tags.TRIAL: str(n)}
        run_id = store.send(make_record(tmp_path / str(n), f"trial-{n}", **words))
        if stage == "deleted":
            MlflowClient(tracking_uri=tracking.uri).delete_run(run_id)
    found = store.children(parent)
    assert sorted(found) == [0, 2]
    monkeypatch.setattr(rows, "KNOWN_REVISIONS", ())
    assert store.children(parent) == found


def test_a_run_deleted_in_mlflow_is_sent_under_another_id(tracking, tmp_path):
    record = make_record(tmp_path / "0", "trial-0", **{tags.RECORD_ID: "b" * 32})
    assert send(tracking, record) == "b" * 32
    MlflowClient(tracking_uri=tracking.uri).delete_run("b" * 32)
    again = send(tracking, record)
    assert again != "b" * 32
    assert RunStore(tracking).find(record) == again


def test_an_experiment_deleted_meanwhile_takes_no_rows(tmp_path):
    tracking = TrackingConfig(True, f"sqlite:///{tmp_path}/mlflow.db", "gone")
    store = RunStore(tracking)
    client = MlflowClient(tracking_uri=tracking.uri)
    client.delete_experiment(client.get_experiment_by_name("gone").experiment_id)
    assert store.add_rows([make_record(tmp_path / "0", "trial-0")]) == []


@pytest.mark.usefixtures("fresh_stores")
@pytest.mark.slow
def test_a_path_is_taken_as_sqlalchemy_takes_it(tmp_path):
    folder = tmp_path / "C# and 100%"
    folder.mkdir()
    tracking = TrackingConfig(True, f"sqlite:///{folder}/mlflow.db?timeout=30", "exam")
    assert len(RunStore(tracking).add_rows([make_record(tmp_path / "0", "trial-0")])) == 1
    assert [path.name for path in tmp_path.iterdir() if "C" in path.name] == [folder.name]
    assert (folder / "mlflow.db").is_file()


def test_a_file_that_is_no_store_is_not_made(tmp_path):
    assert open_runs(tmp_path / "none.db", "1") is None
    assert not list(tmp_path.iterdir())[1:]
    (tmp_path / "text.db").write_text("no database at all, only some text")
    assert open_runs(tmp_path / "text.db", "1") is None


def test_other_revisions_and_places_are_left_to_the_client(tracking, tmp_path, monkeypatch):
    RunStore(tracking)
    client = MlflowClient(tracking_uri=tracking.uri)
    file = sqlite_file(tracking.uri)
    assert open_runs(file, client.create_experiment("far", "s3://bucket/far")) is None
    near = client.create_experiment("near", tmp_path.as_uri())
    assert open_runs(file, near) is not None
    monkeypatch.setattr(rows, "KNOWN_REVISIONS", ("0000",))
    assert open_runs(file, near) is None


def test_a_schema_that_is_not_known_is_said_of_sqlite_files_only(tracking, tmp_path, monkeypatch):
    RunStore(tracking)
    assert unknown_schema(tracking.uri) is None
    monkeypatch.setattr(rows, "KNOWN_REVISIONS", ("0000",))
    line = unknown_schema(tracking.uri)
    assert line.startswith("mlflow.db has a schema that this version does not know (")
    assert line.endswith("): runs are sent the slow way, through MLflow's client")
    assert unknown_schema(f"sqlite:///{tmp_path}/none.db") is None
    assert not (tmp_path / "none.db").exists()
    assert unknown_schema("http://127.0.0.1:5000") is None


def test_the_value_of_a_metric_is_that_of_its_last_step(tracking, tmp_path):
    client = MlflowClient(tracking_uri=tracking.uri)
    runs = open_runs(sqlite_file(tracking.uri), client.create_experiment("last", tmp_path.as_uri()))
    metrics = [("a", 0.5, 10, 2), ("a", 0.9, 11, 1), ("b", 0.1, 10, 0), ("b", 0.3, 10, 0)]
    runs.add([EndedRun("c" * 32, "n", "u", "FINISHED", 1, 2, [], [], metrics)])
    assert client.get_run("c" * 32).data.metrics == {"a": 0.5, "b": 0.3}
