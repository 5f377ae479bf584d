"""Guests of a sweep whose command is this process, which hands out trials and runs none itself."""

import json
import os
import signal
from contextlib import contextmanager
from dataclasses import replace

import pytest
from filelock import FileLock

from student_perf.errors import ConfigError
from student_perf.runs.layout import SWEEP_LOCK_FILE
from student_perf.runs.record import load_record
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.join import INVITATION_FILE, Limits, inviting, join
from student_perf.sweep.local import Guest, run_workers
from student_perf.sweep.record import start_record
from student_perf.sweep.study import counts
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"
FOREVER = Limits(float("inf"), float("inf"), "")


@pytest.fixture
def running(plan_of):
    """Gives a plan whose command holds the lock and has let guests come."""

    @contextmanager
    def begin(*words, **options):
        plan, evaluator = plan_of(C, n_trials=4, study_name="mine", **options)
        study = opened(plan)
        start_record(plan, evaluator.data(plan.base), "")
        with FileLock(plan.folder / SWEEP_LOCK_FILE), inviting(plan):
            yield plan, study

    return begin


def change(plan, **changed):
    file = plan.folder / INVITATION_FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


@pytest.mark.slow
def test_a_guest_does_the_trials_that_it_was_asked_for_and_then_all(running, capsys):
    with running() as (plan, study):
        join(load_record(plan.folder), replace(FOREVER, trials=1))
        assert counts(study)["complete"] == 1
        assert "in place 1; 0 of 4 trials are done" in capsys.readouterr().out
        join(load_record(plan.folder), FOREVER)
        assert counts(study)["complete"] == 4
        assert "3 trials ended here; 4 of 4 trials are done" in capsys.readouterr().out
        assert not list(plan.folder.glob("*.trial"))
    assert not (plan.folder / INVITATION_FILE).exists()


@pytest.mark.slow
def test_a_guest_gives_back_its_trial_when_its_time_is_over_or_the_sweep_closes(plan_of):
    plan, evaluator = plan_of(C, n_trials=100_000)
    study, said = opened(plan), []
    guest = Guest(float("inf"), "--for 1s", lambda: counts(study)["complete"] > 0)
    run_workers(plan, evaluator, lambda: None, said.append, places=[1], guest=guest)
    found = counts(study)
    assert guest.n_ended == found["complete"] > 0
    assert found["running"] == 0
    assert not (plan.folder / "stop").exists()  # the others go on


@pytest.mark.slow
def test_what_ends_a_guest_does_not_end_the_sweep(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=4)
    study = opened(plan)

    def failing(*_args):
        raise OSError("no network")

    monkeypatch.setattr("student_perf.sweep.worker.tell_complete", failing)
    guest = Guest(float("inf"), "", lambda: False)
    with pytest.raises(ConfigError, match=r"has left .*: OSError: no network"):
        run_workers(plan, evaluator, lambda: None, places=[1], guest=guest)
    assert not (plan.folder / "stop").exists()
    assert counts(study)["running"] == 0


@pytest.mark.slow
def test_what_fails_in_a_guest_is_left_to_the_command(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=5, max_failure_rate=0)
    study = opened(plan)

    def failing(*_args, **_options):
        raise MemoryError("9 GB")

    guest = Guest(float("inf"), "", lambda: False)
    with monkeypatch.context() as small:
        small.setattr(evaluator, "evaluate", failing)
        with pytest.raises(ConfigError, match=r"its last 3 trials all failed with: .*9 GB"):
            run_workers(plan, evaluator, lambda: None, places=[1], guest=guest)
    assert (guest.n_ended, guest.n_given_back) == (0, 3)  # each once
    assert counts(study)["waiting"] == len(study.trials) == 3
    assert not (plan.folder / "stop").exists()
    run_workers(plan, evaluator, lambda: None, places=[0])
    assert counts(study)["complete"] == 5


@pytest.mark.slow
def test_a_guest_in_which_some_trials_fail_does_the_others(plan_of, monkeypatch):
    plan, evaluator = plan_of("model.C=1,2,3,4,5,6,7,8")
    study, original = opened(plan), evaluator.evaluate

    def evaluate(config, *others, on_fold):
        if config.model["C"] % 2:
            raise MemoryError
        return original(config, *others, on_fold=on_fold)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)
    guest = Guest(float("inf"), "", lambda: False)
    run_workers(plan, evaluator, lambda: None, places=[1], guest=guest)
    assert (guest.n_ended, guest.n_given_back) == (4, 4)
    assert counts(study) == {"complete": 4, "pruned": 0, "fail": 0, "running": 0, "waiting": 4}


@pytest.mark.slow
def test_a_guest_says_what_failed_and_leaves_the_rest_to_others(running, monkeypatch, capsys):
    def killed(*_args, **_options):
        os.kill(os.getpid(), signal.SIGKILL)  # as if memory had run out

    with running() as (plan, study), monkeypatch.context() as small:
        small.setattr(TrialEvaluator, "evaluate", killed)
        with pytest.raises(ConfigError, match="3 workers died in a row"):
            join(load_record(plan.folder), FOREVER)
        assert counts(study)["fail"] == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "0 trials ended here, 3 failed here and went back into the queue; 0 of 4" in out


def test_other_data_code_or_packages_are_refused_with_the_difference(running):
    with running() as (plan, _):
        change(plan, fingerprints=plan.fingerprints | {"data": "0123", "code": "4567"},
               packages={"numpy": "1.0"})  # fmt: skip
        with pytest.raises(ConfigError, match=r"data was 0123, is .*code was 4567.*numpy was 1.0"):
            join(load_record(plan.folder), FOREVER)


def test_a_password_is_not_on_disk_and_has_to_be_given(running):
    with running() as (plan, _):
        known = json.loads((plan.folder / INVITATION_FILE).read_text())
        change(plan, options=known["options"] | {"storage": "postgresql://ada:***@host/db"})
        with pytest.raises(ConfigError, match=r"--storage: .* has a password"):
            join(load_record(plan.folder), FOREVER)
        change(plan, words=[*known["words"], "dataset.key=***"])
        with pytest.raises(ConfigError, match="holds a secret, which is not on disk"):
            join(load_record(plan.folder), FOREVER)


def test_a_sweep_that_does_not_run_or_has_no_trials_now_is_refused_in_one_line(running):
    with running() as (plan, _):
        (plan.folder / INVITATION_FILE).unlink()
        with pytest.raises(ConfigError, match="hands out no trials now"):
            join(load_record(plan.folder), FOREVER)
    with pytest.raises(ConfigError, match="does not run; this continues it: the same call"):
        join(load_record(plan.folder), FOREVER)
