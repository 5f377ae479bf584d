import errno
import multiprocessing
import os
import re
import signal

import pytest

from student_perf.errors import ConfigError
from student_perf.sweep import local, worker
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.study import counts, open_study, recover
from student_perf.sweep.worker import Worker, raise_if_stopped
from tests.sweep.conftest import opened, wait_until
from tests.tiers import few_fast

C = "model.C=tag(log,interval(0.01,10))"


def children():
    """Child processes but for those that joblib keeps for later, maybe another test's."""
    return [p for p in multiprocessing.active_children() if "Loky" not in type(p).__name__]


@pytest.mark.parametrize("n_jobs", few_fast([3, 1], 1))
def test_one_worker_and_several_do_all_trials(plan_of, n_jobs):
    plan, evaluator = plan_of(C, n_trials=7, n_jobs=n_jobs)
    study = opened(plan)
    ticks: list[int] = []
    local.run_workers(plan, evaluator, lambda: ticks.append(1))
    assert counts(study)["complete"] == 7
    assert ticks


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_time_limit_ends_it_with_the_rest_in_the_queue(plan_of, n_jobs):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=n_jobs, timeout=2)
    study = opened(plan)
    local.run_workers(plan, evaluator, lambda: None)
    found = counts(study)
    assert found["running"] == 0
    assert found["complete"] < 100_000


@pytest.mark.slow
def test_a_worker_killed_without_a_trial_is_replaced_and_what_it_asked_for_is_found_again(
    plan_of, monkeypatch
):
    plan, evaluator = plan_of(C, n_trials=6, n_jobs=2)
    study = opened(plan)
    run = Worker.run

    def dying(self):
        if self.number == 0:  # replacements have higher numbers
            open_study(self.plan).ask()
            os.kill(os.getpid(), signal.SIGKILL)
        run(self)

    monkeypatch.setattr(Worker, "run", dying)
    local.run_workers(plan, evaluator, lambda: None)
    assert counts(study)["running"] == 1
    assert recover(study, plan) == 1
    monkeypatch.undo()
    local.run_workers(plan, evaluator, lambda: None)
    assert counts(study)["complete"] == 6


@pytest.mark.slow
def test_workers_that_die_before_any_trial_stop_the_sweep_with_their_exit_code(
    plan_of, monkeypatch
):
    plan, evaluator = plan_of(C, n_trials=6)
    study = opened(plan)
    monkeypatch.setattr(Worker, "run", lambda self: os._exit(7))
    local.run_workers(plan, evaluator, lambda: None)
    with pytest.raises(ConfigError, match=r"3 workers died in a row.*exit code 7 before it took"):
        raise_if_stopped(plan.folder)
    assert set(counts(study).values()) == {0, 1}  # the defaults wait


@pytest.mark.slow
def test_an_error_outside_a_trial_stops_the_sweep_with_its_line(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=6, n_jobs=2)
    study = opened(plan)

    def failing(*_args):
        raise OSError("disk full")

    monkeypatch.setattr(worker, "tell_complete", failing)
    local.run_workers(plan, evaluator, lambda: None)
    with pytest.raises(ConfigError, match="sweep stopped: OSError: disk full"):
        raise_if_stopped(plan.folder)
    assert counts(study)["running"] == 0


@pytest.mark.parametrize("step", ["start_trial", "finish_trial"])
def test_a_full_disk_stops_the_sweep_and_fails_no_trial(step, plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=6, n_jobs=2)
    study = opened(plan)

    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(worker, step, full)
    local.run_workers(plan, evaluator, lambda: None)
    with pytest.raises(ConfigError, match=rf"stopped: {plan.folder}: no space is left on its disk"):
        raise_if_stopped(plan.folder)
    assert counts(study)["running"] == counts(study)["fail"] == 0


def test_what_a_model_may_not_read_fails_its_trial_only(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=6, max_failure_rate=1)
    study = opened(plan)

    def refused(*_args, **_words):
        raise PermissionError(errno.EACCES, "Permission denied", "/etc/shadow")

    monkeypatch.setattr(TrialEvaluator, "evaluate", refused)
    local.run_workers(plan, evaluator, lambda: None)
    assert counts(study)["fail"] == 3  # of the first three, which fail the same way
    with pytest.raises(ConfigError, match="the first 3 trials all failed with: PermissionError"):
        raise_if_stopped(plan.folder)


@pytest.mark.slow
@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_stops_the_workers_between_folds_or_at_once(plan_of, presses):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=2)
    study, said = opened(plan), []

    def press_ctrl_c():
        if counts(study)["complete"]:
            os.kill(os.getpid(), signal.SIGINT)

    def say(line):
        said.append(line)
        if len(said) < presses:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        local.run_workers(plan, evaluator, press_ctrl_c, say)
    assert counts(study)["running"] == 0
    assert re.match(r"Ctrl-C: waiting for the fold of .*; a second one kills the workers", said[0])
    assert not children()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("broken import")])
def test_no_worker_outlives_what_ends_the_command(plan_of, monkeypatch, error):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=2)
    study = opened(plan)

    def failing(_name):
        wait_until(lambda: counts(study)["running"])
        raise error

    monkeypatch.setattr(local, "import_module", failing)
    with pytest.raises(BaseException, match=str(error) if isinstance(error, Exception) else None):
        local.run_workers(plan, evaluator, lambda: None)
    assert not children()
    assert counts(study)["running"] == 0


@pytest.mark.slow
def test_workers_that_are_no_forks_do_the_same(plan_of, monkeypatch):
    monkeypatch.setattr(local, "process_context", lambda: multiprocessing.get_context("spawn"))
    plan, evaluator = plan_of("preprocess=default,ordinal", C, n_trials=3, n_jobs=1)
    study = opened(plan)
    local.run_workers(plan, evaluator, lambda: None)
    assert counts(study)["complete"] == 3


def test_after_training_in_several_threads_nothing_is_forked(monkeypatch):
    monkeypatch.setattr(local, "can_fork", lambda: False)
    assert local.process_context().get_start_method() == "spawn"
