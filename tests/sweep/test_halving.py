"""Successive halving: samples of the training rows come first, and only full evaluations win."""

import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep import halving
from student_perf.sweep.halving import thinned
from student_perf.sweep.study import counts
from tests.sweep.conftest import run_trials

C = "model.C=tag(log,interval(0.0001,10))"


@pytest.fixture
def few_rows(monkeypatch):
    """Samples of the smallest dataset are taken for large ones."""
    monkeypatch.setattr(halving, "_FEWEST_ROWS", 10)


def test_samples_lie_in_each_other_and_keep_the_target_in_proportion(plan_of):
    plan, evaluator = plan_of(C, n_trials=1)
    data = evaluator.data(plan.base)
    ninth, third = (thinned(data.split, data.dataset, step) for step in (9, 3))
    again = thinned(data.split, data.dataset, 9)
    for whole, large, small, same in zip(
        data.split.folds, third.folds, ninth.folds, again.folds, strict=True
    ):
        assert set(small.train) <= set(large.train) <= set(whole.train)
        assert small.train.tolist() == same.train.tolist() == sorted(small.train)
        assert small.validation is whole.validation
        some_more = halving._FEWEST_OF_A_CLASS * len(data.dataset.classes)
        assert 0 <= len(small.train) - len(whole.train) // 9 <= some_more
        shares = [
            np.bincount(data.dataset.target[rows]) / len(rows)
            for rows in (small.train, whole.train)
        ]
        np.testing.assert_allclose(*shares, atol=0.12)


def test_a_sample_has_some_of_every_class_for_models_that_divide_it_again(plan_of):
    plan, evaluator = plan_of(C, n_trials=1)
    data = evaluator.data(plan.base)
    for whole, small in zip(
        data.split.folds, thinned(data.split, data.dataset, 300).folds, strict=True
    ):
        targets = data.dataset.target
        known = np.bincount(targets[small.train])
        assert (known >= np.minimum(np.bincount(targets[whole.train]), 20)).all()


def test_it_is_refused_on_few_rows_and_with_options(plan_of):
    with pytest.raises(ConfigError, match=r"pruner=halving: its first sample would have \d+ train"):
        plan_of(C, n_trials=3, pruner="halving")
    with pytest.raises(ConfigError, match="pruner_options: halving has none"):
        plan_of(C, n_trials=3, pruner="halving", pruner_options={"reduction_factor": 2})


@pytest.mark.slow
def test_most_trials_end_on_samples_and_all_others_are_judged_on_all_rows(plan_of, few_rows):
    plan, evaluator = plan_of(C, n_trials=18, pruner="halving")
    study = run_trials(plan, evaluator)
    found = counts(study)
    assert found["pruned"] + found["complete"] == 18
    assert found["pruned"] >= 9
    for trial in study.trials:
        record = load_record(plan.folder / str(trial.number))
        on_samples = record.metrics["sample_accuracy"]
        assert on_samples == list(trial.intermediate_values.values())
        if trial.state.name == "PRUNED":
            assert record.status == "PRUNED"
            assert set(record.metrics) == {"sample_accuracy"}
        else:
            assert len(on_samples) == 2
            whole = evaluator.evaluate(*plan.configs(trial.params, trial.number))
            assert trial.value == whole.estimates["accuracy"].mean
