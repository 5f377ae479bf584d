import shutil
import sqlite3
from contextlib import closing

import pytest

from student_perf.config.schema import TrackingConfig
from student_perf.store import fresh
from student_perf.store.client import check_store
from student_perf.store.fresh import discard_half_made, is_half_made, make_whole

OLD = "UPDATE alembic_version SET version_num = '0c779009ac13'"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A store as it is made."""
    file = tmp_path_factory.mktemp("made") / "mlflow.db"
    make_whole(file)
    return file


@pytest.fixture
def file(made, tmp_path, monkeypatch):
    """A store of one's own."""
    monkeypatch.setattr(fresh, "_REST", 0)
    return shutil.copy(made, tmp_path / "mlflow.db")


def change(file, *statements):
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_a_store_comes_into_being_whole(made):
    assert [path.name for path in made.parent.iterdir()] == ["mlflow.db"]
    assert not is_half_made(made)
    before = made.read_bytes()
    make_whole(made)
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    "left",
    [
        [OLD],
        [OLD, "DELETE FROM workspaces", "DROP TABLE runs"],
        ["DROP TABLE alembic_version"],
        ["DELETE FROM alembic_version"],
    ],
)
def test_tables_that_were_never_finished_are_removed(file, left):
    change(file, "DELETE FROM experiments", *left)
    (file.parent / "mlflow.db-shm").touch()
    discard_half_made(file)
    assert list(file.parent.glob("mlflow.db*")) == []


@pytest.mark.slow
def test_a_run_is_not_refused_for_them(file):
    change(file, "DELETE FROM experiments", OLD)
    check_store(TrackingConfig(True, f"sqlite:///{file}", "student_perf"))
    assert not file.exists()


@pytest.mark.slow
def test_a_store_that_is_empty_or_a_link_to_none_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(fresh, "_REST", 0)
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there/other.db", tmp_path / "mlflow.db"
    link.symlink_to(target)
    target.touch()
    make_whole(link)
    assert link.is_symlink()
    assert not is_half_made(target)


def test_what_holds_something_or_is_another_programs_stays(file, tmp_path):
    change(file, OLD)  # its experiments are there
    other, text = tmp_path / "other.db", tmp_path / "notes.db"
    change(other, "CREATE TABLE trials (id)")
    text.write_text("no database")
    for path in (file, other, text, tmp_path / "none.db"):
        assert not is_half_made(path)
        discard_half_made(path)
    assert all(path.is_file() for path in (file, other, text))


def test_tables_that_somebody_is_making_are_waited_for(file, monkeypatch):
    whole = file.read_bytes()
    change(file, "DELETE FROM experiments", OLD)
    monkeypatch.setattr(fresh, "_REST", 3600)
    monkeypatch.setattr(fresh.time, "sleep", lambda _: file.write_bytes(whole))
    discard_half_made(file)
    assert file.read_bytes() == whole


@pytest.mark.slow
def test_a_store_that_another_program_has_made_meanwhile_stays(made, tmp_path, monkeypatch):
    file = tmp_path / "mlflow.db"
    name = fresh._name

    def late(new, place):
        shutil.copy(made, file)
        change(file, "UPDATE experiments SET name = 'theirs'")
        name(new, place)

    monkeypatch.setattr(fresh, "_name", late)
    make_whole(file)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT name FROM experiments").fetchall() == [("theirs",)]
    assert [path.name for path in tmp_path.glob("mlflow.db*")] == ["mlflow.db"]


def test_what_somebody_writes_to_is_not_half_made(file):
    change(file, "DELETE FROM experiments", OLD)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert not is_half_made(file)
    assert is_half_made(file)
