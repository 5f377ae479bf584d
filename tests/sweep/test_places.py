import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.places import (
    asking,
    await_workers,
    drop_note,
    held_trials,
    living_places,
    note_trial,
    reserved_place,
    worker_lock,
)
from student_perf.sweep.study import counts, next_trial, recover
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"


@pytest.fixture
def plan(plan_of):
    plan, _ = plan_of(C, n_trials=4)
    return plan


def test_what_a_living_worker_has_is_not_run_again(plan):
    study = opened(plan)
    mine, lost = next_trial(study, plan, place=0), next_trial(study, plan, place=1)
    with worker_lock(plan, 0):
        assert living_places(plan) == {0}
        assert held_trials(plan) == {mine.number: 0}
        with pytest.raises(ConfigError, match=r"is still in a trial \(place 0\)"):
            await_workers(plan, 0.1)
        assert recover(study, plan) == 1
        assert [t.state.name for t in study.trials] == ["RUNNING", "WAITING"]
    await_workers(plan, 0.1)
    assert recover(study, plan) == 1
    assert counts(study)["running"] == 0
    assert {mine.number, lost.number} == {0, 1}


def test_a_place_has_one_worker_and_who_looks_after_it_keeps_it(plan):
    opened(plan)
    with reserved_place(plan, 2) as place, reserved_place(plan, 2) as other:
        assert (place, other) == (2, 3)
        assert living_places(plan) == {2, 3}
    with worker_lock(plan, 0), reserved_place(plan) as place:
        assert place == 1
    assert living_places(plan) == set()


def test_a_worker_without_a_trial_holds_none(plan):
    opened(plan)
    with asking(plan):
        note_trial(plan, 0, 7)
    assert held_trials(plan) == {}  # nobody is there
    with worker_lock(plan, 0):
        assert held_trials(plan) == {7: 0}
        drop_note(plan, 0)
        assert held_trials(plan) == {}
