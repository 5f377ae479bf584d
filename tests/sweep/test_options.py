import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.options import memory_bytes
from tests.sweep.conftest import options_of

C = "model.C=tag(log,interval(0.01,10))"


@pytest.mark.parametrize(
    ("sampler", "install"), [("gp", "-m pip install torch"), ("cmaes", "-m pip install cmaes")]
)
def test_a_sampler_whose_library_is_missing_is_named(plan_of, monkeypatch, sampler, install):
    monkeypatch.setattr("student_perf.sweep.samplers.find_spec", lambda name: None)
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
        ({"trial_timeout": 0}, "trial_timeout=0: must be a number of seconds above 0; .* or null"),
        ({"timeout": 0}, "timeout=0: must be a number of seconds above 0"),
        ({"timeout": "10m"}, "timeout=10m: .* write for example hydra.sweeper.timeout=600"),
        ({"timeout": float("nan")}, "timeout=nan: must be a number of seconds"),
        ({"storage_wait": float("nan")}, "storage_wait=nan: must be 0 or more"),
        ({"trial_memory": "4"}, "trial_memory=4: must be a size in MB or GB"),
        ({"trial_memory": "0GB"}, "trial_memory=0GB: must be a size"),
        ({"enqueue": [3]}, "enqueue=3: must map keys to values; write .*model.max_depth: 3"),
        ({"conditional": [3]}, "conditional=3: must map keys to values; write .*when: "),
        ({"custom_search_space": "no.such"}, "custom_search_space=no.such: cannot be imported"),
    ],
)
def test_options_that_cannot_hold_are_refused(plan_of, options, message):
    with pytest.raises(ConfigError, match=message):
        plan_of("model.C=0.1,1", **options)


@pytest.mark.parametrize(
    ("given", "size"), [("4GB", 4e9), ("1.5 gb", 1.5e9), ("500MB", 5e8), (None, float("inf"))]
)
def test_memory_is_given_in_decimal_units(given, size):
    assert memory_bytes(options_of(trial_memory=given)) == size


def test_memory_cannot_be_watched_everywhere(plan_of, monkeypatch, tmp_path):
    monkeypatch.setattr("student_perf.sweep.options.MEMORY_FILE", tmp_path / "statm")
    with pytest.raises(ConfigError, match="trial_memory=4GB: needs /proc"):
        plan_of(C, trial_memory="4GB")
