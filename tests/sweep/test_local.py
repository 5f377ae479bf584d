import multiprocessing
import os
import signal
from types import SimpleNamespace

import pytest

from student_perf.sweep import local, worker
from student_perf.sweep.study import counts, open_study, recover
from student_perf.sweep.worker import Worker
from tests.sweep.conftest import opened, wait_until

C = "model.C=tag(log,interval(0.01,10))"


@pytest.mark.parametrize("n_jobs", [1, 3])
def test_one_worker_and_several_do_all_trials(plan_of, n_jobs):
    plan, evaluator = plan_of(C, n_trials=7, n_jobs=n_jobs)
    study = opened(plan)
    ticks: list[int] = []
    local.run_workers(plan, evaluator, lambda: ticks.append(1))
    assert counts(study)["complete"] == 7
    assert ticks


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_time_limit_ends_it_with_the_rest_in_the_queue(plan_of, n_jobs):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=n_jobs)
    study = opened(plan)

    def wait_for_a_trial():
        wait_until(lambda: counts(study)["complete"])
        return time.monotonic()

    # The clock of the workers goes on while this process waits for the first of their trials.
    local.run_workers(plan, evaluator, lambda: None, until=time.monotonic() + 2)
    found = counts(study)
    assert found["running"] == 0
    assert found["complete"] < 100_000


@pytest.fixture
def default_sigint():
    """Ctrl-C as at a terminal: a shell starts its background jobs with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("default_sigint")
def test_ctrl_c_stops_the_workers_between_folds(plan_of):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=2)
    study = opened(plan)

    def press_ctrl_c():
        if counts(study)["complete"]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        local.run_forked(plan, evaluator, press_ctrl_c)
    assert counts(study)["running"] == 0


@pytest.mark.usefixtures("default_sigint")
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("broken import")])
def test_no_worker_outlives_what_ends_the_command(plan_of, monkeypatch, error):
    plan, evaluator = plan_of(C, n_trials=100_000, n_jobs=2)
    study = opened(plan)

    def failing():
        wait_until(lambda: counts(study)["running"])
        raise error

    monkeypatch.setattr(local, "_import_ahead", failing)
    with pytest.raises(BaseException, match=str(error) if isinstance(error, Exception) else None):
        local.run_forked(plan, evaluator, lambda: None)
    assert not multiprocessing.active_children()
    assert counts(study)["running"] == 0


def test_workers_that_are_no_forks_do_the_same(plan_of, monkeypatch):
    monkeypatch.setattr(local, "process_context", lambda: multiprocessing.get_context("spawn"))
    plan, evaluator = plan_of("seed=1,2", C, n_trials=3, n_jobs=1)
    study = opened(plan)
    local.run_forked(plan, evaluator, lambda: None)
    assert counts(study)["complete"] == 3
