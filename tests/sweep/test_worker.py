import numpy as np
import pandas as pd
import pytest
import yaml

from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep import worker
from student_perf.sweep.study import counts, open_study
from student_perf.sweep.worker import Slot, StopSweep, Worker, raise_if_stopped
from tests.sweep.conftest import run_trials

C = "model.C=tag(log,interval(0.01,10))"


def test_each_trial_is_in_the_study_and_on_disk_with_the_same_value(plan_of):
    plan, evaluator = plan_of(C, n_trials=5)
    study = run_trials(plan, evaluator)
    assert counts(study)["complete"] == 5
    for trial in study.trials:
        record = load_record(plan.folder / str(trial.number))
        assert record.status == "FINISHED"
        assert record.metrics["cv_accuracy_mean"] == trial.value
        assert np.mean(record.metrics["fold_accuracy"]) == pytest.approx(trial.value)
        config = yaml.safe_load((record.folder / "config.yaml").read_text())
        assert config["model"]["C"] == trial.params["model.C"]
        predictions = pd.read_parquet(record.folder / "predictions.parquet")
        by_fold = (predictions["y_true"] == predictions["y_pred"]).groupby(predictions["fold"])
        assert by_fold.mean().tolist() == record.metrics["fold_accuracy"]


def test_no_trial_sees_the_test_rows(plan_of):
    plan, evaluator = plan_of(C, n_trials=2)
    run_trials(plan, evaluator)
    split = evaluator.data(plan.base).split
    assert len(split.test) > 100
    for number in range(2):
        rows = pd.read_parquet(plan.folder / str(number) / "predictions.parquet")["row"]
        assert not set(rows) & set(split.test)


def failing(evaluator, monkeypatch, fails):
    """Let `evaluate` fail in the calls that `fails` picks."""
    calls = []
    original = evaluator.evaluate

    def evaluate(*configs, on_fold):
        calls.append(1)
        if fails(len(calls)):
            raise ValueError("bad luck\nmore lines")
        return original(*configs, on_fold=on_fold)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)


def test_a_failing_trial_is_recorded_and_the_others_go_on(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=6)
    failing(evaluator, monkeypatch, lambda n: n == 2)
    study = run_trials(plan, evaluator)
    assert counts(study) == {"complete": 5, "pruned": 0, "fail": 1, "running": 0, "waiting": 0}
    record = load_record(plan.folder / "1")
    assert (record.status, record.error) == ("FAILED", "ValueError: bad luck more lines")


def test_a_trial_without_a_config_is_recorded_as_a_trial_too(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=2, max_failure_rate=1.0)

    def broken(*_args):
        raise ConfigError("no such value")

    monkeypatch.setattr("student_perf.sweep.worker.trial_values", broken)
    run_trials(plan, evaluator)
    records = [load_record(plan.folder / str(number)) for number in range(2)]
    assert [record.error for record in records] == ["no such value"] * 2
    for number, record in enumerate(records):  # by these MLflow's run is found again
        assert record.tags["student_perf.kind"] == "trial"
        assert record.tags["student_perf.trial_number"] == str(number)
    assert len({record.tags["student_perf.record_id"] for record in records}) == 2


def test_too_many_failures_of_the_whole_sweep_stop_it(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=10, max_failure_rate=0.2)
    failing(evaluator, monkeypatch, lambda n: n % 2 == 0)
    study = open_study(plan)
    run_trials(plan, evaluator, should_stop=(plan.folder / "stop").exists)
    assert counts(study)["fail"] == 3
    with pytest.raises(ConfigError, match="3 of 10 trials have failed"):
        raise_if_stopped(plan.folder)


def test_the_same_error_at_the_start_stops_early_with_it(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=100, max_failure_rate=1.0)
    failing(evaluator, monkeypatch, lambda n: True)
    study = run_trials(plan, evaluator, should_stop=(plan.folder / "stop").exists)
    assert counts(study)["fail"] == 3
    with pytest.raises(ConfigError, match="all failed with: ValueError: bad luck more"):
        raise_if_stopped(plan.folder)


def test_an_undefined_objective_fails_the_trial(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=2, max_failure_rate=1.0)
    monkeypatch.setattr(
        "student_perf.evaluation.cross_validation._scores", lambda *a: {"accuracy": float("nan")}
    )
    study = run_trials(plan, evaluator)
    assert counts(study)["fail"] == 2
    assert "cannot be ranked" in load_record(plan.folder / "0").error


@pytest.mark.slow
def test_stopping_between_folds_returns_the_trial_to_the_queue(plan_of):
    plan, evaluator = plan_of(C, n_trials=3)
    looks = []

    def should_stop():
        looks.append(1)
        return len(looks) == 7  # in the second trial

    with pytest.raises(StopSweep):
        run_trials(plan, evaluator, should_stop=should_stop)
    study = open_study(plan)
    assert counts(study) == {"complete": 1, "pruned": 0, "fail": 0, "running": 0, "waiting": 1}
    Worker(plan, evaluator=evaluator).run()
    assert [t.number for t in study.trials] == [0, 1, 2]
    assert counts(study)["complete"] == 3


@pytest.mark.parametrize("guest", [None, "a"])
def test_a_trial_is_no_longer_the_workers_once_it_waits(plan_of, monkeypatch, guest):
    plan, evaluator = plan_of(C, n_trials=1)
    seen = []

    def put_back(*_):
        seen.append(slot.trial)
        raise KeyboardInterrupt  # here it ends

    slot, name = Slot(), "requeue" if guest is None else "give_back"
    monkeypatch.setattr(worker, name, put_back)
    monkeypatch.setattr(worker, "start_trial", lambda *_: leave(guest))
    with pytest.raises(KeyboardInterrupt):
        run_trials(plan, evaluator, slot=slot, guest=guest)
    assert seen == [None]


def leave(guest):
    """Stop, or fail in a guest."""
    raise StopSweep if guest is None else ValueError("bad luck")


@pytest.mark.slow
def test_pruned_trials_stop_at_once_and_keep_what_they_measured(plan_of):
    options = {"n_startup_trials": 2, "n_warmup_steps": 0}
    plan, evaluator = plan_of(
        "split.n_splits=5", C, n_trials=25, pruner="median", pruner_options=options
    )
    study = run_trials(plan, evaluator)
    found = counts(study)
    assert found["pruned"] > 0
    assert found["pruned"] + found["complete"] == 25
    for trial in study.trials:
        record = load_record(plan.folder / str(trial.number))
        n_folds = len(record.metrics["fold_accuracy"])
        if trial.state.name == "PRUNED":
            assert record.status == "PRUNED"
            assert n_folds == len(trial.intermediate_values) < 5
        else:
            assert n_folds == 5


@pytest.mark.parametrize("pruner", ["percentile", "hyperband", "wilcoxon"])
@pytest.mark.slow
def test_every_pruner_runs(plan_of, pruner):
    plan, evaluator = plan_of(C, n_trials=4, pruner=pruner)
    found = counts(run_trials(plan, evaluator))
    assert found["complete"] + found["pruned"] == 4
