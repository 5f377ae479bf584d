import json

import numpy as np
import pandas as pd
import pytest

from student_perf import cli
from student_perf.runs.record import load_record

NESTED = ["split=nested", "split.n_splits=3", "split.n_inner_splits=2", "report.importance=false"]


def folders(workspace):
    return {path.name: path for path in (workspace / "multirun").iterdir() if path.is_dir()}


def the_nested(workspace):
    (name,) = (name for name in folders(workspace) if "-fold" not in name)
    return folders(workspace)[name]


@pytest.mark.slow
def test_without_a_choice_the_outer_scores_are_those_of_plain_folds(train, workspace):
    assert train("-m", *NESTED, "tracking=off", "model.C=choice(0.3)").code == 0
    nested = json.loads((the_nested(workspace) / "metrics.json").read_text())
    done = train("split=kfold", *NESTED[1:2], NESTED[3], "model.C=0.3", "tracking=off")
    assert done.code == 0
    (single,) = (workspace / "outputs").glob("*/*/metrics.json")
    plain = json.loads(single.read_text())
    for metric in ("accuracy", "log_loss"):
        assert nested["metrics"][metric]["folds"] == plain["metrics"][metric]["folds"]
        assert nested["metrics"][metric]["low"] == plain["metrics"][metric]["low"]
    tags, of_single = load_record(the_nested(workspace)).tags, load_record(single.parent).tags
    assert tags["student_perf.kind"] == "nested"
    assert tags["student_perf.split_sha256"] == of_single["student_perf.split_sha256"]


@pytest.mark.slow
def test_commands_take_a_nested_result_for_what_it_is(train, workspace, capsys):
    words = ["tracking=off", "model.C=choice(0.3)", "hydra.sweeper.study_name=two"]
    assert train("-m", *NESTED, *words).code == 0
    nested = load_record(the_nested(workspace))
    capsys.readouterr()
    for word in ("latest", "two"):
        assert cli.main(["report", word]) == 0
        out = capsys.readouterr().out
        assert f"accuracy {nested.mean('accuracy'):.3f}" in " ".join(out.split())
        assert "dummy baseline" not in out
    trial = load_record(workspace / "multirun/two-fold0/0")
    assert cli.main(["report", str(trial.folder)]) == 0
    assert f"accuracy {trial.mean('accuracy'):.3f}" in " ".join(capsys.readouterr().out.split())
    source = workspace / "in.csv"
    source.write_text("act\n20\n")
    for command in (
        ["reproduce", "two"],
        ["promote", "two"],
        ["check", "two"],
        ["predict", "two", str(source), "out.csv"],
    ):
        assert cli.main(command) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "two: is a nested result, which has no model" in line
        assert line.endswith("such as two-fold0")
    assert cli.main(["reproduce", "two-fold0"]) == 0


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_each_outer_fold_has_its_own_choice_and_is_answered_once(train, workspace):
    from mlflow import MlflowClient

    done = train("-m", *NESTED, "model.C=1e-6,1", "hydra.sweeper.study_name=two")
    assert done.code == 0
    assert "Model plus tuning: accuracy" in " ".join(done.out.split())
    found = folders(workspace)
    assert set(found) == {"two", "two-fold0", "two-fold1", "two-fold2"}
    nested = load_record(found["two"])
    answers = pd.read_parquet(found["two"] / "predictions.parquet")
    assert not answers["row"].duplicated().any()
    for number in range(3):
        sweep = found[f"two-fold{number}"]
        outer = pd.read_parquet(sweep / "winner/test_predictions.parquet")
        rows = answers[answers["fold"] == number]["row"]
        assert rows.tolist() == outer["row"].tolist()
        trials = [load_record(sweep / str(i)).metrics["cv_accuracy_mean"] for i in range(2)]
        assert nested.metrics["inner_accuracy"][number] == max(trials)
        for trial in range(2):  # no trial has seen a row of its outer fold
            seen = pd.read_parquet(sweep / str(trial) / "predictions.parquet")["row"]
            assert not set(seen) & set(rows)
    right = answers["y_true"].astype(str) == answers["y_pred"].astype(str)
    shares = right.groupby(answers["fold"]).mean()
    np.testing.assert_allclose(shares, nested.metrics["fold_accuracy"])

    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'student_perf'")
    runs = client.search_runs([experiment.experiment_id], "tags.`student_perf.kind` = 'nested'")
    assert [run.info.run_id for run in runs] == [nested.mlflow_run_id]
    assert runs[0].data.metrics["cv_accuracy_mean"] == nested.metrics["cv_accuracy_mean"]


@pytest.mark.slow
def test_the_preview_shows_one_fold_and_runs_nothing(train, workspace):
    done = train("-m", *NESTED, "model.C=0.1,1", "hydra.sweeper.preview=true")
    assert done.code == 0
    assert "2 trials" in done.out
    assert not list((workspace / "multirun").glob("*/record.json"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["split.random_state=1,2"], "cannot be swept"),
        (["split.outer_fold=3", "seed=0,1"], "counted from 0"),
    ],
)
@pytest.mark.slow
def test_what_nested_sweeps_cannot_do_is_said(train, words, message):
    done = train("-m", *NESTED, "tracking=off", "model=dummy", *words)
    assert done.code == 1
    assert message in done.err
