"""The search spaces of conf/search/: they parse, and models take their ends."""

import copy

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, RangeSweep

from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError
from student_perf.models.build import build_estimator
from student_perf.paths import CONF_DIR
from student_perf.sweep.study import queue_of
from tests.models.zoo import MODELS, served, skip_without_library
from tests.sweep.conftest import plan_of  # noqa: F401 (fixture)

FILES = sorted((CONF_DIR / "search").glob("*.yaml"))
ZOOS = {"zoo", "zoo_ordered"}
PORTFOLIO = "auto"  # its space holds whole models
NEED_ORDER = {"ordinal", "ordinal_logit", "zoo_ordered"}
QUICK = {"ridge", "logreg", "ordinal"}
UNTUNED = {"dummy", "previous_grade", "tabicl"}
DATASETS = {"classification": "econmath", "regression": "econmath_score"}


def read(name):
    """The file's sweeper node, with the sampler of its defaults. Read directly, since only the
    project's own sweeper has a key `conditional`."""
    content = yaml.safe_load((CONF_DIR / "search" / f"{name}.yaml").read_text(encoding="utf-8"))
    overrides = {key: value for one in content["defaults"] for key, value in one.items()}
    sampler = overrides.get("override /hydra/sweeper/sampler")
    return {"sampler": sampler, **content["hydra"]["sweeper"]}


def space(name, task):
    """Parameter to value of those that apply to a task."""
    sweeper = read(name)
    params = dict(sweeper.get("params", {}))
    for branch in sweeper.get("conditional", []):
        if branch["when"].get("dataset.task") == task:
            params |= branch["params"]
    return params


def corners(key, value):
    """Texts of the values at the ends of a parameter's range; all of a choice."""
    override = OverridesParser.create().parse_override(f"{key}={value}")
    assert override.is_sweep_override(), f"{key}={value}"
    sweep = override.value()
    if isinstance(sweep, ChoiceSweep):
        return [str(text) for text in override.sweep_string_iterator()]
    if isinstance(sweep, RangeSweep):
        texts = list(override.sweep_string_iterator())
        return [texts[0], texts[-1]]
    assert isinstance(sweep, IntervalSweep)
    assert sweep.start < sweep.end
    assert "log" not in sweep.tags or sweep.start > 0
    return [str(sweep.start), str(sweep.end)]


def set_value(config, key, text):
    """Set a dotted key as an override would; composing anew for each value takes a minute."""
    *parents, last = key.split(".")
    for parent in parents:
        config = config[parent]
    config[last] = OverridesParser.create().parse_override(f"{key}={text}").value()


def test_every_tunable_model_has_a_space_and_no_other_has():
    assert {path.stem for path in FILES} - ZOOS == set(MODELS) - UNTUNED


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_names_its_command_and_few_parameters(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[:2] == [
        "# @package _global_",
        f"# python -m student_perf.train -m search={path.stem}",
    ]
    for task in DATASETS:
        assert len(space(path.stem, task)) <= 8


@pytest.mark.parametrize(
    ("model", "task"),
    [(m, t) for m in MODELS if m not in UNTUNED | {PORTFOLIO} for t in DATASETS if served(m, t)],
)
@pytest.mark.slow
def test_models_take_both_ends_of_every_range(compose_config, model, task):
    skip_without_library(model)
    common = [f"model={model}", f"dataset={DATASETS[task]}"]
    composed = {"model": compose_config(*common).model}
    known = dict(iter_leaves(composed)).keys() | {"preprocess"}
    values = space(model, task)
    assert values.keys() <= known
    ends = {key: corners(key, value) for key, value in values.items()}
    for i in range(max(map(len, ends.values()))):
        config = copy.deepcopy(composed)
        for key, texts in ends.items():
            set_value(config, key, texts[i % len(texts)])
        build_estimator(config["model"], task)
        assert (CONF_DIR / f"preprocess/{config.get('preprocess', 'default')}.yaml").is_file()


@pytest.mark.parametrize("name", sorted(ZOOS))
def test_a_zoo_branches_into_the_spaces_of_its_models(name):
    sweeper = read(name)
    choice = OverridesParser.create().parse_override(f"model={sweeper['params']['model']}")
    models = list(choice.sweep_string_iterator())
    branches = {b["when"]["model"]: b["search"] for b in sweeper["conditional"]}
    assert branches == {model: model for model in models}
    assert len(models) == len(set(models))
    assert name != "zoo" or all(served(model, "regression") for model in models)


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, id=p.stem, marks=[] if p.stem in QUICK else pytest.mark.slow) for p in FILES],
)
def test_every_file_is_a_plan_for_every_kind_of_dataset_that_its_model_serves(
    path,
    plan_of,  # noqa: F811
    grades,
):
    defaults = yaml.safe_load(path.read_text(encoding="utf-8"))["defaults"]
    (model,) = [one["override /model"] for one in defaults if "override /model" in one]
    skip_without_library(model)
    kinds = {
        "regression": ["dataset=econmath_score"],
        "ordered": ["dataset=econmath"],
        "classification": ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"],
    }
    if not served(model, "regression"):
        del kinds["regression"]
    if path.stem in NEED_ORDER:
        kinds = {"ordered": kinds["ordered"]}
    node = read(path.stem)
    space = {"params": node.get("params", {}), "conditional": node.get("conditional", [])}
    is_grid = path.stem == PORTFOLIO
    for words in kinds.values():
        plan, _ = plan_of(*words, f"search={path.stem}", sampler=node.get("sampler"), **space)
        assert (plan.sampler, plan.n_trials) == (("grid", 8) if is_grid else ("tpe", 50))
        assert is_grid or plan.base.model["name"] == model
        assert plan.space.parameters


def portfolio():
    """The members of model=auto, in their order."""
    lines = yaml.safe_load((CONF_DIR / "model/auto.yaml").read_text(encoding="utf-8"))["defaults"]
    return [option for one in lines if one != "_self_" for option in one.values()]


def test_search_auto_lists_the_members_of_model_auto_in_their_order():
    files = (CONF_DIR / "model/auto").iterdir()
    assert {f"auto/{file.stem}" for file in files} == set(portfolio())
    assert corners("model", read(PORTFOLIO)["params"]["model"]) == portfolio()


@pytest.mark.slow
def test_search_auto_tries_the_first_members_if_there_are_to_be_fewer_trials(plan_of):  # noqa: F811
    members, node = portfolio(), read(PORTFOLIO)
    for n_trials, tried in ((None, members), (3, members[:3]), (20, members)):
        plan, _ = plan_of(
            "search=auto", sampler=node["sampler"], params=node["params"], n_trials=n_trials
        )
        assert [params["model"] for params, _ in queue_of(plan)] == tried


@pytest.mark.parametrize(
    ("words", "cls"),
    [((), "GridSampler"), (("hydra/sweeper/sampler=tpe",), "TPESampler")],
)
def test_a_sampler_that_is_named_beside_search_auto_wins(words, cls):
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        config = compose("config", ["search=auto", *words], return_hydra_config=True)
    assert config.hydra.sweeper.sampler["_target_"] == f"optuna.samplers.{cls}"


@pytest.mark.slow
def test_a_member_is_the_same_model_alone_as_within_the_portfolio(compose_config):
    for name, node in compose_config("model=auto").model["members"].items():
        assert compose_config(f"model=auto/{name}").model == node


@pytest.mark.parametrize(
    ("word", "way_on"),
    [
        ("model=xgb", "leave out model=xgb, or choose its own space: search=xgb"),
        pytest.param("model=auto", "or run it without search=auto", marks=pytest.mark.slow),
        pytest.param("model=auto/pairs", "or run it without search=auto", marks=pytest.mark.slow),
    ],
)
def test_a_model_beside_search_auto_is_answered_with_the_line_to_type(
    plan_of,  # noqa: F811
    word,
    way_on,
):
    node = read(PORTFOLIO)
    with pytest.raises(ConfigError, match=f"{word}: search=auto varies nothing .* {way_on}$"):
        plan_of("search=auto", word, sampler=node["sampler"], params=node["params"])
    plan, _ = plan_of("search=auto", "model=auto/pairs,knn", params=node["params"])
    assert plan.space.parameters[0].choices == ("auto/pairs", "knn")


def test_a_search_chooses_its_model_and_a_named_model_wins(compose_config):
    assert compose_config("search=xgb").model["name"] == "xgb"
    assert compose_config("search=xgb", "model=rf").model["name"] == "rf"
