import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, replace

import pytest
from hydra import compose
from omegaconf import OmegaConf

from student_perf.config.load import register_resolvers
from student_perf.config.search_path import hydra_ready
from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.runs import tags
from student_perf.runs.layout import PAGE_FILE
from student_perf.runs.seal import sha256_of
from student_perf.sweep.finished import (
    FINISHED_FILE,
    Command,
    command_of,
    find_finished,
    write_note,
)

COMMAND = Command("words", {"the code": "1", "a config": "2"})
HEAVY = ("pandas", "scipy", "sklearn", "optuna", "mlflow", "xgboost", "matplotlib")


def composed(*words):
    register_resolvers()
    with hydra_ready():
        return compose("config", list(words), return_hydra_config=True)


def digest(*words, **options):
    config = composed(*words)
    node = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    return command_of(config, node | options, [*words, "model.C=1,2"])


@pytest.fixture
def noted(workspace, tmp_path):
    """A folder as a finished sweep leaves it, the file of its rows, and its tracking store."""
    folder, rows = workspace / "multirun" / "one", tmp_path / "rows.csv"
    (folder / "0").mkdir(parents=True)
    (folder / "0" / "record.json").write_text("{}")
    (folder / "mlflow_run_id").write_text("parent")
    (folder / PAGE_FILE).write_text("<p>It ended.</p>")
    rows.write_text("a,b\n1,2\n")
    store = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("CREATE TABLE runs (run_uuid, lifecycle_stage)")
        database.execute("CREATE TABLE tags (key, value, run_uuid)")
        for name in ("parent", "child"):
            database.execute("INSERT INTO runs VALUES (?, 'active')", [name])
        database.execute("INSERT INTO tags VALUES (?, 'parent', 'child')", [tags.PARENT])
    files = {rows: sha256_of(rows)}
    uri = f"sqlite:///{store}"
    write_note(folder, COMMAND, files, uri, None, folder, ["it ended"], {"at": "x"})
    return folder, rows, store


def test_a_sweep_that_lacks_nothing_is_found_by_its_command(noted, workspace):
    folder, *_ = noted
    found, note, since = find_finished(workspace / "multirun", COMMAND)
    assert (found, note.lines, note.places) == (folder, ["it ended"], {"at": "x"})
    assert since == ""
    assert find_finished(workspace / "multirun", replace(COMMAND, words="others")) is None


def test_of_the_same_words_it_says_what_has_changed(noted, workspace):
    other = replace(COMMAND, parts=COMMAND.parts | {"a config": "3"})
    assert find_finished(workspace / "multirun", other)[2] == "a config has changed"
    older = noted[0].with_name("a")
    shutil.copytree(noted[0], older)
    assert find_finished(workspace / "multirun", COMMAND)[0] == noted[0]  # which has not changed


def _remove_page(folder, rows, store):
    (folder / PAGE_FILE).unlink()


def _change_trial(folder, rows, store):
    (folder / "0" / "record.json").write_text("[]")
    os.utime(folder / "0" / "record.json", (4e9, 4e9))


def _remove_file(folder, rows, store):
    (folder / "mlflow_run_id").unlink()


def _add_file(folder, rows, store):
    (folder / "0" / "note.txt").touch()
    os.utime(folder / "0" / "note.txt", (4e9, 4e9))


def _change_rows(folder, rows, store):
    rows.write_text("a,b\n1,3\n")


def _remove_rows(folder, rows, store):
    rows.unlink()


def _remove_store(folder, rows, store):
    store.unlink()


def _delete_sweep(folder, rows, store):
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = 'parent'")


def _delete_trial(folder, rows, store):
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = 'child'")


def _exchange_trial(folder, rows, store):
    _delete_trial(folder, rows, store)
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("INSERT INTO runs VALUES ('stranger', 'active')")
        database.execute("INSERT INTO tags VALUES (?, 'parent', 'stranger')", [tags.PARENT])


def changed(workspace, storage=None):
    """What has changed since the sweep ended."""
    _, _, since = find_finished(workspace / "multirun", COMMAND, storage)
    return since


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_change_trial, "0/record.json is new or has changed"),
        (_remove_file, "a file of its folder is gone or has changed"),
        (_remove_page, "report.html is gone"),
        (_add_file, "0/note.txt is new or has changed"),
        (_change_rows, "rows.csv has changed"),
        (_remove_rows, "rows.csv has changed"),
        (_remove_store, "MLflow has other runs of it"),
        (_delete_sweep, "MLflow has other runs of it"),
        (_delete_trial, "MLflow has other runs of it"),
        (_exchange_trial, "MLflow has other runs of it"),
    ],
)
def test_whatever_has_changed_since_is_looked_into(noted, workspace, change, says):
    change(*noted)
    assert changed(workspace).endswith(says)


def test_a_spoilt_note_says_nothing(noted, workspace):
    (noted[0] / FINISHED_FILE).write_text(json.dumps({"words": "words"}))
    assert find_finished(workspace / "multirun", COMMAND) is None


def test_locks_of_a_sweep_may_be_touched(noted, workspace):
    (noted[0] / "sweep.lock").touch()
    assert changed(workspace) == ""


def test_what_commands_make_of_a_sweep_may_be_made_again(noted, workspace):
    folder, *_ = noted
    (folder / PAGE_FILE).write_text("<p>Asked for again.</p>")
    (folder / "0" / PAGE_FILE).write_text("<p>Of one trial.</p>")
    (folder / "one.zip").write_bytes(b"a bundle")
    assert changed(workspace) == ""


def execute(file, *statements):
    with closing(sqlite3.connect(file)) as database, database:
        for statement in statements:
            database.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trials SET state = 'WAITING'",
        "INSERT INTO trials VALUES (2, 1, 'COMPLETE', '2026-01-01')",
        "UPDATE trials SET datetime_complete = '2026-01-02'",
        "DELETE FROM studies",
        "DROP TABLE trials",
    ],
)
def test_a_study_in_a_database_has_to_be_as_it_was(noted, workspace, tmp_path, change):
    folder, *_ = noted
    file = tmp_path / "studies.db"
    storage = f"sqlite:///{file}"
    execute(
        file,
        "CREATE TABLE studies (study_id, study_name)",
        "CREATE TABLE trials (trial_id, study_id, state, datetime_complete)",
        "INSERT INTO studies VALUES (1, 'one')",
        "INSERT INTO trials VALUES (1, 1, 'COMPLETE', '2026-01-01')",
    )
    write_note(folder, COMMAND, {}, None, storage, folder, [], {})
    assert changed(workspace, storage) == ""
    execute(file, change)
    assert changed(workspace, storage) == "its study has changed"


def test_a_journal_elsewhere_has_to_be_as_it_was(noted, workspace, tmp_path):
    folder, *_ = noted
    journal = tmp_path / "study.journal"
    journal.write_text("{}\n")
    write_note(folder, COMMAND, {}, None, str(journal), folder, [], {})
    assert changed(workspace, str(journal)) == ""
    journal.write_text("{}\n{}\n")
    assert changed(workspace, str(journal)) == "its study has changed"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "postgresql://db/runs"])
def test_no_note_speaks_for_a_store_that_is_no_file(noted, uri):
    folder, *_ = noted
    (folder / FINISHED_FILE).unlink()
    write_note(folder, COMMAND, {}, uri, None, folder, [], {})
    assert not (folder / FINISHED_FILE).exists()


@pytest.mark.slow
def test_a_command_is_known_by_words_options_configs_and_environment(
    workspace, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    same = digest("model=logreg")
    assert digest("model=logreg") == same
    others = [digest("model=rf"), digest("model=logreg", n_trials=3)]
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "other")
    others.append(digest("model=logreg"))
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME")
    (tmp_path / "conf" / "model").mkdir(parents=True)
    others.append(digest("model=logreg"))
    (tmp_path / "conf" / "model" / "own.yaml").write_text("name: own\n")
    others.append(digest("model=logreg"))
    (tmp_path / "shared").mkdir()
    (tmp_path / "conf" / "search").symlink_to(tmp_path / "shared")
    (tmp_path / "shared" / "own.yaml").write_text("params: {}\n")
    others.append(digest("model=logreg"))
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(tmp_path / "another"))
    others.append(digest("model=logreg"))
    assert all(one != same for one in others)
    assert len({json.dumps(asdict(one)) for one in (same, *others)}) == 8
    assert digest("model=logreg", "hydra.searchpath=[pkg://student_perf]") is None


def test_sweeps_within_a_folder_of_configs_are_never_known(workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conf").mkdir()
    assert digest(f"hydra.sweep.dir={tmp_path}/conf/sweeps") is None


def test_a_finished_sweep_is_known_without_what_trains():
    code = (
        "import sys, student_perf.train, student_perf.sweep.start\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
