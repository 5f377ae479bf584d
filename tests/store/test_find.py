import os
import shutil
from dataclasses import replace

import pytest
import yaml

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError, TrackingError
from student_perf.runs import tags
from student_perf.runs.layout import CONFIG_FILE, RUN_ID_FILE, iter_folders
from student_perf.runs.record import RunRecord, load_record
from student_perf.store import find
from student_perf.store.client import RunStore
from student_perf.store.find import find_group, find_kept, find_run, open_run
from student_perf.store.publisher import publish_sweep
from tests.conftest import compose_config


@pytest.fixture
def recorded(workspace):
    """Makes a record with the config of these overrides; nothing was run."""

    def make(place="outputs/2026-01-02/a", kind="single", run_id=None, started=1.0, **more):
        folder = workspace / place
        folder.mkdir(parents=True, exist_ok=True)
        composed = compose_config("tracking=off").composed
        (folder / CONFIG_FILE).write_text(yaml.safe_dump(composed, sort_keys=False))
        known = {tags.KIND: kind} | more
        record = RunRecord(folder, "x", kind, {}, known, started=started, mlflow_run_id=run_id)
        record.finish()
        return record

    return make


def test_a_run_is_found_by_folder_by_id_and_as_the_latest(recorded):
    first = recorded(run_id="abcd1234" * 4, **{tags.RECORD_ID: "1234abcd" * 4})
    sweep = recorded("multirun/s", "sweep", started=5.0)
    winner = recorded("multirun/s/winner", "final", "abcdeeee" * 4, started=6.0)
    recorded("multirun/s/0", "trial", "ffff" * 8, started=9.0)
    words = [str(first.folder), "outputs/2026-01-02/a", "abcd1", first.mlflow_run_id, "1234a"]
    for word in [*words, f"runs:/{first.mlflow_run_id}", f"runs:/{first.mlflow_run_id}/model"]:
        assert find_run(word).folder == first.folder
        assert [record.folder for record in find_group([word])] == [first.folder]
        with open_run(word) as run:
            assert run.folder == first.folder
    with open_run("ffff") as run:
        assert run.record.kind == "trial"
    for word in ("latest", "s", "multirun/s", str(sweep.folder)):
        assert find_run(word).folder == sweep.folder
        assert find_kept(word).folder == winner.folder
        with open_run(word) as run:
            assert run.folder == winner.folder
    (sweep.folder / RUN_ID_FILE).write_text("7777" * 8)
    assert find_run("77777").folder == sweep.folder
    for call in (find_run, find_kept, lambda word: find_group([word])):
        with pytest.raises(ConfigError, match="ids of 2 runs begin with it; give more of the id"):
            call("abcd")


def test_a_named_store_is_asked_instead_of_the_disk_but_a_folder_is_a_folder(recorded, workspace):
    run = recorded(run_id="abcd1234" * 4)
    recorded("multirun/s", "sweep", started=2.0)
    recorded("multirun/s/winner", "final", started=3.0)
    store = f"sqlite:///{workspace}/none.db"
    for word in (str(run.folder), "outputs/2026-01-02/a"):
        assert find_run(word, store).folder == run.folder
        assert [record.folder for record in find_group([word], store)] == [run.folder]
    for word in ("abcd1234", "s", "latest"):
        for call in (find_run, find_kept, lambda word, store: find_group([word], store)):
            with pytest.raises(TrackingError, match=r"none\.db: no such database"):
                call(word, store)


def test_a_run_is_found_by_the_name_that_commands_print(make_record, workspace):
    names = ["logreg-exam-10-11-12_4e4b9a38", "logreg-exam-10-11-13_16342ee7", 'año "x"_b']
    for name in names:
        make_record(name, [0.5, 0.6])
    for study in ("first", "second"):
        make_record("rf-7", [0.5, 0.6], "rf", study=study).folder.rename(
            workspace / "multirun" / study / "7"
        )
    for word in (*names, "4e4b9a38", "16342ee7", "b"):
        found = find_run(word).name
        assert found.endswith(word)
        assert [record.name for record in find_group([word])] == [found]
    with pytest.raises(ConfigError, match=r"rf-7: is the name of 2 runs.*first/7, .*second/7$"):
        find_run("rf-7")
    for word in ("logreg-exam", "e4b9a38", "rf"):
        with pytest.raises(ConfigError, match="no such run"):
            find_run(word)


def test_the_latest_is_what_started_last_whatever_was_written_last(recorded):
    old = recorded("outputs/2026-01-02/old", started=1.0)
    single = recorded("outputs/2026-01-02/new", started=2.0)
    old.save()  # as sync does
    assert find_run("latest").folder == single.folder
    recorded("outputs/2026-01-02/broken", started=3.0).fail("no")
    sweep = recorded("multirun/s", "sweep", started=4.0)
    assert find_run("latest").folder == single.folder  # no trial has finished
    recorded("multirun/s/0", "trial", started=5.0).prune()
    assert find_run("latest").folder == single.folder
    recorded("multirun/s/1", "trial", started=5.0)
    sweep.stop("Ctrl-C")
    assert find_run("latest").folder == sweep.folder
    nested = recorded("multirun/n", "nested", started=6.0)
    recorded("drift/d", "drift", started=7.0)
    assert find_run("latest").folder == nested.folder
    later = recorded("outputs/2026-01-03/a", started=8.0)
    assert find_run("latest").folder == later.folder


@pytest.mark.slow
def test_the_latest_of_thousands_is_found_by_parsing_one(make_record, monkeypatch):
    first = make_record("0", [0.5] * 5, started=0.0)
    for number in range(1, 2000):
        folder = first.folder.with_name(str(number))
        folder.mkdir()
        replace(first, folder=folder, started=number + 0.5).save()
    parsed = []
    monkeypatch.setattr(find, "load_record", lambda path: parsed.append(path) or load_record(path))
    assert find_run("latest").folder.name == "1999"
    assert len(parsed) == 1


@pytest.mark.parametrize("word", ["no/such/folder", "ab", "x' OR 1=1", "a\"b'c"])
def test_a_word_that_names_no_run_is_refused(word):
    for call in (find_run, lambda word: find_group([word])):
        with pytest.raises(
            ConfigError, match=r"no such run on disk or in sqlite:.*; name a run by its"
        ):
            call(word)


def test_sweeps_without_winner_and_unfinished_runs_have_no_result(recorded):
    sweep = recorded("multirun/s", "sweep")
    sweep.stop("Ctrl-C")
    says = "s: is a sweep, STOPPED, without a winner; name one of its runs"
    with pytest.raises(ConfigError, match=says), open_run("s"):
        pass
    recorded("multirun/s/winner", "final").fail("out of memory")
    with pytest.raises(ConfigError, match=says), open_run("s"):
        pass
    broken = recorded()
    broken.fail("DataError: no rows")
    with pytest.raises(ConfigError, match=r"FAILED.*no rows"), open_run(str(broken.folder)):
        pass


@pytest.mark.parametrize(
    ("name", "content"), [("record.json", '{"a": 1}'), ("record.json", "{"), ("config.yaml", "{a")]
)
def test_files_that_are_damaged_are_one_line(name, content, recorded):
    record = recorded()
    (record.folder / name).write_text(content)
    if name != "record.json":
        record.seal()
    with pytest.raises(ConfigError, match=name), open_run(str(record.folder)):
        pass


def names(records):
    return [record.name for record in records]


@pytest.fixture
def runs(make_record, workspace, monkeypatch):
    """Two single runs on the same rows, one on others, an older sweep of two with its winner."""
    monkeypatch.chdir(workspace)  # words are paths from here first, and the checkout has runs too
    known = {tags.KIND: "sweep", tags.STUDY: "mine"}
    sweep = RunRecord(workspace / "multirun/mine", "mine", "sweep", {}, known, started=1.0)
    sweep.folder.mkdir(parents=True)
    sweep.finish()
    make_record("rf-0", [0.5, 0.6], "rf", study="mine", started=2.0)
    make_record("rf-1", [0.6, 0.7], "rf", study="mine", started=3.0)
    more = {"study": "mine", "kind": "final", "number": 1, "started": 4.0}
    winner = make_record("rf-grades", [0.6, 0.7], "rf", **more)
    winner.tags[tags.RECORD_ID] = "c" * 32
    winner.save()
    make_record("one", [0.5, 0.5], started=5.0)
    make_record("two", [0.5, 0.5], "svm", started=6.0)
    make_record("other", [0.5, 0.5], data="e" * 64, started=0.5)
    for folder in iter_folders("multirun/*/[!w]*"):  # where a sweep has them: by number
        folder.rename(folder.with_name(folder.name.removeprefix("rf-")))
    return sweep


def test_latest_is_the_newest_runs_rows_or_the_newest_sweep(runs):
    assert names(find_group(["latest"])) == ["one", "two"]
    os.utime(runs.folder / "record.json", (3e9, 3e9))
    assert names(find_group(["latest"])) == ["one", "two"]
    runs.started = 7.0
    runs.save()
    assert names(find_group(["latest"])) == ["rf-0", "rf-1", "rf-grades", "mine"]


def make_sweep(workspace, make_record, study, **trial):
    """An older sweep of one trial."""
    known = {tags.KIND: "sweep", tags.STUDY: study}
    sweep = RunRecord(workspace / f"multirun/{study}", study, "sweep", {}, known, started=1.5)
    make_record("0", [0.4, 0.6], "xgb", study=study, started=1.7, **trial)
    sweep.finish()
    return sweep


def test_no_word_is_every_run_and_sweep_on_the_rows_of_the_latest(runs, workspace, make_record):
    make_sweep(workspace, make_record, "alike")
    make_sweep(workspace, make_record, "folds", split="t" * 64)
    alike = ["mine", "alike", "0", "rf-0", "rf-1", "rf-grades", "one", "two"]
    assert names(find_group()) == alike
    assert find_group()[-1].name == find_run("latest").name
    runs.started = 7.0  # now a sweep is the latest
    runs.save()
    assert sorted(names(find_group())) == sorted(alike)
    make_record("three", [0.5, 0.6], split="t" * 64, started=8.0)
    assert names(find_group()) == ["folds", "0", "three"]
    assert names(find_group(["latest"])) == ["three"]


def test_what_lies_on_other_rows_is_counted(runs, workspace, make_record):
    make_sweep(workspace, make_record, "folds", split="t" * 64)
    make_record("broken", [0.5, 0.5], data="f" * 64, status="FAILED", started=0.4)
    singles, sweeps = find.count_elsewhere(find_group())
    assert (singles, sweeps.total()) == ({"grades": 1}, 1)
    assert not any(find.count_elsewhere(find_group(["outputs", "multirun"])))


def test_words_name_folders_studies_and_several_of_them_once(runs, workspace):
    assert names(find_group(["mine"])) == ["mine", "rf-0", "rf-1", "rf-grades"]
    assert names(find_group(["multirun/mine/1"])) == ["rf-1"]
    folder = str(workspace / "outputs/2026-01-02/one")
    assert names(find_group([folder, "outputs"])) == ["other", "one", "two"]


def test_what_names_nothing_says_what_there_is(runs):
    with pytest.raises(ConfigError, match=r"no-such: no such run .*; sweeps here: mine"):
        find_group(["mine", "no-such"])


def test_nothing_recorded_yet():
    for call in (find_run, lambda word: find_group([word])):
        with pytest.raises(ConfigError, match=r"latest: no finished run or sweep .*perf.train`"):
            call("latest")


@pytest.mark.slow
def test_mlflow_and_disk_give_the_same_runs(runs, workspace):
    store = f"sqlite:///{workspace}/mlflow.db"
    tracking = TrackingConfig(True, store, "exam")
    publish_sweep(runs.folder, tracking)
    ids = {record.name: record.mlflow_run_id for record in find_group(["mine"])}
    sender = RunStore(tracking)
    for record in find_group(["outputs"]):
        ids[record.name] = sender.send(record)
    assert names(find_group(["latest"], store=store)) == ["one", "two"]
    alike = ["mine", "rf-0", "rf-1", "rf-grades", "one", "two"]
    assert sorted(names(find_group(store=store))) == sorted(alike)
    assert len(find_group(experiment="exam")) == 7
    assert names(find_group(["latest"], experiment="exam")) == ["one", "two"]
    assert len(find_group(["exam"])) == 7
    (one,) = find_group([ids["rf-1"]])
    assert one.metrics["fold_accuracy"] == [0.6, 0.7]
    sweep_id = (runs.folder / RUN_ID_FILE).read_text()
    for word in ("mine", sweep_id, sweep_id[:12]):
        assert names(find_group([word], store=store)) == ["mine", "rf-0", "rf-1", "rf-grades"]
    for folder in ("outputs", "multirun"):
        shutil.rmtree(workspace / folder)
    # From MLflow, since the disk has none.
    assert sorted(names(find_group())) == sorted(alike)
    assert find_run("latest").name == "two"
    for word in ("mine", sweep_id, sweep_id[:12], f"runs:/{sweep_id}"):
        assert find_run(word).mlflow_run_id == sweep_id
        assert find_kept(word).name == "rf-grades"
    assert find_run(ids["rf-0"][:10]).name == "rf-0"
    for word, found in {"rf-0": "rf-0", "one": "one"}.items():
        assert find_run(word).mlflow_run_id == ids[found]
    with pytest.raises(ConfigError, match=r"--experiment none: no run"):
        find_group(experiment="none")
    with pytest.raises(TrackingError, match="models:/none@champion: no such model"):
        find_run("models:/none@champion")
