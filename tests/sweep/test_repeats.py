import numpy as np
import pytest

from student_perf.compare.outcome import sentences
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep.account import take_account
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.repeats import repeated_composed
from tests.sweep.conftest import outcome_of, run_trials

DEPTHS = ("model=tree", "model.max_depth=2,4")


@pytest.fixture
def plan(plan_of):
    return plan_of(*DEPTHS, repeats=3)


def test_repeats_have_other_folds_and_seeds_and_the_same_test_rows(plan):
    plan, evaluator = plan
    configs = plan.configs({"model.max_depth": 2})
    assert [config.seed for config in configs] == [0, 1, 2]
    assert [config.model["random_state"] for config in configs] == [0, 1, 2]
    splits = [evaluator.data(config).split for config in configs]
    assert len({split.sha256 for split in splits}) == 3
    for split in splits:
        np.testing.assert_array_equal(split.test, splits[0].test)


def test_the_same_folds_again_are_refused(plan_of):
    with pytest.raises(ConfigError, match=r"repeats=3: .*; leave out split.random_state"):
        plan_of(*DEPTHS, "split.random_state=0", repeats=3)


def test_folds_that_no_seed_changes_are_refused(plan_of):
    with pytest.raises(ConfigError, match=r"repeats=2: no seed changes .* split=temporal"):
        plan_of(*DEPTHS, "split=temporal", "+dataset.time=age", repeats=2)


@pytest.mark.slow
def test_a_trial_holds_what_its_seeds_give_alone(plan):
    plan, evaluator = plan
    study = run_trials(plan, evaluator)
    record = load_record(plan.folder / "1")
    configs = plan.configs({"model.max_depth": 4})
    alone = [TrialEvaluator().evaluate(config).fold_scores["accuracy"] for config in configs]
    assert record.fold_scores("accuracy").tolist() == np.concatenate(alone).tolist()
    assert record.repeat_means("accuracy") == pytest.approx([scores.mean() for scores in alone])
    assert study.trials[1].value == pytest.approx(np.concatenate(alone).mean())
    again = list(repeated_composed(record, configs[0].composed))
    assert again == [config.composed for config in configs]
    outcome = outcome_of(plan, evaluator)
    assert outcome.board is not None
    assert outcome.board.folds == "3 repeats of 3 folds"
    (line,) = [line for line in sentences(outcome) if line.startswith("Repeats: ")]
    assert "the mean over 3 seeds" in line
    assert take_account(outcome, study).wrong == []


@pytest.mark.slow
def test_repeats_are_part_of_the_study(plan_of):
    names = {plan_of(*DEPTHS, repeats=n)[0].study_name for n in (1, 2, 3)}
    assert len(names) == 3


def test_every_fold_of_every_repeat_is_reported(plan):
    plan, evaluator = plan
    seen = []
    configs = plan.configs({"model.max_depth": 2})
    evaluator.evaluate(*configs, on_fold=lambda done, scores: seen.append(done))
    assert seen == list(range(1, 10))
