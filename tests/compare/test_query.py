import os
import shutil

import pytest

from student_perf.compare.query import find_runs, latest, parse_condition, same_rows
from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError
from student_perf.runs.record import RunRecord
from student_perf.store.client import RunStore


def names(records):
    return [record.name for record in records]


@pytest.fixture
def runs(make_record, workspace, monkeypatch):
    """Two single runs on the same rows, one on others, an older sweep of two with its winner."""
    monkeypatch.chdir(workspace)  # words are paths from here first, and the checkout has runs too
    sweep = RunRecord(workspace / "multirun/mine", "mine", "sweep", {}, {}, started=1.0)
    sweep.folder.mkdir(parents=True)
    sweep.save()
    os.utime(sweep.folder / "record.json", (1.0, 1.0))
    make_record("rf-0", [0.5, 0.6], "rf", study="mine", started=2.0)
    make_record("rf-1", [0.6, 0.7], "rf", study="mine", started=3.0)
    make_record("rf-grades", [0.6, 0.7], "rf", study="mine", kind="final", number=1, started=4.0)
    make_record("one", [0.5, 0.5], started=5.0)
    make_record("two", [0.5, 0.5], "svm", started=6.0)
    other = make_record("other", [0.5, 0.5], data="e" * 64, started=0.5)
    os.utime(other.folder / "record.json", (0.5, 0.5))


def test_latest_is_the_newest_runs_rows_or_the_newest_sweep(runs, workspace):
    assert names(find_runs()) == ["one", "two"]
    newer = workspace / "multirun/mine/record.json"
    os.utime(newer, (3e9, 3e9))
    assert names(find_runs(["latest"])) == ["rf-0", "rf-1", "rf-grades"]


def test_words_name_folders_studies_and_several_of_them_once(runs, workspace):
    assert names(find_runs(["mine"])) == ["mine", "rf-0", "rf-1", "rf-grades"]
    assert names(find_runs(["multirun/mine/rf-1"])) == ["rf-1"]
    folder = str(workspace / "outputs/2026-01-02/one")
    assert names(find_runs([folder, "outputs"])) == ["other", "one", "two"]


def test_a_filter_keeps_what_it_holds_for(runs):
    kept = find_runs(
        ["mine", "outputs"], condition="params.model.name = 'rf' AND tags.dataset LIKE 'gr%'"
    )
    assert names(kept) == ["rf-0", "rf-1", "rf-grades"]
    with pytest.raises(ConfigError, match=r"no run with --filter metrics.fit_seconds > 7"):
        find_runs(["mine"], condition="metrics.fit_seconds > 7")


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params.model.name = 'xgb'", True),
        ('params."model.name" != "rf"', True),
        ("metrics.`fit_seconds` <= 2 and metrics.fit_seconds > 1.5", True),
        ("metrics.fit_seconds < 2", False),
        ("params.no.such = 'a'", False),
        ("params.no.such != 'a'", False),
        ("attributes.run_name ILIKE 'XGB-_'", True),
        ("attributes.run_name LIKE 'XGB%'", False),
        ("tags.role = 'a and b'", True),
        ("metrics.fold_accuracy > 0", False),
    ],
)
def test_conditions(tmp_path, text, holds):
    metrics = {"fit_seconds": 2.0, "fold_accuracy": [0.5, 0.6]}
    record = RunRecord(
        tmp_path, "xgb-3", "trial", {"model.name": "xgb"}, {"role": "a and b"}, metrics
    )
    assert parse_condition(text)(record) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model.name = 'xgb'", "no entity 'model'"),
        ("params.a ~ 'x'", "not understood"),
        ("params.a = 'x' OR params.b = 'y'", "not understood from ' OR"),
        ("params.a = 'x' AND", "not understood from ' AND'"),
        ("metrics.a > 'x'", "metrics are compared"),
        ("params.a > 'x'", "metrics are compared"),
    ],
)
def test_conditions_that_are_not_understood(text, told):
    with pytest.raises(ConfigError, match=told):
        parse_condition(text)


def test_what_names_nothing_says_what_there_is(runs):
    with pytest.raises(ConfigError, match=r"no-such: no such run; sweeps here: mine"):
        find_runs(["no-such"])


def test_nothing_recorded_yet():
    with pytest.raises(ConfigError, match=r"latest: no run; name a folder"):
        find_runs()


def test_of_many_records_the_newest_set(make_record):
    old, new = make_record("a", [1.0]), make_record("b", [1.0], split="t", started=2e9)
    assert latest([old, new]) == [new]
    assert same_rows(new) == ("d" * 64, "t")
    trial = make_record("rf-1", [1.0], study="mine", started=3e9)
    assert latest([old, new, trial]) == [trial]
    assert latest([]) == []


@pytest.mark.slow
def test_mlflow_and_disk_give_the_same_runs(runs, workspace):
    store = f"sqlite:///{workspace}/mlflow.db"
    sender = RunStore(TrackingConfig(True, store, "exam"))
    ids = {}
    for record in find_runs(["mine", "outputs"]):
        ids[record.name] = sender.send(record)
    assert names(find_runs(["latest"], store=store)) == ["one", "two"]
    assert len(find_runs(experiment="exam")) == 7
    assert len(find_runs(["exam"])) == 7
    (one,) = find_runs([ids["rf-1"]])
    assert one.metrics["fold_accuracy"] == [0.6, 0.7]
    assert names(find_runs(["mine"], store=store)) == ["rf-0", "rf-1", "rf-grades"]
    for folder in ("outputs", "multirun"):
        shutil.rmtree(workspace / folder)
    assert names(find_runs()) == ["one", "two"]  # from MLflow where the disk has none
    with pytest.raises(ConfigError, match="--experiment none: no run"):
        find_runs(experiment="none")
