import pytest

from student_perf.runs.record import load_record
from tests.sweep.test_run import study_of, sweep_folder


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_winner_becomes_a_challenger_where_that_is_asked_for(train, workspace):
    from mlflow import MlflowClient

    words = ["model.C=0.1,1", "split.n_splits=2", "report.importance=false"]
    for _ in range(2):  # the second time everything is there
        done = train("-m", *words, "hydra.sweeper.register=mine")
        assert "Version 1 of mine is the challenger now." in done.out
        assert "student_perf promote models:/mine@challenger" in done.out
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    version = client.get_model_version_by_alias("mine", "challenger")
    (folder,) = (workspace / "multirun").iterdir()
    assert version.run_id == load_record(folder / "winner").mlflow_run_id
    done = train("-m", "model.C=2,3", *words[1:], "tracking=off", "hydra.sweeper.register=mine")
    assert done.code == 0
    assert "Not registered as mine: the winner is not in MLflow" in done.out


@pytest.mark.slow
def test_the_best_few_keep_models_and_only_the_winner_sees_the_test_rows(train, workspace):
    words = ["model.C=0.01,0.1,1", "tracking=off", "split.n_splits=2", "report.importance=false"]
    done = train("-m", *words, "hydra.sweeper.keep_models=2")
    assert done.code == 0
    first = load_record(sweep_folder(workspace) / "place_2")
    assert train("-m", *words, "hydra.sweeper.keep_models=2").code == 0  # fits nothing again
    assert load_record(sweep_folder(workspace) / "place_2") == first
    folder = sweep_folder(workspace)
    kept = load_record(folder / "place_2")
    study = study_of(folder)
    ranked = sorted(study.trials, key=lambda t: (-t.value, t.number))
    assert kept.tags["student_perf.trial_number"] == str(ranked[1].number)
    assert (folder / "place_2/model.skops").is_file()
    assert not [name for name in kept.metrics if name.startswith("test_")]
    assert not (folder / "place_3").exists()
    assert len((workspace / "test_looks.jsonl").read_text().splitlines()) == 1
