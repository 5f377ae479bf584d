"""A forest takes `max_features=1` for one feature and `1.0` for all; `C` takes both alike."""

import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.value_types import with_value_types

FEATURES = "model.classifier.max_features"


def exact(plan, **known):
    """Whether each parameter tells 1 from 1.0 where the defaults are these."""
    chosen, defaults = plan.chosen, {**plan.known, **known}
    space = with_value_types(plan.space, plan.composer, chosen, defaults, plan.options.enqueue)
    return {p.key: p.is_exact for p in space.parameters}


def test_the_model_decides_whether_a_default_counts_as_a_choice(plan_of):
    plan, _ = plan_of("model=rf", f"{FEATURES}=1,2", "model.ccp_alpha=0,1")
    assert exact(plan) == {FEATURES: False, "model.ccp_alpha": False}  # 0.0 is 0
    assert exact(plan, **{FEATURES: 1.0}) == {FEATURES: True, "model.ccp_alpha": False}
    assert exact(plan, **{FEATURES: 3.0})[FEATURES] is False  # equals no choice


def test_a_number_that_boosting_takes_in_any_form_is_one_choice(plan_of):
    plan, _ = plan_of("model=xgb", "model.reg_lambda=1,2", n_trials=5)
    assert exact(plan) == {"model.reg_lambda": False}
    assert plan.n_trials == 2  # the default 1.0 is the first


def test_a_known_good_value_of_another_meaning_is_outside_the_space(plan_of):
    for key, value, message in (
        (FEATURES, 1.0, r"max_features=1.0 is outside the space \(1, 2\)"),
        ("model.n_estimators", 1.0, r"n_estimators=1.0 is outside the space \(1, 2\)"),
    ):
        with pytest.raises(ConfigError, match=message):
            plan_of("model=rf", f"{key}=1,2", n_trials=3, enqueue=[{key: value}])


@pytest.mark.parametrize(("wanted", "size"), [(1, 3), (2, 3), ([1, 2], 4)])
def test_a_condition_holds_for_the_values_it_names(plan_of, wanted, size):
    entry = {"when": {FEATURES: wanted}, "params": {"model.n_estimators": "2,3"}}
    plan, _ = plan_of("model=rf", f"{FEATURES}=1,2", conditional=[entry])
    assert plan.space.size == size


@pytest.mark.slow
def test_a_condition_on_a_number_of_another_meaning_is_never_met(plan_of):
    entry = {"when": {FEATURES: 1.0}, "params": {"model.n_estimators": "2,3"}}
    with pytest.raises(ConfigError, match=r"max_features=1.0 is never drawn \(1, 2\)"):
        plan_of("model=rf", f"{FEATURES}=1,2", conditional=[entry])
    # Of a key that is not drawn it is not met by the config's value.
    plan, _ = plan_of("model=rf", f"{FEATURES}=1", "model.max_depth=2,3", conditional=[entry])
    assert plan.space.size == 2
    plan, _ = plan_of("model=rf", f"{FEATURES}=1.0", "model.max_depth=2,3", conditional=[entry])
    assert plan.space.size == 4


def test_a_condition_takes_a_number_as_the_model_does(plan_of):
    entry = {"when": {"model.ccp_alpha": 0.0}, "params": {"model.max_depth": "2,3"}}
    plan, _ = plan_of("model=tree", "model.ccp_alpha=0,1", conditional=[entry])
    assert plan.space.size == 3


def test_true_is_no_number_in_a_condition(plan_of):
    entry = {"when": {"model.bootstrap": 1}, "params": {"model.max_depth": "2,3"}}
    with pytest.raises(ConfigError, match="bootstrap=1 is never drawn"):
        plan_of("model=rf", "model.bootstrap=true,false", conditional=[entry])
