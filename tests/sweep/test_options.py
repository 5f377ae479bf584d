import pytest

from student_perf.errors import ConfigError
from tests.sweep.conftest import options_of

C = "model.C=tag(log,interval(0.01,10))"


@pytest.mark.parametrize(
    ("sampler", "install"),
    [("gp", "pip install torch"), ("cmaes", r"pip install -e '\.\[cmaes\]'")],
)
def test_a_sampler_whose_library_is_missing_is_named(plan_of, monkeypatch, sampler, install):
    monkeypatch.setattr("student_perf.sweep.options.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=install):
        plan_of(C, sampler=sampler)


def test_an_option_of_the_wrong_kind_names_its_key():
    with pytest.raises(ConfigError, match=r"hydra.sweeper.n_trials=many"):
        options_of(n_trials="many")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "cmaes", "constraints": {"log_loss": 1}}, "neither several objectives"),
        ({"pruner": "median", "objectives": ["log_loss"]}, "no pruner can judge"),
        ({"keep_models": 0}, "keep_models=0: must be 1 or more"),
        ({"sampler_options": {"history": 10}}, "history=10: must be a whole number from 250 on"),
        ({"sampler": "random", "sampler_options": {"history": 500}}, "is for the tpe sampler"),
        ({"custom_search_space": "no.such"}, "custom_search_space=no.such: cannot be imported"),
    ],
)
def test_options_that_cannot_hold_are_refused(plan_of, options, message):
    with pytest.raises(ConfigError, match=message):
        plan_of("model.C=0.1,1", **options)
