import pytest
from hydra import compose
from omegaconf import OmegaConf

from student_perf.config.load import register_resolvers
from student_perf.config.search_path import hydra_ready
from student_perf.errors import ConfigError
from student_perf.sweep import run, start
from student_perf.sweep.start import start_sweep


def node_of(config):
    """The options of the sweeper."""
    known = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    return {name: value for name, value in known.items() if not name.startswith("_")}


@pytest.fixture
def nested_name(monkeypatch):
    """Gives the name of the first outer fold's study of a nested sweep that runs nothing."""
    names = []
    monkeypatch.setattr(run, "run_sweep", lambda options, *_, **__: names.append(options))

    def name(*swept, **options):
        register_resolvers()
        words = ["dataset=econmath_score", "split=nested", "tracking=off"]
        with hydra_ready() as loader:
            config = compose("config", words, return_hydra_config=True)
        node = node_of(config) | {"preview": True} | options
        start_sweep(config, node, [*words, *swept], loader)
        return names[-1].study_name

    return name


@pytest.mark.slow
def test_a_nested_sweep_starts_from_the_model_that_its_plans_choose(nested_name):
    name = nested_name("preprocess=default,ordinal")
    assert name.startswith("econmath_score-ridge-")
    assert name.endswith("-fold0")


@pytest.mark.slow
def test_a_nested_study_is_named_by_all_that_it_seeks(nested_name):
    space = {"params": {"model.alpha": "choice(1,2)"}}
    other = {"params": {"model.alpha": "choice(1,3)"}}
    names = [nested_name(**options) for options in (space, other, space | {"repeats": 2}, space)]
    assert len(set(names)) == 3
    assert names[3] == names[0]


def test_a_sampler_that_was_typed_does_not_give_way_without_a_word():
    register_resolvers()
    typed = "hydra/sweeper/sampler=grid"
    with hydra_ready() as loader:
        words = [typed, "hydra.sweeper.sampler=random"]
        config = compose("config", words, return_hydra_config=True)
        refused = f"{typed}: another line sets hydra.sweeper.sampler=random, which wins"
        with pytest.raises(ConfigError, match=refused):
            start_sweep(config, node_of(config), ["model.C=1,2"], loader)


@pytest.mark.slow
def test_a_preview_runs_nothing_and_gives_no_folder(workspace, capsys):
    register_resolvers()
    words = ["model=tree", "model.max_depth=1,2", "tracking=off"]
    with hydra_ready() as loader:
        config = compose("config", [words[0], words[2]], return_hydra_config=True)
    node = node_of(config)
    assert start_sweep(config, node | {"preview": True}, words, loader) is None
    assert "2 trials, every combination once" in capsys.readouterr().out
    assert not (workspace / "multirun").exists()
    folder = start_sweep(config, node, words, loader)
    assert folder == next((workspace / "multirun").glob("*/winner"))


@pytest.mark.parametrize(("resume", "is_asked"), [("auto", True), ("never", False)])
def test_a_sweep_that_may_not_go_on_is_not_taken_for_finished(monkeypatch, resume, is_asked):
    asked = []
    monkeypatch.setattr(start, "find_finished", lambda *_: asked.append("note"))
    monkeypatch.setattr(run, "run_sweep", lambda *_, **__: None)
    register_resolvers()
    with hydra_ready() as loader:
        config = compose("config", ["tracking=off"], return_hydra_config=True)
    known = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    node = {name: value for name, value in known.items() if not name.startswith("_")}
    start_sweep(config, node | {"resume": resume}, ["model.C=1,2"], loader)
    assert bool(asked) is is_asked
