from dataclasses import replace

import pytest

from student_perf.scoring.metrics import TRAINING
from student_perf.scoring.power import share_error, smallest_difference
from student_perf.sweep.record import start_record
from student_perf.sweep.resolution import resolution_line
from tests.sweep.conftest import run_trials

C = "model.C=0.1,1,10"


def test_before_any_trial_it_is_assumed_and_said_so(plan_of):
    plan, evaluator = plan_of(C)
    data = evaluator.data(plan.base)
    n_rows = len(data.split.development)
    least = smallest_difference(TRAINING * share_error(0.5, 0.7, n_rows), n_rows - 1)
    line = resolution_line(plan, data)
    assert f"of about {least:.3f} between" in line
    assert "assumed: half of the answers right, correlation 0.7" in line


@pytest.mark.slow
def test_trials_on_the_same_folds_say_it_better(plan_of):
    plan, evaluator = plan_of(C)
    run_trials(plan, evaluator)
    start_record(plan, evaluator.data(plan.base), "")
    data = evaluator.data(plan.base)
    assert "by 3 earlier trials" in resolution_line(plan, data)
    other, _ = plan_of("model=tree", "model.max_depth=2,3")
    assert "by 3 earlier trials" in resolution_line(other, data)
    folds, evaluator = plan_of("model=tree", "model.max_depth=2,3", "split.n_splits=2")
    assert "assumed" in resolution_line(folds, evaluator.data(folds.base))


def test_what_cannot_be_known_is_not_guessed(plan_of):
    plan, evaluator = plan_of(C, "objective=log_loss")
    data = evaluator.data(plan.base)
    assert "not known before the first trials on these rows" in resolution_line(plan, data)


def test_a_single_validation_part_shows_what_its_rows_show(plan_of):
    plan, evaluator = plan_of(C)
    data = evaluator.data(plan.base)
    fold = data.split.folds[0]
    single = replace(data, split=replace(data.split, folds=(fold,)))
    assert f"What {len(fold.validation)} held-out rows can show" in resolution_line(plan, single)
