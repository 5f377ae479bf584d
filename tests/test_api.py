"""Runs, sweeps and comparisons from Python, with nothing of it left behind."""

import logging
import os
import threading

import mlflow
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import student_perf
from student_perf.api import compare, load_run, load_sweep, run, sweep
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record

QUICK = {"model": "tree", "split.n_splits": 2, "report.importance": False, "tracking": "off"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    hours, school = rng.normal(5, 2, 120), rng.choice(["north", "south"], 120)
    passed = np.where(hours + rng.normal(0, 1, 120) > 5, "pass", "fail")
    return pd.DataFrame({"hours": hours, "school": school, "grade": passed})


@pytest.mark.slow
def test_a_run_is_that_of_the_command_line(train, workspace):
    words = ["model=tree", "split.n_splits=2", "report.importance=false", "tracking=off"]
    mine = run(*words, {"seed": 3})
    assert train(*words, "seed=3").code == 0
    folders = {record.parent for record in (workspace / "outputs").glob("*/*/record.json")}
    (theirs,) = (load_record(folder) for folder in folders - {mine.folder})
    assert mine.record.config_sha256 == theirs.config_sha256
    assert mine.record.fold_scores("accuracy").tolist() == theirs.fold_scores("accuracy").tolist()
    assert {p.name for p in mine.folder.iterdir()} == {p.name for p in theirs.folder.iterdir()}
    assert "seed=3" in (mine.folder / ".hydra/overrides.yaml").read_text()
    assert (mine.folder / "train.log").read_text()
    assert load_run("latest").folder == theirs.folder


@pytest.mark.slow
def test_a_table_of_ones_own_is_the_data_and_can_be_run_again(table):
    mine = run(QUICK, data=table, target="grade")
    assert mine.record.n_rows == 120
    assert mine.record.features == "hours,school"
    assert mine.score > 0.7
    assert list(mine.model.predict(table[["hours", "school"]].head(3))) == [
        label if isinstance(label, str) else str(label)
        for label in mine.model.predict(table[["hours", "school"]].head(3))
    ]
    again = run(QUICK, data=table.copy(), target="grade")
    assert again.record.data_sha256 == mine.record.data_sha256
    pd.testing.assert_frame_equal(again.predictions, mine.predictions)


def test_a_sweep_gives_its_leaderboard_and_its_winner():
    found = sweep(QUICK, "model.max_depth=1,3", {"hydra.sweeper.n_jobs": 2})
    assert list(found.leaderboard["rank"]) == [1, 2]
    assert found.leaderboard["mean"].is_monotonic_decreasing
    assert set(found.leaderboard["model.max_depth"]) == {1, 3}
    assert found.winner.record.kind == "final"
    assert found.winner.estimates.loc["accuracy", "test"] > 0
    assert found.sentences[0].startswith("Best: trial ")
    assert load_sweep(found.name).folder == found.folder
    assert load_run(found.name).folder == found.winner.folder
    ranked = compare(found)
    assert list(ranked.leaderboard["mean"]) == list(found.leaderboard["mean"])
    assert list(compare(found, metric="log_loss").leaderboard["metric"]) == ["log_loss"] * 2
    more = sweep(QUICK, "model.max_depth=1,3", {"hydra.sweeper.n_jobs": 2, "tags.role": "ops"})
    assert more.folder == found.folder  # the same words continue it
    with pytest.raises(ConfigError, match="is a run, not a sweep"):
        load_sweep(str(found.winner.folder))


@pytest.mark.slow
def test_a_nested_result_is_a_run():
    words = {"split": "nested", "split.n_inner_splits": 2, "hydra.sweeper.n_trials": 2}
    found = sweep(QUICK, words, "model.max_depth=range(1,4)")
    assert found.record.kind == "nested"
    assert set(found.predictions["fold"]) == {0, 1}
    with pytest.raises(ConfigError, match="kept no model"):
        _ = found.model


@pytest.mark.slow
def test_nothing_is_left_behind(tmp_path, monkeypatch, capsys):
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "config.yaml").write_text("theirs: 1\n")
    elsewhere = f"sqlite:///{tmp_path}/theirs.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", elsewhere)
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    with initialize_config_dir(str(tmp_path / "app"), version_base="1.3"):
        done = run({**QUICK, "tracking": "sqlite"})
        sweep(QUICK, "model.max_depth=1,2")
        assert compose("config") == {"theirs": 1}
    assert done.record.mlflow_run_id is not None
    assert mlflow.get_tracking_uri() == elsewhere
    assert os.environ["MLFLOW_TRACKING_URI"] == elsewhere
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert not mlflow.is_tracking_uri_set()
    assert os.environ["MLFLOW_RUN_ID"] == "0" * 32
    assert not (tmp_path / "theirs.db").exists()
    assert (root.level, root.handlers) == before
    assert not GlobalHydra.instance().is_initialized()
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_threads_run_at_the_same_time_each_with_its_own_log():
    found = {}

    def work(depth):
        found[depth] = run({**QUICK, "model.max_depth": depth})

    threads = [threading.Thread(target=work, args=(depth,)) for depth in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = run({**QUICK, "model.max_depth": 2})
    assert found[2].record.fold_scores("accuracy").tolist() == (
        alone.record.fold_scores("accuracy").tolist()
    )
    for result in found.values():
        log = (result.folder / "train.log").read_text()
        assert log.count("split: kfold: 2 folds") == 1


@pytest.mark.slow
def test_what_the_command_line_prints_is_shown_on_demand(capsys):
    run(QUICK, show=True)
    assert "tree on econmath, split kfold, seed 0" in capsys.readouterr().out


def test_errors_are_those_of_the_command_line(workspace):
    with pytest.raises(ConfigError, match="model=xbg: no such option; did you mean xgb"):
        run("model=xbg")
    with pytest.raises(ConfigError, match="has no key 'depth' in 'model'; did you mean max_depth"):
        sweep(QUICK, "model.depth=1,2")
    for function in (run, sweep):
        with pytest.raises(ConfigError) as caught:
            function("model.max_depth=[1,")
        assert "model.max_depth=[1," in str(caught.value)
    with pytest.raises(ConfigError, match="no such run"):
        load_run("nothing")
    done = run(QUICK)
    with pytest.raises(ConfigError, match="is not empty; name another folder"):
        run(QUICK, {"hydra.run.dir": str(done.folder)})
    assert len(list((workspace / "outputs").glob("*/*"))) == 1


def test_the_package_gives_the_door_when_it_is_asked_for():
    assert student_perf.api.run is run
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = student_perf.nothing


def test_a_numeric_target_gets_a_model_that_serves_it(workspace):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"hours": rng.normal(5, 2, 60), "paid": rng.choice(["yes", "no"], 60)})
    table["grade"] = table["hours"] + rng.normal(0, 0.3, 60)
    words = {name: value for name, value in QUICK.items() if name != "model"}
    done = run(words, data=table, target="grade")
    assert (done.record.model, done.record.objective) == ("ridge", "root_mean_squared_error")
    with pytest.raises(ConfigError, match="has no regressor"):
        run(words, "model=logreg", data=table, target="grade")
