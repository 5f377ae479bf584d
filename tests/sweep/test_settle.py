import errno
import os
from pathlib import Path

import pytest

from student_perf.errors import ConfigError, DiskError
from student_perf.runs.record import load_record
from student_perf.sweep.places import note_trial, worker_lock
from student_perf.sweep.settle import (
    settle_death,
    settle_excess,
    settle_lost,
    settle_noted,
    settle_stopped,
    stop_all,
)
from student_perf.sweep.study import counts, next_trial, open_study
from student_perf.sweep.worker import raise_if_stopped
from tests.sweep.conftest import opened, run_trials

C = "model.C=tag(log,interval(0.01,10))"


def test_a_trial_is_tried_twice_and_then_failed_whoever_counts(plan_of):
    plan, _ = plan_of(C, n_trials=9)
    opened(plan)
    for expected in ("waiting", "fail"):
        study = open_study(plan)  # as another command would
        trial = next_trial(study, plan)
        settle_death(study, plan, trial.number, "worker ended by signal 11 (SIGSEGV)")
        assert counts(study)[expected] == 1
    record = load_record(plan.folder / "0")
    assert (record.status, record.trial_number) == ("FAILED", 0)
    assert record.error == "worker ended by signal 11 (SIGSEGV) in trial 0"


def test_a_trial_over_its_limit_is_not_tried_again(plan_of):
    plan, _ = plan_of(C, n_trials=9)
    study = opened(plan)
    settle_excess(study, plan, next_trial(study, plan).number, "took too long")
    assert counts(study)["fail"] == 1
    assert load_record(plan.folder / "0").error == "took too long"


@pytest.mark.parametrize("settle", [settle_death, settle_excess])
def test_a_guest_fails_no_trial_and_gets_it_once(plan_of, settle):
    plan, _ = plan_of("model.C=1,2")
    study = opened(plan)
    for guest, number in (("a", 0), ("b", 0), ("a", 1)):
        trial = next_trial(study, plan, guest=guest)
        assert trial.number == number
        settle(study, plan, number, "no memory", guest)
    assert next_trial(study, plan, guest="a") is None
    assert counts(study)["waiting"] == 2
    assert next_trial(study, plan).number == 0


def test_a_trial_that_a_worker_was_giving_back_waits_unless_another_has_it(plan_of):
    plan, _ = plan_of(C, n_trials=9)
    study = opened(plan)
    number = next_trial(study, plan).number
    note_trial(plan, 0, number)
    with worker_lock(plan, 1):  # who lives, and has taken it since
        note_trial(plan, 1, number)
        settle_noted(study, plan, 0)
        assert counts(study)["running"] == 1
    note_trial(plan, 0, number)
    settle_noted(study, plan, 0)
    assert counts(study)["waiting"] == 1
    settle_noted(study, plan, 0)  # nothing is noted any more
    assert counts(study)["waiting"] == 1


@pytest.mark.slow
def test_a_trial_that_the_sweep_stopped_waits(plan_of):
    plan, _ = plan_of(C, n_trials=9)
    study = opened(plan)
    settle_stopped(study, plan, next_trial(study, plan).number)
    assert counts(study)["waiting"] == 1


@pytest.mark.parametrize("settle", [settle_death, settle_excess])
def test_what_a_worker_has_told_or_recorded_stays(plan_of, settle):
    plan, evaluator = plan_of(C, n_trials=1)
    study = run_trials(plan, evaluator)
    settle(study, plan, 0, "worker ended by signal 9 (SIGKILL)")
    assert counts(study)["complete"] == 1
    settle_stopped(study, plan, 0)
    assert counts(study)["complete"] == 1


def test_too_many_dead_trials_stop_the_sweep(plan_of):
    plan, _ = plan_of(C, n_trials=4, max_failure_rate=0)
    study = opened(plan)
    settle_excess(study, plan, next_trial(study, plan).number, "took too long")
    with pytest.raises(ConfigError, match=r"1 of 4 trials have failed \(last: took too long"):
        raise_if_stopped(plan.folder)


def test_the_first_reason_to_stop_counts(plan_of):
    plan, _ = plan_of(C, n_trials=4)
    opened(plan)
    stop_all(plan, "first")
    stop_all(plan, "second")
    with pytest.raises(ConfigError, match="sweep stopped: first"):
        raise_if_stopped(plan.folder)


def test_on_a_full_disk_an_empty_file_stops_the_sweep(plan_of, monkeypatch):
    plan, _ = plan_of(C, n_trials=4)
    opened(plan)

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    stop_all(plan, "whatever")
    with pytest.raises(DiskError, match=f"{plan.folder}: no space is left on its disk"):
        raise_if_stopped(plan.folder)


def test_what_a_lost_worker_had_is_run_again_once_and_then_failed(plan_of):
    plan, _ = plan_of("model.C=1,2")
    study = opened(plan)
    kept = next_trial(study, plan, place=0)
    with worker_lock(plan, 0):
        for expected in ([1], []):
            assert next_trial(study, plan, place=1).number == 1
            assert settle_lost(study, plan) == expected
        assert study.trials[kept.number].state.name == "RUNNING"
    assert counts(study)["fail"] == 1
