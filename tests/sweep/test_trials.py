import pytest
from optuna.trial import TrialState

from student_perf.errors import ConfigError
from student_perf.sweep.places import worker_lock
from student_perf.sweep.study import counts, next_trial
from student_perf.sweep.trials import run_trials
from student_perf.terminal import make_console
from tests.sweep.conftest import opened


def test_a_sweep_whose_trials_nobody_ran_is_not_finished(plan_of):
    plan, evaluator = plan_of("model.C=1,2")
    study, rounds = opened(plan), []
    with pytest.raises(ConfigError, match=r"2 of 2 trials have not run, .* \(trial 0, 1\)"):
        run_trials(plan, evaluator, study, make_console(), rounds.append)
    assert rounds == [plan, plan]


def test_a_launcher_whose_jobs_all_die_ends_the_sweep_with_one_line(plan_of):
    plan, evaluator = plan_of("model.C=1,2")
    study = opened(plan)

    def launch(plan):
        study.ask()
        raise RuntimeError("a worker was terminated\n\nmore")

    with pytest.raises(
        ConfigError, match=r"no trial has: RuntimeError: a worker was terminated; correct"
    ):
        run_trials(plan, evaluator, study, make_console(), launch)
    assert {trial.state for trial in study.trials} == {TrialState.WAITING}


@pytest.mark.slow
def test_the_command_waits_for_a_trial_that_another_worker_has(plan_of):
    plan, evaluator = plan_of("model.C=1,2")
    study, rounds = opened(plan), []
    theirs = next_trial(study, plan, place=5)

    def launch(plan):
        rounds.append(plan)
        study.tell(next_trial(study, plan), 0.5)

    def show(line, **_):
        if "waiting for trial 0, which other workers have" in line:
            study.tell(theirs, 0.4)

    console = make_console()
    console.print = show
    with worker_lock(plan, 5):
        run_trials(plan, evaluator, study, console, launch)
    assert counts(study)["complete"] == 2
    assert len(rounds) == 1
