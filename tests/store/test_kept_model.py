import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import TrackingConfig
from student_perf.data.features import prepare_features
from student_perf.errors import ConfigError, ModelError, TrackingError
from student_perf.experiment.run import run_experiment
from student_perf.runs.layout import CONTRACT_FILE, MODEL_FILE
from student_perf.store.address import default_tracking
from student_perf.store.attachments import model_name
from student_perf.store.client import as_current
from student_perf.store.kept_model import load_kept_model
from student_perf.terminal import Terminal
from tests.hostile import ANSWERED, RAISED, Shares


def test_a_run_folder_gives_model_contract_and_golden_rows(kept_run):
    kept = load_kept_model(str(kept_run))
    assert kept.contract.classes == ["low", "mid", "high"]
    assert kept.contract.clean == ["normalise_text"]
    assert len(kept.golden.rows) >= 3
    np.testing.assert_allclose(np.sum(kept.golden.expected, axis=1), 1)
    assert 0 < kept.limit(0.5) <= kept.limit(0.9) <= 1


@pytest.mark.parametrize("word", ["that sum to 3", "nan", "rows", "shape"])
def test_an_answer_that_breaks_a_rule_is_an_error_wherever_it_is_asked(kept_run, word):
    kept = load_kept_model(str(kept_run))
    rows, _ = prepare_features(pd.DataFrame(kept.golden.rows), kept.contract)
    before = rows.copy()
    codes = np.arange(3).repeat(4)
    wrong = Shares(answer=ANSWERED[word]).fit(np.zeros((12, 1)), codes)
    with pytest.raises(ModelError, match=f"^the model answered .* from {kept_run}; ") as raised:
        replace(kept, model=wrong).output(rows)
    assert word in str(raised.value)
    changing = Shares(changes_data=True).fit(np.zeros((12, 1)), codes)
    assert replace(kept, model=changing).output(rows).shape == (len(rows), 3)
    pd.testing.assert_frame_equal(rows, before)


def test_a_kept_model_cannot_end_the_process(kept_run):
    kept = load_kept_model(str(kept_run))
    leaving = Shares(in_predict=RAISED["SystemExit: 0"]).fit(np.zeros((3, 1)), np.arange(3))
    rows, _ = prepare_features(pd.DataFrame(kept.golden.rows), kept.contract)
    with pytest.raises(ModelError, match="the model raised SystemExit: 0 from "):
        replace(kept, model=leaving).output(rows)


@pytest.mark.slow
def test_mlflow_gives_the_same_model_by_run_and_by_alias(compose_config, workspace):
    config = compose_config("tracking=sqlite", "split=holdout", "report.importance=false")
    record = run_experiment(config, workspace / "run", Terminal(quiet=True)).record
    import mlflow

    uri = f"runs:/{record.mlflow_run_id}/{model_name(record)}"
    with as_current(config.tracking.uri):
        mlflow.register_model(uri, "grades")
        mlflow.MlflowClient().set_registered_model_alias("grades", "champion", 1)
    local = load_kept_model(str(workspace / "run"))
    for source in (record.mlflow_run_id, uri, "models:/grades@champion", "models:/grades/1"):
        kept = load_kept_model(source)
        assert kept.golden == local.golden
        assert kept.sets == local.sets is not None
        assert kept.contract == local.contract
    run = record.mlflow_run_id[:8]
    assert kept.name == f"models:/grades/1 (run {run})"  # an alias moves, so the run is named


@pytest.mark.parametrize("places", [("data/model", "data/model"), ("", "extra_files")])
def test_a_logged_model_is_read_where_mlflow_puts_it_now_and_put_it_before(
    kept_run, tmp_path, places
):
    for name, place in zip((MODEL_FILE, CONTRACT_FILE), places, strict=True):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(kept_run / name, tmp_path / place)
    kept = load_kept_model(str(tmp_path))
    assert kept.contract == load_kept_model(str(kept_run)).contract


@pytest.mark.slow
def test_latest_is_the_run_that_started_last(run):
    run("model=dummy")
    newest = run("model=logreg")
    assert load_kept_model("latest").folder == newest.folder


def test_what_is_no_model_is_reported(kept_run, tmp_path):
    with pytest.raises(ConfigError, match="no such run"):
        load_kept_model("models/champion")
    with pytest.raises(ConfigError, match=r"holds no model\.skops"):
        load_kept_model(str(tmp_path))
    shutil.copy(kept_run / MODEL_FILE, tmp_path)
    with pytest.raises(ConfigError, match=r"holds no contract\.yaml"):
        load_kept_model(str(tmp_path))


@pytest.mark.slow
def test_a_name_the_store_does_not_know_is_reported():
    with pytest.raises(TrackingError, match="models:/none@champion: cannot be downloaded"):
        load_kept_model("models:/none@champion")


def test_the_default_store_is_that_of_training(workspace):
    assert default_tracking() == TrackingConfig(
        True, f"sqlite:///{workspace}/mlflow.db", "student_perf"
    )
