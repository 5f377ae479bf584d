import json
import math
from dataclasses import replace

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from student_perf.errors import ConfigError
from student_perf.sweep.space import Parameter, Space, parameter_of, parse_parameter, parse_space

PARSER = OverridesParser.create()


def parse(text):
    return parse_parameter(PARSER.parse_override(text))


def space_of(*arguments, params=None, conditional=(), known=None, searches=None):
    return parse_space(
        params or {},
        conditional,
        PARSER.parse_overrides(list(arguments)),
        lambda name: (searches or {})[name],
        known or {},
    )


@pytest.mark.parametrize(
    ("text", "distribution", "step"),
    [
        ("m.x=range(2,9)", Int(2, 8), 1),
        ("m.x=range(2,9,3)", Int(2, 8, step=3), 3),
        ("m.x=range(9,2,-3)", Int(3, 9, step=3), -3),
        ("m.x=range(0,1,0.25)", Float(0.0, 0.75, step=0.25), 0.25),
        ("m.x=float(range(1,4))", Float(1.0, 3.0, step=1.0), 1),
        ("m.x=interval(2,6)", Float(2.0, 6.0), None),
        ("m.x=int(interval(2,6))", Int(2, 6), 1),
        ("m.x=tag(log,interval(0.01,1))", Float(0.01, 1.0, log=True), None),
        ("m.x=tag(log,int(interval(1,64)))", Int(1, 64, log=True), None),
        ("m.x=tag(log,range(1,9,3))", Int(1, 7, log=True), 3),
        ("m.x=tag(log,range(0.5,2,0.5))", Float(0.5, 1.5, log=True), 0.5),
        ("m.x=a,b,2,1.5,true,null", Categorical(("a", "b", 2, 1.5, True, None)), None),
        ("m.x=choice('[a,b]',[a,b])", Categorical(("'[a,b]'", "[a,b]")), None),
        ("m.x=choice('a b',c)", Categorical(("a b", "c")), None),
        ("m.x=choice([a,b],[c])", Categorical(("[a,b]", "[c]")), None),
        ("m.x=choice({a:1},{b:2})", Categorical(("{a:1}", "{b:2}")), None),
    ],
)
def test_grammar(text, distribution, step):
    assert parse(text) == Parameter("m.x", distribution, step)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("m.x=range(9,2,-3)", (9, 6, 3)),
        ("m.x=range(1,0,-0.25)", (1.0, 0.75, 0.5, 0.25)),
        ("m.x=range(0,1,0.25)", (0.0, 0.25, 0.5, 0.75)),
        ("m.x=int(interval(2,5))", (2, 3, 4, 5)),
        ("m.x=tag(log,range(1,9,3))", (1, 4, 7)),
        ("m.x=b,a,b", ("b", "a")),
        ("m.x=choice([a,b],[c])", ("[a,b]", "[c]")),
    ],
)
def test_a_grid_lists_what_it_can(text, values):
    parameter = parse(text)
    assert parameter.is_finite
    assert parameter.grid == values
    assert [type(value) for value in parameter.grid] == [type(value) for value in values]


@pytest.mark.parametrize("text", ["m.x=interval(2,6)", "m.x=tag(log,int(interval(1,64)))"])
def test_an_interval_is_no_grid(text):
    assert not parse(text).is_finite
    with pytest.raises(ConfigError, match="a grid cannot hold"):
        _ = parse(text).grid


def test_a_parameter_as_data_holds_what_its_distribution_does():
    space = space_of("model=svm,rf", conditional=CONDITIONAL[:1])
    choice, number = (parameter.data() for parameter in space.parameters)
    assert choice == {"key": "model", "when": (), "kind": "choice", "choices": ("svm", "rf")}
    assert number == {
        "key": "m.C", "when": (("model", ("svm",)),), "kind": "float",
        "low": 1.0, "high": 2.0, "step": None, "log": False,
    }  # fmt: skip


def test_a_choice_is_found_by_its_value_and_kind():
    flag, number = parse("m.x=true,false"), parse("m.x=0,1")
    assert not flag.contains(1)
    assert number.contains(1.0)
    assert not any(map(number.contains, (True, "1")))
    assert not replace(number, is_exact=True).contains(1.0)
    assert not parse("m.x=a,b").contains(None)


def test_equal_choices_are_one_to_optuna():
    """Optuna finds a choice by equality, as Python does: True and 1 are the same."""
    flag = parse("m.x=true,false")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for value in (True, 1):
        study.enqueue_trial({"m.x": value})
        assert flag.suggest(study.ask()) == 1
        assert study.trials[-1].params["m.x"] is True
    study.enqueue_trial({"m.y": None})
    assert parse("m.y=null,b").suggest(study.ask()) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("m.x=5", "is one value"),
        ("m.x=tag(log,interval(0,1))", "start above 0"),
        ("m.x=interval(3,3)", "is empty"),
        ("m.x=range(3,3)", "is empty"),
        ("m.x=1,1.0", r"m.x: 1 and 1.0 are equal, .* leave one out"),
        ("m.x=choice(a,1,true)", "m.x: 1 and true are equal"),
    ],
)
def test_what_cannot_be_swept_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_a_text_outside_the_grammar_names_its_key():
    with pytest.raises(ConfigError, match=r"hydra.sweeper.params.m.x=interval\(1"):
        space_of(params={"m.x": "interval(1"})


def test_the_grid_holds_every_combination_once_in_order():
    space = space_of("m.a=x,y", "m.b=range(1,4)")
    assert [tuple(point.values()) for point in space.grid()] == [
        ("x", 1), ("x", 2), ("x", 3), ("y", 1), ("y", 2), ("y", 3),
    ]  # fmt: skip


def test_a_grid_of_an_interval_is_refused():
    space = space_of("m.a=interval(0,1)")
    assert not space.is_finite
    with pytest.raises(ConfigError, match="a grid cannot hold"):
        list(space.grid())


CONDITIONAL = [
    {"when": {"model": "svm"}, "params": {"m.C": "interval(1,2)"}},
    {"when": {"model": ["rf", "tree"]}, "search": "rf"},
]
SEARCHES = {"rf": {"params": {"m.depth": "range(1,4)"}}}


def test_conditions_of_a_referred_file_hold_inside_its_own():
    searches = {"svm": {"conditional": [{"when": {"task": "numbers"}, "params": {"m.e": "1,2"}}]}}
    entry = [{"when": {"model": "svm"}, "search": "svm"}]
    for task, expected in (("numbers", ["m.e (model=svm)"]), ("classes", [])):
        space = space_of("model=svm,rf", conditional=entry, searches=searches, known={"task": task})
        assert [p.name for p in space.parameters if p.when] == expected


def test_conditional_parameters_are_drawn_in_their_branch_only():
    space = space_of("model=svm,rf,tree", conditional=CONDITIONAL, searches=SEARCHES)
    assert space.is_conditional
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(30):
        trial = study.ask()
        values = space.suggest(trial)
        seen.add((values["model"], *sorted(values.keys() - {"model"})))
        assert space.names(values) == trial.params
        study.tell(trial, 0.0)
    assert seen == {("svm", "m.C"), ("rf", "m.depth"), ("tree", "m.depth")}


def test_a_conditional_grid_multiplies_within_branches():
    conditional = [{"when": {"model": "rf"}, "params": {"m.depth": "range(1,4)"}}]
    space = space_of("model=svm,rf", conditional=conditional)
    assert len(list(space.grid())) == 1 + 3


def test_a_condition_on_a_fixed_value_holds_once_for_all():
    conditional = [
        {"when": {"dataset.task": "classification"}, "params": {"m.w": "a,b"}},
        {"when": {"dataset.task": "regression"}, "params": {"m.loss": "c,d"}},
    ]
    space = space_of(conditional=conditional, known={"dataset.task": "regression"})
    assert [p.name for p in space.parameters] == ["m.loss"]
    assert not space.is_conditional


def test_the_command_line_wins_over_the_file():
    params = {"m.a": "range(1,9)", "m.b": "range(1,9)", "m.c": "range(1,9)"}
    space = space_of("m.a=range(2,4)", "m.b=5", params=params)
    assert {p.key: p.describe() for p in space.parameters} == {"m.a": "2 to 3", "m.c": "1 to 8"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"params": {"m.x": "a,b"}}, "has no condition"),
        ({"when": {"model": "svn"}, "params": {"m.x": "a,b"}}, "model=svn is never drawn"),
        ({"when": {"modle": "svm"}, "params": {"m.x": "a,b"}}, "correct the key"),
        ({"when": {"m.n": 3}, "params": {"m.x": "a,b"}}, "can only ask for"),
        ({"wen": {"model": "svm"}}, "is not part of an entry"),
    ],
)
def test_conditions_are_checked(entry, message):
    with pytest.raises(ConfigError, match=message):
        space_of("model=svm,rf", "m.n=range(1,5)", conditional=[entry])


def test_each_search_file_is_a_branch_that_the_command_line_wins_over():
    searches = {"a": {"params": {"m.x": "1,2"}}, "b": {"params": {"m.x": "3,4", "m.y": "5,6"}}}
    space = space_of("search=a,b,null", "m.y=7", searches=searches)
    assert [p.name for p in space.parameters] == ["search", "m.x (search=a)", "m.x (search=b)"]
    assert list(space.grid()) == [
        {"search": "a", "m.x": 1}, {"search": "a", "m.x": 2},
        {"search": "b", "m.x": 3}, {"search": "b", "m.x": 4}, {"search": None},
    ]  # fmt: skip


def test_corners_hold_a_key_of_a_group_with_every_option():
    space = space_of("model=tree,rf", "model.depth=range(1,4)", "seed=0,1")
    corners = list(space.corners({"model": "tree"}))
    for model in ("tree", "rf"):
        for depth in (1, 3):
            assert {"model": model, "model.depth": depth} in corners
    assert all("model" in corner for corner in corners)
    assert {"model": "rf", "seed": 1} not in corners


@pytest.mark.parametrize(
    "text", ["range(2,9,3)", "range(0,1,0.25)", "interval(0,1)", "tag(log,int(interval(1,64)))",
             "a,null,'[x]',1.5,true", "[a,b],[c]"],
)  # fmt: skip
def test_the_text_of_a_space_gives_it_again(text):
    one = parse(f"m.x={text}")
    assert parse(f"m.x={one.text.strip(chr(34))}").distribution == one.distribution


def test_corners_hold_both_ends_of_everything_in_every_branch():
    space = space_of(
        "model=svm,rf,tree", "seed=range(0,9)", conditional=CONDITIONAL, searches=SEARCHES
    )
    corners = list(space.corners())
    for model, key, ends in (("svm", "m.C", (1, 2)), ("rf", "m.depth", (1, 3))):
        for end in ends:
            assert {"model": model, key: end} in corners
    assert {"model": "tree", "seed": 8} in corners


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("m.x=range(2,9,2)", [2, 4, 8], [3, 9, 10, True, "2", 2.5]),
        ("m.x=interval(0,1)", [0.0, 0.3, 1], [1.1, None]),
        ("m.x=a,b", ["a"], ["c"]),
        ("m.x=tag(log,int(interval(1,8)))", [1, 3, 8], [0, 2.5]),
    ],
)
def test_contains_what_a_sampler_could_draw(text, inside, outside):
    parameter = parse(text)
    assert all(parameter.contains(value) for value in inside)
    assert not any(parameter.contains(value) for value in outside)


def test_a_space_without_parameters_has_one_point():
    assert list(Space((), {}).grid()) == [{}]


PAIRS = {"m.depth": [2, 4], "m.trees": [100, 50]}


def zipped(*arguments, entries):
    return parse_space({}, [], PARSER.parse_overrides(list(arguments)), dict, {}, entries)


def test_values_that_go_together_are_one_row_of_the_grid():
    space = zipped(
        "m.c=1,2", entries=[PAIRS, {"m.a": ["x", "y", "x"], "m.b": [[1, 2], None, [1, 2]]}]
    )
    grid = list(space.grid())
    assert len(grid) == space.size == 2 * 2 * 2
    assert grid[0] == {"m.c": 1, "m.depth": 2, "m.trees": 100, "m.a": "x", "m.b": "[1,2]"}
    assert grid[1] == {"m.c": 1, "m.depth": 2, "m.trees": 100, "m.a": "y", "m.b": None}
    assert {(values["m.depth"], values["m.trees"]) for values in grid} == {(2, 100), (4, 50)}
    assert space.parameters[1].describe() == "2, 4, in step with m.trees"
    assert {(c.get("m.depth"), c.get("m.trees")) for c in space.corners()} >= {(2, 100), (4, 50)}
    assert (2, None) not in {(c.get("m.depth"), c.get("m.trees")) for c in space.corners()}


def test_a_key_that_the_command_line_sets_leaves_its_row():
    assert list(zipped("m.trees=7", entries=[PAIRS]).grid()) == [{"m.depth": 2}, {"m.depth": 4}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"m.depth": [2, 4], "m.trees": [100]}, "m.depth has 2, m.trees has 1 values"),
        ({"m.depth": [2, 4], "m.trees": "100,50"}, "must map keys to lists"),
        ({"m.depth": []}, "must map keys to lists"),
        ("m.depth", "must map keys to lists"),
        ({"m.c": [1, 2], "m.depth": [2, 4]}, "m.c is swept elsewhere too"),
        ({"m.depth": [1, 1.0]}, "m.depth: 1 and 1.0 are equal"),
    ],
)
def test_what_cannot_go_together_is_refused_in_one_line(entry, message):
    with pytest.raises(ConfigError, match=message) as caught:
        zipped("m.c=1,2", entries=[entry])
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"m\.depth is swept elsewhere too"):
        zipped(entries=[PAIRS, PAIRS])


@pytest.mark.parametrize(
    ("text", "other", "holds"),
    [
        ("m.x=2,3,4", "m.x=2,3", True),
        ("m.x=2,3", "m.x=2,3,4", False),
        ("m.x=range(1,9)", "m.x=2,3,4", True),
        ("m.x=range(1,9,2)", "m.x=2,3,4", False),
        ("m.x=1,2,3", "m.x=range(1,4)", True),
        ("m.x=interval(0,1)", "m.x=interval(0.1,0.5)", True),
        ("m.x=interval(0.1,0.5)", "m.x=interval(0,1)", False),
        ("m.x=interval(0,1)", "m.x=0.0,0.5", True),
        ("m.x=0.0,0.5,1.0", "m.x=interval(0,1)", False),
        ("m.x=tag(log,int(interval(1,9)))", "m.x=int(interval(2,9))", True),
        ("m.x=a,b,c", "m.x=c,a", True),
    ],
)
def test_a_parameter_holds_another_one_also_as_a_record_has_it(text, other, holds):
    new, old = parse(text), parse(other)
    assert new.holds(parameter_of(json.loads(json.dumps(old.data())))) == holds
    assert new.holds(old) == holds
    assert new.holds(new)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("m.x=a,b,a", 2),
        ("m.x=range(2,9,3)", 3),
        ("m.x=int(interval(2,6))", 5),
        ("m.x=tag(log,range(1,9,3))", 7),
        ("m.x=range(0.0,0.5,0.1)", 5),
        ("m.x=interval(0,1)", math.inf),
    ],
)
def test_the_size_is_that_of_what_a_sampler_can_draw(text, size):
    space = space_of(text)
    assert space.size == size
    if math.isfinite(size):
        assert len(list(space.points())) == size
    assert space_of(text, "m.z=1,2").size == 2 * size


def test_the_size_of_a_conditional_space_adds_its_branches():
    entry = {"when": {"m": "a"}, "params": {"m.x": "choice(1,2,3)", "m.y": "range(0,2)"}}
    space = space_of("m=a,b", "s=1,2", conditional=[entry])
    assert space.size == len(list(space.points())) == 2 * (3 * 2 + 1)
