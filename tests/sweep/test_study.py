from dataclasses import replace

import pytest
from optuna.trial import TrialState

from student_perf.errors import ConfigError
from student_perf.runs.record import RunRecord, load_record
from student_perf.sweep.study import (
    check_contract,
    counts,
    fill_queue,
    next_trial,
    open_study,
    recover,
    requeue,
    swept_values,
    tell,
    tell_complete,
    trial_values,
)
from tests.sweep.conftest import opened, outcome_of, run_trials

C = "model.C=tag(log,interval(0.01,10))"


@pytest.fixture(name="opened")
def opened_study(plan_of):
    plan, _ = plan_of(C, n_trials=4)
    return plan, opened(plan)


def test_the_defaults_come_first_and_trials_end_with_their_number(opened):
    plan, study = opened
    values = []
    while (trial := next_trial(study, plan)) is not None:
        values.append(trial_values(trial, plan)["model.C"])
        study.tell(trial, 0.5)
    assert len(values) == 4
    assert values[0] == 1.0
    assert [t.user_attrs.get("configuration") for t in study.trials] == [
        "defaults",
        None,
        None,
        None,
    ]
    assert len(set(values)) == 4


def test_two_workers_never_get_the_same_draws(opened):
    plan, _ = opened
    one, two = open_study(plan, 0), open_study(plan, 1)
    next_trial(one, plan)
    drawn = [trial_values(next_trial(s, plan), plan)["model.C"] for s in (one, two)]
    assert drawn[0] != drawn[1]


def test_defaults_outside_the_space_are_run_as_they_are(plan_of):
    plan, _ = plan_of("model.C=interval(2,3)", n_trials=2)
    study = opened(plan)
    assert trial_values(next_trial(study, plan), plan) == {}
    assert "model.C" in trial_values(next_trial(study, plan), plan)


def test_known_good_values_are_tried_next_and_checked(plan_of):
    plan, _ = plan_of(C, n_trials=3, enqueue=[{"model.C": 0.25}])
    study = opened(plan)
    next_trial(study, plan)
    assert trial_values(next_trial(study, plan), plan) == {"model.C": 0.25}
    for name, bad in {"one": {"model.C": 99.0}, "other": {"model.D": 1.0}}.items():
        with pytest.raises(ConfigError, match="outside the space"):
            plan_of(C, study_name=name, enqueue=[bad])


@pytest.mark.slow
def test_a_value_of_another_branch_is_no_known_good_one(plan_of):
    branch = {"when": {"model": "rf"}, "params": {"model.max_depth": "choice(2,3)"}}
    options = {"conditional": [branch], "sampler": "random", "n_trials": 2}
    plan_of("model=logreg,rf", enqueue=[{"model": "rf", "model.max_depth": 3}], **options)
    with pytest.raises(ConfigError, match=r"max_depth=3 is outside .* not swept with these values"):
        plan_of("model=logreg,rf", enqueue=[{"model": "logreg", "model.max_depth": 3}], **options)


def queued(study):
    return [t.system_attrs["fixed_params"] for t in study.trials]


def test_a_queue_is_completed_and_nothing_is_queued_twice(plan_of):
    plan, _ = plan_of(C, n_trials=3, enqueue=[{"model.C": 0.25}])
    study = opened(plan)
    fill_queue(study, plan)
    more, _ = plan_of(C, n_trials=4, enqueue=[{"model.C": 0.5}, {"model.C": 0.25}])
    fill_queue(study, more)
    assert queued(study) == [{"model.C": 1.0}, {"model.C": 0.25}, {"model.C": 0.5}]


@pytest.mark.slow
def test_a_grid_that_grows_or_was_cut_off_has_each_point_once(plan_of, monkeypatch):
    plan, _ = plan_of("model.C=1,2,3,4,5,6", sampler="grid", n_trials=2)
    study = opened(plan)
    while (trial := next_trial(study, plan)) is not None:
        trial_values(trial, plan)
        study.tell(trial, 0.5)
    whole, _ = plan_of("model.C=1,2,3,4,5,6", sampler="grid", n_trials=6)
    enqueue, calls = study.enqueue_trial, []

    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise SystemExit(9)  # as a kill would
        enqueue(*args, **kwargs)

    monkeypatch.setattr(study, "enqueue_trial", dying)
    with pytest.raises(SystemExit):
        fill_queue(study, whole)
    monkeypatch.undo()
    for _ in range(2):
        fill_queue(study, whole)
    assert sorted(fixed["model.C"] for fixed in queued(study)) == [1, 2, 3, 4, 5, 6]


def test_trials_without_a_worker_go_back_under_their_number(opened):
    plan, study = opened
    first, second = next_trial(study, plan), next_trial(study, plan)
    value = trial_values(second, plan)["model.C"]
    assert recover(study, plan) == 2
    again = [next_trial(open_study(plan), plan) for _ in range(2)]
    assert [t.number for t in again] == [first.number, second.number]
    assert trial_values(again[1], plan)["model.C"] == value
    assert counts(study)["waiting"] == 0


def test_a_complete_record_is_told_and_not_computed_again(opened):
    plan, study = opened
    states = {"FINISHED": TrialState.COMPLETE, "PRUNED": TrialState.PRUNED,
              "FAILED": TrialState.FAIL}  # fmt: skip
    for status in states:
        trial = next_trial(study, plan)
        record = RunRecord(plan.folder / str(trial.number), "t", "trial", {}, {}, status=status)
        record.metrics["cv_accuracy_mean"] = 0.75
        record.folder.mkdir()
        record.save()
    assert recover(study, plan) == 0
    assert [t.state for t in study.trials] == list(states.values())
    assert study.trials[0].value == 0.75


def test_another_study_under_the_name_is_refused_with_the_difference(opened):
    plan, study = opened
    check_contract(study, plan)
    other = replace(plan, fingerprints=plan.fingerprints | {"data": "other"})
    with pytest.raises(ConfigError, match=r"\(data was \w+, is other\)"):
        check_contract(study, other)
    config = plan.fingerprints["config"] | {"split.n_splits": "7"}
    with pytest.raises(ConfigError, match=r"\(split.n_splits was 3, is 7\)"):
        check_contract(study, replace(plan, fingerprints=plan.fingerprints | {"config": config}))
    with pytest.raises(ConfigError, match=r"\(model.C was 0.01 to 10.*, is not there; model.D was"):
        check_contract(
            study, replace(plan, fingerprints=plan.fingerprints | {"space": {"model.D": "1"}})
        )
    check_contract(study, replace(other, options=replace(plan.options, resume="force")))
    with pytest.raises(ConfigError, match="exists already"):
        check_contract(study, replace(plan, options=replace(plan.options, resume="never")))


def test_a_requeued_trial_can_finish(opened):
    plan, study = opened
    trial = next_trial(study, plan)
    requeue(study, trial._trial_id)
    again = next_trial(study, plan)
    study.tell(again, 0.5)
    assert counts(study)["complete"] == 1


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "cmaes", "nsgaii", "qmc"])
def test_every_sampler_draws(plan_of, sampler):
    if sampler == "gp":
        pytest.importorskip("torch")
    plan, _ = plan_of(C, "model.tol=tag(log,interval(1e-5,1e-2))", sampler=sampler, n_trials=3)
    plan.folder.mkdir(parents=True)
    study = open_study(plan)
    for _ in range(3):
        trial = next_trial(study, plan)
        assert set(trial_values(trial, plan)) == {"model.C", "model.tol"}
        study.tell(trial, 0.5)


@pytest.mark.parametrize("options", [{"sampler_options": {"seeed": 1}},
                                     {"pruner": "median", "pruner_options": {"x": 1}}])  # fmt: skip
def test_options_that_optuna_refuses_are_named(plan_of, options):
    with pytest.raises(ConfigError, match="refuses them"):
        plan_of(C, **options)


OUTSIDE = ("model=tree", "model.max_depth=range(2,4)", "model.min_samples_leaf=range(2,60)")


def test_defaults_outside_the_space_are_a_reference_that_cannot_win(plan_of):
    plan, evaluator = plan_of(*OUTSIDE, n_trials=4, sampler="random")
    study = run_trials(plan, evaluator)
    reference, *drawn = study.trials
    record = load_record(plan.folder / "0")
    assert reference.state == TrialState.FAIL  # so that neither samplers nor best trials take it
    assert reference.user_attrs["reference"] == [record.metrics["cv_accuracy_mean"]]
    assert reference.params == {"model.min_samples_leaf": 5}
    assert record.outside == "model.max_depth=5"
    assert record.swept == {"model.max_depth": "5", "model.min_samples_leaf": "5"}
    assert {trial.state for trial in drawn} == {TrialState.COMPLETE}
    assert study.best_trial.number > 0
    assert counts(study) == {"complete": 4, "pruned": 0, "fail": 0, "running": 0, "waiting": 0}
    outcome = outcome_of(plan, evaluator)
    assert sorted(trial.trial_number for trial in outcome.ranked) == [1, 2, 3]
    assert [trial.trial_number for trial in outcome.references] == [0]
    assert outcome.defaults.record.trial_number == 0
    assert outcome.lines[-1] is outcome.defaults


def test_a_reference_is_not_pruned_and_is_settled_after_a_kill(plan_of):
    plan, _ = plan_of(*OUTSIDE, n_trials=2, sampler="random", pruner="median",
                      pruner_options={"n_startup_trials": 0})  # fmt: skip
    study = opened(plan)
    trial = next_trial(study, plan)
    record = RunRecord(plan.folder / "0", "t", "trial", {}, {}, {"cv_accuracy_mean": 0.9})
    record.folder.mkdir()
    record.finish()
    assert recover(study, plan) == 0
    assert study.trials[trial.number].user_attrs["reference"] == [0.9]
    assert counts(study)["complete"] == 1


@pytest.mark.slow
def test_a_trial_that_is_told_twice_keeps_what_the_study_knows(plan_of):
    plan, evaluator = plan_of(C, n_trials=2)
    study = run_trials(plan, evaluator)
    before = study.trials[0]
    tell_complete(study, plan, before, {"cv_accuracy_mean": 0.0})
    tell(study, 0, state=TrialState.FAIL)
    assert study.trials[0] == before
    trial = study.ask()
    requeue(study, trial._trial_id)  # by another command
    tell_complete(study, plan, trial, {"cv_accuracy_mean": 0.5})
    assert study.trials[2].state == TrialState.WAITING


def test_a_winner_is_refitted_with_what_its_trial_ran(plan_of):
    """Optuna keeps the choice 1 of a given 1.0, which is equal; the record says 1.0."""
    key = "model.C"
    plan, _ = plan_of(f"{key}=1,2", n_trials=3, enqueue=[{key: 1.0}])
    study = opened(plan)
    ran = trial_values(next_trial(study, plan), plan)
    again = swept_values(plan, study, 0)
    assert (repr(ran), repr(again)) == (repr({key: 1.0}), repr({key: 1.0}))


@pytest.mark.slow
def test_only_a_trial_that_runs_every_default_is_called_so(plan_of):
    own = {"custom_search_space": "tests.sweep.conftest.options_of", "n_trials": 2}
    for overrides, options in (
        ([C], own),
        (["+model.classifier.intercept_scaling=interval(0.5,2.5)"], {"n_trials": 2}),
    ):
        plan, _ = plan_of(*overrides, **options)
        assert "configuration" not in opened(plan).trials[0].user_attrs


@pytest.mark.slow
def test_a_known_good_value_brings_the_option_that_it_depends_on(plan_of):
    branch = {"when": {"model": "logreg"}, "params": {"model.C": "interval(0.1,1)"}}
    plan, _ = plan_of("model=dummy,logreg", conditional=[branch], enqueue=[{"model.C": 0.3}],
                      sampler="random", n_trials=3)  # fmt: skip
    expected = {"model": "logreg", "model.C (model=logreg)": 0.3}
    assert queued(opened(plan))[1] == expected
