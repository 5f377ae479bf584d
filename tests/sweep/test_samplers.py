import optuna
import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.options import make_options
from student_perf.sweep.samplers import SAMPLERS, choose_sampler, read_node
from tests.sweep.conftest import options_of

C = "model.C=tag(log,interval(0.01,10))"
PREVIEW = "hydra.sweeper.preview=true"
PEER = "hydra_plugins.hydra_optuna_sweeper"


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (None, (None, {})),
        ("qmc", ("qmc", {})),
        ({"seed": 3}, (None, {"seed": 3})),
        ({"n_startup_trials": 3}, ("tpe", {"n_startup_trials": 3})),
        ({"_target_": "auto", "seed": None}, ("auto", {})),
        ({"_target_": "optuna.samplers.CmaEsSampler", "sigma0": 0.1}, ("cmaes", {"sigma0": 0.1})),
        ({"_target_": f"{PEER}.config.TPESamplerConfig"}, ("tpe", {})),
        ({"_target_": f"{PEER}._impl.create_nsgaiii_sampler"}, ("nsgaiii", {})),
    ],
)
def test_a_node_of_the_official_plugin_is_read(node, expected):
    assert read_node(node) == expected


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": f"{PEER}.config.MOTPESamplerConfig"}, "did you mean tpe"),
        ({"_target_": "os.system", "command": "true"}, "sweeps have no such sampler"),
        ({"_target_": "other.TPESampler"}, "hydra/sweeper/sampler=tpe"),
        ({"constraints_func": "f"}, r"hydra.sweeper.constraints=\{fit_seconds: 5\}"),
    ],
)
def test_a_node_that_cannot_be_taken_names_what_to_write(node, message):
    with pytest.raises(ConfigError, match=message):
        read_node(node)


@pytest.mark.parametrize("name", sorted(SAMPLERS.keys() - {"gp"}))
def test_each_sampler_draws(name):
    study = optuna.create_study(sampler=SAMPLERS[name].build({"seed": 1}))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=3)
    assert len({t.params["x"] for t in study.trials}) == 3


def test_arguments_may_be_objects_and_points():
    crossover = {"_target_": "optuna.samplers.nsgaii.SBXCrossover", "eta": 3}
    options = {"crossover": crossover, "reference_points": [[0, 1], [1, 0]]}
    sampler = SAMPLERS["nsgaiii"].build(options)
    study = optuna.create_study(directions=["minimize"] * 2, sampler=sampler)
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), trial.number), n_trials=2)
    with pytest.raises(ConfigError, match=r"os\.system is not a class of optuna"):
        SAMPLERS["nsgaii"].build({"crossover": {"_target_": "os.system"}})


@pytest.mark.parametrize("installed", [True, False])
def test_auto_follows_from_the_space_and_what_is_installed(monkeypatch, installed):
    monkeypatch.setattr("student_perf.sweep.samplers.find_spec", lambda name: installed or None)
    assert choose_sampler(conditional=False) == ("gp" if installed else "tpe")
    assert choose_sampler(conditional=True) == "tpe"


def test_auto_lists_plain_choices(plan_of, monkeypatch):
    monkeypatch.setattr("student_perf.sweep.samplers.find_spec", lambda name: None)
    assert plan_of("model.C=0.1,1", sampler="auto")[0].sampler == "grid"
    assert plan_of(C, sampler="auto")[0].sampler == "tpe"


def test_options_that_a_sampler_refuses_stop_before_the_first_trial(plan_of):
    with pytest.raises(ConfigError, match="TPESampler refuses them"):
        plan_of(C, sampler="tpe", sampler_options={"n_startup": 3})


def test_the_seed_of_a_node_is_that_of_the_sweep():
    """Each worker draws its own seed from it."""
    options = options_of(sampler={"_target_": "optuna.samplers.TPESampler", "seed": 5})
    assert (options.seed, options.sampler_options) == (5, {})
    assert options_of(sampler_options={"seed": 5}).seed == 5
    with pytest.raises(ConfigError, match=r"seed=1: the sampler's node says 5; leave out one"):
        options_of(sampler={"seed": 5}, seed=1)


def test_spaces_of_old_releases_get_their_lines():
    space = {
        "model.C": {"type": "float", "low": 0.1, "high": 10, "log": True},
        "model.max_iter": {"type": "int", "low": 10, "high": 30, "step": 10},
        "model.tol": {"type": "categorical", "choices": [0.1, 0.2]},
    }
    with pytest.raises(ConfigError) as caught:
        make_options({"search_space": space})
    for line in ("'model.C=tag(log,interval(0.1,10))'", "'model.max_iter=range(10,40,10)'",
                 "'model.tol=choice(0.1,0.2)'"):  # fmt: skip
        assert line in str(caught.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hydra/sweeper/sampler=tpe", "hydra.sweeper.sampler.seed=123"], "drawn by tpe"),
        (["hydra/sweeper=optuna", "hydra/sweeper/sampler=nsgaii",
          "hydra.sweeper.sampler.population_size=10"], "drawn by nsgaii"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_groups_of_the_official_plugin(train, words, said):
    done = train("-m", C, "hydra.sweeper.n_trials=5", PREVIEW, *words)
    assert (done.code, done.err) == (0, "")
    assert said in done.out


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("hydra.sweeper.sampler.seed=123", "write hydra.sweeper.seed=123"),
        ("hydra.sweeper.sampler.n_startup_trials=3", "hydra/sweeper/sampler=tpe"),
        ("hydra/sweeper/sampler=motpe", "did you mean tpe?"),
        ("hydra.sweeper.max_batch_size=2", "write hydra.sweeper.n_jobs=2"),
        ("hydra.sweeper.search_space.x.type=float", "type for example"),
    ],
)
def test_what_another_sweeper_has_gets_the_line_to_type(train, word, line):
    done = train("-m", C, PREVIEW, word)
    assert done.code == 1
    assert line in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        ("maximize", None),
        (["maximize", "minimize"], None),
        (["maximize", "maximize"], "fit_seconds is to minimize"),
        (["maximize", "minimize", "minimize"], r"objectives=\[fit_seconds\]"),
    ],
)
def test_directions_as_a_list(plan_of, direction, message):
    options = {"direction": direction, "objectives": ["fit_seconds"]}
    if message is None:
        assert plan_of(C, **options)[0].objectives.metrics == ("accuracy", "fit_seconds")
        return
    with pytest.raises(ConfigError, match=message):
        plan_of(C, **options)
