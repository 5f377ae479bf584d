import shutil

import pandas as pd
import pytest

from student_perf.runs.record import load_record
from student_perf.sweep.account import take_account
from student_perf.sweep.restore import restore_trials
from student_perf.sweep.study import open_study
from tests.sweep.conftest import outcome_of, run_trials

TREE = ("model=tree", "model.max_depth=range(2,4)", "model.min_samples_leaf=range(2,60)")
SCORES = ("cv_accuracy_mean", "fold_accuracy", "cv_log_loss_mean")


@pytest.mark.parametrize("number", [0, 2])  # the defaults, which are a reference, and a drawn one
@pytest.mark.slow
def test_a_complete_trial_whose_folder_is_gone_is_run_again(plan_of, number):
    plan, evaluator = plan_of(*TREE, n_trials=3, sampler="random")
    study = run_trials(plan, evaluator)
    folder = plan.folder / str(number)
    before, table = load_record(folder), pd.read_parquet(folder / "predictions.parquet")
    shutil.rmtree(folder)
    (wrong,) = take_account(outcome_of(plan, evaluator), study).wrong
    assert wrong == f"trial {number}: complete in the study, but its folder has no record"
    said = []
    restore_trials(plan, study, evaluator, said.append)
    assert said == [f"Trial {number}: its folder was removed; it was run again."]
    after = load_record(folder)
    assert (after.status, after.swept, after.outside) == ("FINISHED", before.swept, before.outside)
    assert [after.metrics[name] for name in SCORES] == [before.metrics[name] for name in SCORES]
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "predictions.parquet"), table)
    assert take_account(outcome_of(plan, evaluator), study).wrong == []
    restore_trials(plan, study, evaluator, said.append)
    assert len(said) == 1


def test_pruned_and_failed_trials_are_recorded_again_with_a_note(plan_of, monkeypatch):
    plan, evaluator = plan_of("model.C=0.1,1,10", sampler="grid", max_failure_rate=1.0,
                              pruner="median", pruner_options={"n_startup_trials": 1})  # fmt: skip
    evaluate = evaluator.evaluate

    def hostile(config, on_fold):
        if config.model["C"] == 1:
            raise ValueError("no luck")
        if config.model["C"] == 10:
            on_fold(1, {"accuracy": 0.0})
        return evaluate(config, on_fold=on_fold)

    monkeypatch.setattr(evaluator, "evaluate", hostile)
    run_trials(plan, evaluator)
    states = [load_record(plan.folder / str(n)).status for n in range(3)]
    assert states == ["FINISHED", "FAILED", "PRUNED"]
    for number in (1, 2):
        shutil.rmtree(plan.folder / str(number))
    study, said = open_study(plan), []
    restore_trials(plan, study, evaluator, said.append)
    assert [load_record(plan.folder / str(n)).status for n in range(3)] == states
    assert all("recorded again from the study" in line for line in said)
    assert "folder was removed" in load_record(plan.folder / "1").error
    assert take_account(outcome_of(plan, evaluator), study).wrong == []


@pytest.mark.slow
def test_a_trial_that_fails_the_second_time_is_named(plan_of, monkeypatch):
    plan, evaluator = plan_of("model.C=0.1,1", sampler="grid")
    study = run_trials(plan, evaluator)
    shutil.rmtree(plan.folder / "1")

    def broken(config):
        raise ValueError("no luck")

    monkeypatch.setattr(evaluator, "evaluate", broken)
    said = []
    restore_trials(plan, study, evaluator, said.append)
    assert said == ["Trial 1: its folder was removed; run again, it failed: ValueError: no luck"]
    (wrong,) = take_account(outcome_of(plan, evaluator), study).wrong
    assert wrong == "trial 1: complete in the study, FAILED in its record"
