import json
import math
from dataclasses import replace

import optuna
import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.space import Space, number_of, parameter_of, same_value
from tests.sweep.test_grammar import parse
from tests.sweep.test_read_space import space_of


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


def test_corners_hold_a_key_of_a_group_with_every_option():
    space = space_of("model=tree,rf", "model.depth=range(1,4)", "seed=0,1")
    corners = list(space.corners({"model": "tree"}))
    for model in ("tree", "rf"):
        for depth in (1, 3):
            assert {"model": model, "model.depth": depth} in corners
    assert all("model" in corner for corner in corners)
    assert {"model": "rf", "seed": 1} not in corners


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


def test_equal_numbers_are_one_value_unless_the_model_tells_them_apart():
    assert same_value(1, 1.0)
    assert not same_value(1, 1.0, is_exact=True)
    assert not same_value(True, 1)
    assert same_value("a", "a")
    assert not same_value(None, 0)


def test_a_number_in_a_record_is_whole_or_not_as_it_is_written():
    assert [repr(number_of(text)) for text in ("1", "1.0", "1e-3", "auto", None)] == [
        "1", "1.0", "0.001", "None", "None",
    ]  # fmt: skip
