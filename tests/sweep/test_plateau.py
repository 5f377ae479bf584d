import pytest
from optuna.trial import TrialState, create_trial

from student_perf.errors import ConfigError
from student_perf.sweep.plateau import Plateau, out_of_patience, renew_patience
from student_perf.sweep.study import next_trial
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"


class Looked(list):
    """Trials of a study that count how many of them somebody has looked at."""

    n_looks = 0

    def __getitem__(self, number):
        self.n_looks += 1
        return super().__getitem__(number)


def run(study, plan, scores):
    """Tell scores, None for a pruned and NaN for a failed trial; returns how many were told."""
    for number, score in enumerate(scores):
        renew_patience(study, plan)
        if (trial := next_trial(study, plan)) is None:
            return number
        if score is None:
            study.tell(trial, state=TrialState.PRUNED)
        elif score != score:
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, score)
    return len(scores)


@pytest.mark.slow
def test_a_study_ends_after_so_many_trials_without_a_better_one(plan_of):
    plan, _ = plan_of(C, n_trials=20, patience=3)
    study = opened(plan)
    nan = float("nan")
    # An equal value is not better, a failed trial does not count, a pruned one does.
    assert run(study, plan, [0.3, 0.5, 0.5, 0.4, nan, None, 0.9]) == 6
    assert out_of_patience(study, plan) == 1
    more, _ = plan_of(C, n_trials=20, patience=4)
    assert out_of_patience(study, more) is None
    assert out_of_patience(study, plan_of(C, n_trials=20)[0]) is None


def test_more_trials_renew_the_patience_and_the_same_number_does_not(plan_of):
    plan, _ = plan_of(C, n_trials=20, patience=2)
    study = opened(plan)
    assert run(study, plan, [0.5, 0.4, 0.4, 0.4]) == 3
    assert run(study, plan, [0.4]) == 0
    more, _ = plan_of(C, n_trials=30, patience=2)
    assert run(study, more, [0.4, 0.4, 0.4]) == 2
    assert run(study, more, [0.4]) == 0


def test_a_trial_that_breaks_a_limit_is_no_improvement_on_one_that_keeps_it(plan_of):
    plan, _ = plan_of(C, n_trials=9, patience=1, constraints={"log_loss": 1.2})
    study = opened(plan)
    for score, excess in ((0.5, -1.0), (0.9, 1.0)):
        trial = next_trial(study, plan)
        trial.set_constraint("log_loss", excess)
        study.tell(trial, score)
    assert out_of_patience(study, plan) == 0


def test_a_loss_improves_downwards(plan_of):
    plan, _ = plan_of(C, "objective=log_loss", n_trials=9, patience=1)
    study = opened(plan)
    assert run(study, plan, [0.5, 0.4, 0.45, 0.1]) == 3
    assert out_of_patience(study, plan) == 1


def test_several_objectives_have_no_single_best(plan_of):
    with pytest.raises(ConfigError, match="patience=3: needs a single best"):
        plan_of(C, objectives=["fit_seconds"], patience=3)


def test_each_ask_looks_at_few_trials_however_long_the_study_and_its_queue(plan_of, monkeypatch):
    plan, _ = plan_of(C, n_trials=4000, patience=3000)
    study = opened(plan)
    ended = [create_trial(value=float(i % 7), params={}) for i in range(1000)]
    waiting = [create_trial(state=TrialState.WAITING) for _ in range(1000)]
    trials = Looked(ended + waiting)
    for number, trial in enumerate(trials):
        trial.number = number
    monkeypatch.setattr(study, "get_trials", lambda deepcopy: trials)
    plateau = Plateau(study, plan)
    assert plateau.best_if_over() is None
    for number in range(1000, 1500):
        trials.n_looks = 0
        trials[number].state = TrialState.RUNNING  # two workers: the one before ends meanwhile
        trials[number - 1].state, trials[number - 1].values = TrialState.COMPLETE, [0.5]
        plateau.best_if_over()
        assert trials.n_looks < 10
    small, _ = plan_of(C, n_trials=4000, patience=1493)
    trials[1499].state, trials[1499].values = TrialState.PRUNED, None
    assert Plateau(study, small).best_if_over() == out_of_patience(study, small) == 6
    assert plateau.best_if_over() is None
    renewed, _ = plan_of(C, n_trials=4000, patience=1494)
    assert out_of_patience(study, renewed) is None


@pytest.mark.parametrize(("pruner", "is_over"), [("median", True), ("halving", False)])
def test_what_was_stopped_on_a_sample_is_no_worse(plan_of, monkeypatch, pruner, is_over):
    monkeypatch.setattr("student_perf.sweep.rungs._FEWEST_ROWS", 10)
    monkeypatch.setattr("student_perf.sweep.rungs._FEWEST_OF_A_CLASS", 1)
    plan, _ = plan_of(C, n_trials=20, patience=3, pruner=pruner)
    study = opened(plan)
    assert run(study, plan, [0.5]) == 1
    for _ in range(3):
        trial = next_trial(study, plan)
        if pruner == "halving":
            trial.set_user_attr("rungs", {"scores": [0.9]})
        study.tell(trial, state=TrialState.PRUNED)
    assert (out_of_patience(study, plan) is not None) == is_over
    if not is_over:
        assert run(study, plan, [0.4, 0.4, 0.4, 0.4]) == 3


def test_what_runs_for_long_counts_when_it_has_ended(plan_of):
    plan, _ = plan_of(C, n_trials=20, patience=2)
    study = opened(plan)
    plateau = Plateau(study, plan)
    slow, *others = [next_trial(study, plan, plateau) for _ in range(3)]
    for trial, value in zip(others, (0.5, 0.4), strict=True):
        study.tell(trial, value)
    assert plateau.best_if_over() is None
    study.tell(slow, 0.6)
    assert plateau.best_if_over() == slow.number
