import pytest
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig

from student_perf.config.load import register_resolvers, validate
from student_perf.errors import ConfigError
from student_perf.paths import CONF_DIR
from student_perf.sweep.compose import TrialComposer

FIXED = ("tracking=off", "dataset=econmath")
GROUPS = frozenset({"model", "split", "+tags.team"})


@pytest.fixture
def composer(workspace):
    register_resolvers()
    return TrialComposer(FIXED, GROUPS)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"seed": 7},  # other keys interpolate it
        {"model": "rf", "model.max_depth": 4},
        {"model": "xgb", "model.learning_rate": 0.1, "split": "holdout", "seed": 3},
        {"model.C": 1e-05, "objective.metric": "log_loss", "objective.direction": "minimize"},
        {"model.class_weight": None, "dataset.drop": "[age,work]"},
        {"+tags.team": "blue"},
        {"objective.metric": "log_loss"},  # the direction is made of it
        {"dataset.bands.edges": "[50,70,80]"},
        {"tags.role": "${seed}"},
        {"model.class_weight": "{low: 1}", "model.class_weight.low": 2},
        {"split.test_size": 0.25, "split.n_splits": 4, "model.C": 3},
        {"tracking.uri": "sqlite:///elsewhere.db"},
    ],
)
def test_a_trial_is_composed_exactly_as_hydra_would(composer, values):
    got = composer.compose(values)
    overrides = [f"{k}={'null' if v is None else v}" for k, v in values.items()]
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        expected = validate(compose("config", [*FIXED, *overrides]))
    assert got == expected


def test_a_quoted_text_stays_a_text(composer):
    for text in ("b c", "null", "1", "x,y"):
        assert composer.compose({"+tags.team": text}).tags["team"] == text
    assert composer.compose({"+tags.team": "'[a,b]'"}).tags["team"] == "[a,b]"
    assert composer.compose({"tags.role": "'[a,b]'"}).tags["role"] == "[a,b]"


def test_values_may_look_into_hydras_own_node(workspace):
    register_resolvers()
    words = ["+tags.n=${hydra:job.num}", "+tags.of=${hydra:runtime.choices.model}"]
    composer = TrialComposer(["tracking=off", *words], GROUPS)
    config = composer.compose({"model": "rf", "model.max_depth": 3}, number=7)
    assert (config.tags["n"], config.tags["of"], config.model["max_depth"]) == ("7", "rf", 3)
    assert not HydraConfig.initialized()


def test_the_setup_of_a_dataset_chooses_its_columns(workspace):
    register_resolvers()
    composer = TrialComposer(("dataset=student_mat",), frozenset())
    drops = [composer.compose({"dataset.setup": setup}).dataset.drop for setup in "ABC"]
    assert drops == [[], ["G2"], ["G1", "G2"]]


@pytest.mark.parametrize(
    ("fixed", "values"),
    [
        (["+tags.my-tag=a", "+tags.other=${tags.my-tag}"], {"tags.my-tag": "b"}),
        (["+tags.which=model.C", "+tags.other='${${tags.which}}'"], {"model.C": 3.5}),
        (["+tags.other=${.role}"], {"tags.role": "sre"}),
        (["+tags.other='${ .role}'"], {"tags.role": "sre"}),
        (["+tags.other=${oc.select:.role}"], {"tags.role": "sre"}),
    ],
)
def test_interpolations_of_any_form_follow_the_value(workspace, fixed, values):
    register_resolvers()
    composer = TrialComposer(fixed)
    composer.compose({})
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        words = [f"{key}={value}" for key, value in values.items()]
        expected = validate(compose("config", [*fixed, *words]))
    assert composer.compose(values) == expected


def test_what_is_kept_of_compositions_is_bounded(composer, monkeypatch):
    monkeypatch.setattr("student_perf.sweep.compose._MOST_BASES", 3)
    for word in "abcdef":
        assert composer.compose({"+tags.team": word}).tags["team"] == word
    assert len(composer._bases) == 3


def test_only_values_that_others_are_made_of_are_composed_with_omegaconf(composer, monkeypatch):
    composer.compose({})
    monkeypatch.setattr("student_perf.sweep.compose.validate", lambda cfg: "composed")
    assert composer.compose({"seed": 3}) == "composed"
    assert composer.compose({"model.class_weight": "{a: 1}"}) == "composed"
    assert composer.compose({"model.C": 3.0, "split.n_splits": 3}).model["C"] == 3.0


def test_trials_do_not_see_each_others_values(composer):
    composer.compose({"model.C": 5.0})
    assert composer.compose({}).model["C"] == 1.0


def test_a_typo_names_the_key_and_the_nearest(composer):
    with pytest.raises(ConfigError, match=r"model.max_dpeth=3: .* did you mean max_depth"):
        composer.compose({"model": "rf", "model.max_dpeth": 3})
    with pytest.raises(ConfigError, match="xbg"):
        composer.compose({"model": "xbg"})
