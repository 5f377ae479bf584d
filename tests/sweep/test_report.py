from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from student_perf.runs.record import load_record
from student_perf.scoring.paired import paired_difference
from student_perf.scoring.scores import fold_estimate
from student_perf.sweep.report import (
    Progress,
    best_trial,
    duration,
    fold_scores,
    interval,
    outcome_lines,
    show_plan,
)
from tests.sweep.conftest import run_trials

C = "model.C=tag(log,interval(0.0001,10))"


@pytest.fixture
def done(plan_of):
    plan, evaluator = plan_of(C, n_trials=12)
    study = run_trials(plan, evaluator)
    return plan, study, evaluator


def test_the_outcome_names_the_best_and_its_gain_over_the_defaults(done):
    plan, study, evaluator = done
    best = best_trial(study)
    assert best.value == max(t.value for t in study.trials)
    text = " ".join(outcome_lines(plan, study))
    assert f"Best: trial {best.number}, accuracy {best.value:.3f} with model.C=" in text
    ours, defaults = (load_record(plan.folder / str(n)) for n in (best.number, 0))
    gain = paired_difference(
        np.array(ours.metrics["fold_accuracy"]),
        np.array(defaults.metrics["fold_accuracy"]),
        evaluator.data(plan.base).split.test_over_train,
    )
    if best.number != 0:
        assert f"{gain.mean:+.3f} better" in text
        assert "It is the best of 12 tries" in text
    assert "What mattered" in text


def test_a_loss_counts_as_better_when_it_is_lower(plan_of):
    plan, evaluator = plan_of("objective=log_loss", C, n_trials=8)
    study = run_trials(plan, evaluator)
    best = best_trial(study)
    assert best.value == min(t.value for t in study.trials)
    if best.number != 0:
        (line,) = [line for line in outcome_lines(plan, study) if "Against" in line]
        assert ": +0." in line


def test_a_constant_objective_is_said(plan_of):
    plan, evaluator = plan_of("model=dummy", "seed=0,1,2,3", "split.random_state=0")
    study = run_trials(plan, evaluator)
    assert "nothing that was swept matters" in " ".join(outcome_lines(plan, study))


def test_the_interval_of_a_trial_is_the_corrected_one(done):
    plan, _, evaluator = done
    record = load_record(plan.folder / "0")
    ratio = evaluator.data(plan.base).split.test_over_train
    expected = fold_estimate("accuracy", fold_scores(record, "accuracy"), ratio)
    assert interval(record, "accuracy") == (expected.low, expected.high)


def test_progress_in_a_file_is_plain_lines(done):
    plan, study, _ = done
    out = StringIO()
    with Progress(plan, study, Console(file=out)).shown():
        pass
    line = out.getvalue().strip()
    assert line.startswith("12/12 trials, best 0.")
    assert "\x1b" not in line
    assert len(line) <= 80


def test_the_plan_fits_80_columns_and_shows_the_defaults(plan_of):
    plan, _ = plan_of("model=rf,logreg", "seed=range(0,100)")
    out = StringIO()
    show_plan(plan, Console(file=out, width=80), 130.0)
    text = out.getvalue()
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "logreg" in text
    assert "about 2 min 10 s" in " ".join(text.split())


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")]
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text
