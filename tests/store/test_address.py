import re
import shutil
import sys
from pathlib import Path

import pytest

from student_perf import cli, paths
from student_perf.errors import ConfigError
from student_perf.runs.layout import ADDRESS_FILE
from student_perf.store import address
from student_perf.store.address import (
    is_absent,
    is_server,
    mlflow_places,
    scheme,
    sqlite_file,
    ui_command,
)
from student_perf.store.find import find_run


def test_sqlite_files():
    assert sqlite_file("sqlite:////a/b.db") == Path("/a/b.db")
    assert sqlite_file("sqlite:///b.db") == Path.cwd() / "b.db"
    assert sqlite_file("sqlite+pysqlite:////a/C#/b.db?timeout=3") == Path("/a/C#/b.db")
    assert sqlite_file("http://sqlite:1") is None


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("postgresql+psycopg://me:a[b@host/db", "postgresql"),
        ("https://host", "https"),
        ("./mlruns", ""),
        ("file:./mlruns", "file"),
    ],
)
def test_schemes(uri, name):
    assert scheme(uri) == name
    assert is_server(uri) is (name == "https")


def test_only_a_file_can_be_absent(tmp_path):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert is_absent(uri)
    (tmp_path / "mlflow.db").touch()
    assert not is_absent(uri)
    assert not is_absent("http://127.0.0.1:9")


def test_ui_command_can_be_typed_as_it_is(workspace, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    default = f"sqlite:///{workspace}/mlflow.db"
    assert ui_command(default) == f"{sys.executable} -m student_perf ui"
    assert ui_command("sqlite:////x/m.db").endswith("ui --store sqlite:////x/m.db")
    assert ui_command("sqlite:////x/m.db", "my study").endswith(
        "ui 'my study' --store sqlite:////x/m.db"
    )
    assert ui_command("http://127.0.0.1:5000") == "http://127.0.0.1:5000"
    monkeypatch.setattr("shutil.which", lambda _: sys.executable)
    assert ui_command(default) == "python -m student_perf ui"


def test_the_default_store_is_written_in_conf_alone(workspace, tmp_path, monkeypatch, capsys):
    conf = tmp_path / "conf"
    shutil.copytree(paths.CONF_DIR, conf)
    file = conf / "tracking" / "default.yaml"
    text = file.read_text().replace(
        "sqlite:///${workspace:}/mlflow.db", f"sqlite:///{tmp_path}/x.db"
    )
    file.write_text(text)
    monkeypatch.chdir(tmp_path)
    store = f"sqlite:///{tmp_path}/x.db"
    assert address.default_tracking().uri == store
    assert ui_command(store).endswith(" ui")
    assert cli.main(["ui"]) == 1
    assert store in capsys.readouterr().err
    with pytest.raises(ConfigError, match=re.escape(store)):
        find_run("abcdef")
    for path in paths.PACKAGE_DIR.rglob("*.py"):
        assert "/mlflow.db" not in path.read_text() or path.name == "address.py", path


def test_a_run_without_an_id_has_no_place_in_mlflow(workspace, tmp_path):
    where = address.default_tracking().uri, "student_perf"
    assert mlflow_places(*where, None, tmp_path, "") == {}
    places = mlflow_places(*where, "a" * 32, tmp_path, "aaaaaaaa")
    assert places["mlflow"] == f"experiment student_perf, run {'a' * 32}"
    assert places["open"].endswith("student_perf ui aaaaaaaa")


def test_a_servers_own_address_stands_in_place_of_the_command(tmp_path):
    where = "http://127.0.0.1:5000", "student_perf"
    places = mlflow_places(*where, "a" * 32, tmp_path, "mine")
    assert places["open"] == "http://127.0.0.1:5000"
    (tmp_path / ADDRESS_FILE).write_text("http://127.0.0.1:5000/#/experiments/1")
    places = mlflow_places(*where, "a" * 32, tmp_path, "mine")
    assert places["open"] == "http://127.0.0.1:5000/#/experiments/1"
