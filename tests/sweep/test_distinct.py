import itertools
from collections import Counter

import pytest
from optuna.trial import TrialState

from student_perf.sweep.distinct import Taken, configuration, given, settle_values
from student_perf.sweep.study import (
    counts,
    fill_queue,
    next_trial,
    open_study,
    recover,
    trial_values,
)
from tests.sweep.conftest import opened

TREE = ("model=tree", "model.max_depth=2,3", "model.min_samples_leaf=5,10")
SAMPLERS = ["tpe", "random", "gp", "cmaes", "nsgaii", "qmc"]


def draw_all(study, plan, tell=lambda n: 0.5):
    """Values of all trials that one worker asks for."""
    taken, drawn = Taken(plan.space), []
    while (trial := next_trial(study, plan)) is not None:
        settle_values(study, plan, trial, taken)
        drawn.append(trial_values(trial, plan))
        study.tell(trial, tell(trial.number))
    return drawn


def is_distinct(study):
    texts = Counter(configuration(*given(trial)) for trial in study.trials)
    return max(texts.values()) == 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_search_of_a_finite_space_runs_each_configuration_once(plan_of, sampler):
    if sampler == "gp":
        pytest.importorskip("torch")
    plan, _ = plan_of(*TREE, sampler=sampler, n_trials=16)
    study = opened(plan)
    first, *drawn = draw_all(study, plan)
    assert first == {"model.min_samples_leaf": 5}  # the defaults, whose depth the space lacks
    expected = {(d, leaf) for d, leaf in itertools.product((2, 3), (5, 10))}
    assert sorted(tuple(values.values()) for values in drawn) == sorted(expected)
    assert len(study.trials) == plan.n_trials == 5


@pytest.mark.slow
def test_whole_numbers_on_a_log_scale_and_steps_are_finite_too(plan_of):
    plan, _ = plan_of(
        "model=tree",
        "model.min_samples_leaf=tag(log,int(interval(2,6)))",
        "model.ccp_alpha=range(0.0,0.025,0.01)",
        n_trials=40,
        sampler="random",
    )
    drawn = draw_all(opened(plan), plan)
    points = {(v["model.min_samples_leaf"], round(v["model.ccp_alpha"], 9)) for v in drawn}
    assert len(points) == 5 * 3
    assert points == set(itertools.product(range(2, 7), (0.0, 0.01, 0.02)))
    assert is_distinct(open_study(plan))


def test_branches_of_conditions_are_drawn_once_each(plan_of):
    branch = {"when": {"model": "tree"}, "params": {"model.max_depth": "choice(2,3)"}}
    plan, _ = plan_of("model=dummy,tree", conditional=[branch], sampler="tpe", n_trials=9)
    drawn = draw_all(opened(plan), plan)
    assert Counter(v["model"] for v in drawn) == {"dummy": 1, "tree": 2}


@pytest.mark.slow
def test_a_branch_without_intervals_is_drawn_once_beside_one_with_them(plan_of):
    branch = {"when": {"model": "logreg"}, "params": {"model.C": "interval(0.1,1)"}}
    plan, _ = plan_of("model=dummy,logreg", conditional=[branch], sampler="random", n_trials=12)
    drawn = draw_all(opened(plan), plan)
    assert len(drawn) == 12
    assert sum(v == {"model": "dummy"} for v in drawn) == 1


def test_enqueued_values_take_their_place_and_give_way_when_nothing_is_left(plan_of):
    queue = [
        {"model.max_depth": 2},
        {"model.max_depth": 2, "model.min_samples_leaf": 5},
        {"model.min_samples_leaf": 5, "model.max_depth": 2},
        {"model.max_depth": 2, "model.min_samples_leaf": 10},
    ]
    plan, _ = plan_of(*TREE, sampler="random", n_trials=16, enqueue=queue)
    study = opened(plan)
    assert len(study.trials) == 4  # the defaults, and of two that are equal one
    drawn = draw_all(study, plan)
    assert len(drawn) == 5
    assert is_distinct(study)
    fill_queue(study, plan)
    assert len(study.trials) == 5


@pytest.mark.slow
def test_two_workers_never_have_the_same_configuration(plan_of):
    """Both have asked before either draws, and what one has drawn it has not begun."""
    plan, _ = plan_of(*TREE, sampler="random", n_trials=16)
    opened(plan)
    workers = [(open_study(plan, i), Taken(plan.space)) for i in range(2)]
    while trials := [
        (study, taken, trial)
        for study, taken in workers
        if (trial := next_trial(study, plan)) is not None
    ]:
        for study, taken, trial in trials:
            settle_values(study, plan, trial, taken)
    study = workers[0][0]
    assert len(study.trials) == 5
    assert is_distinct(study)


def test_a_killed_worker_leaves_its_configuration_to_the_trial(plan_of):
    plan, _ = plan_of(*TREE, sampler="random", n_trials=16)
    study = opened(plan)
    study.tell(next_trial(study, plan), 0.5)
    killed = next_trial(study, plan)
    settle_values(study, plan, killed, Taken(plan.space))  # and no parameter is suggested
    chosen = given(study.trials[1])[0]
    assert recover(study, plan) == 1
    assert study.trials[1].state == TrialState.WAITING
    drawn = draw_all(study, plan)
    assert drawn[0] == plan.space.suggest(study.trials[1]) == chosen
    assert is_distinct(study)
    assert counts(study)["complete"] == 5


def test_what_the_users_function_draws_is_not_known_before(plan_of):
    plan, _ = plan_of(*TREE, custom_search_space="tests.sweep.conftest.options_of", n_trials=16)
    assert plan.n_trials == 16


def test_equal_numbers_are_one_configuration():
    assert configuration({"x": 0.1 + 0.2}, {}) == configuration({"x": 0.3}, {})
    assert configuration({"x": 1}, {}) == configuration({"x": 1.0}, {})
    assert configuration({"x": 1}, {}) != configuration({"x": True}, {})
    assert configuration({"x": 1}, {}) != configuration({"x": 1}, {"y": 2})
    assert configuration({"x": 1, "y": 2}, {}) == configuration({"y": 2, "x": 1}, {})


def test_a_trial_whose_own_values_are_used_up_is_a_drawn_one(plan_of):
    whole = [{"model.max_depth": 2, "model.min_samples_leaf": leaf} for leaf in (5, 10)]
    queue = [*whole, {"model.max_depth": 2}]
    plan, _ = plan_of(*TREE, sampler="random", n_trials=16, enqueue=queue)
    study = opened(plan)
    assert draw_all(study, plan)[3]["model.max_depth"] == 3
    labels = [trial.user_attrs.get("configuration") for trial in study.trials]
    assert labels == ["defaults", "enqueue[0]", "enqueue[1]", "drawn", None]


@pytest.mark.slow
def test_a_known_good_value_that_is_the_default_is_queued_once(plan_of):
    for number, queue in enumerate([{"model.C": 1.0}, {"model.C": 1}]):
        plan, _ = plan_of("model.C=choice(0.1,1.0,10.0)", sampler="tpe", n_trials=10,
                          enqueue=[queue], study_name=str(number))  # fmt: skip
        drawn = draw_all(opened(plan), plan)
        assert sorted(values["model.C"] for values in drawn) == [0.1, 1.0, 10.0]


@pytest.mark.parametrize("sampler", ["nsgaii", "nsgaiii"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.slow
def test_a_child_that_is_its_parent_is_drawn_again(plan_of, sampler):
    """Numbers of an interval too: a child takes each number from a parent, unless it mutates."""
    overrides = "model.C=interval(0.1,10)", "model.tol=interval(0.0001,0.01)"
    options = {"population_size": 4, "crossover_prob": 0.0, "mutation_prob": 0.0}
    plan, _ = plan_of(*overrides, sampler=sampler, sampler_options=options, n_trials=16)
    study = opened(plan)
    draw_all(study, plan, float)
    assert is_distinct(study)
