import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient

from student_perf.errors import TrackingError
from student_perf.store.schema import check_schema


@pytest.fixture
def store(tmp_path):
    """A database of the installed MLflow, and how to give it another schema."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    MlflowClient(tracking_uri=uri).search_experiments()

    def number(revision):
        with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))

    return uri, number


def test_the_schema_of_the_installed_mlflow_is_taken(store):
    check_schema(store[0])


@pytest.mark.slow
@pytest.mark.fault(
    "Tracking server",
    "a database whose schema is too old or too new",
    "one line with what to do, exit code 1, before the first fit",
)
@pytest.mark.parametrize(
    ("revision", "message"),
    [
        ("0c779009ac13", "is older than .* run: mlflow db upgrade sqlite:///"),
        ("f" * 12, "a newer one has used it; install that one, or name another store"),
    ],
)
def test_another_schema_is_said_before_the_first_fit(store, revision, message, train, workspace):
    uri, number = store
    number(revision)
    with pytest.raises(TrackingError, match=message):
        check_schema(uri)
    for words in (["model=dummy"], ["-m", "model=dummy,logreg"]):
        done = train(*words, f"tracking.uri={uri}")
        (line,) = done.err.splitlines()
        assert (done.code, revision in line) == (1, True)
        assert "dummy baseline" not in done.out
    assert not list(workspace.glob("*/*/*/record.json"))
    assert not list(workspace.glob("multirun/*/[0-9]*"))


def test_what_has_no_tables_or_does_not_answer_is_left_to_whoever_writes(tmp_path):
    (tmp_path / "other.db").write_text("no database")
    sqlite3.connect(tmp_path / "empty.db").close()
    for uri in (
        f"sqlite:///{tmp_path}/other.db",
        f"sqlite:///{tmp_path}/empty.db",
        f"sqlite:///{tmp_path}/none.db",
        "http://127.0.0.1:9",
    ):
        check_schema(uri)
