import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.read_space import parse_space
from tests.sweep.test_grammar import PARSER


def space_of(*arguments, params=None, conditional=(), known=None, searches=None):
    return parse_space(
        params or {},
        conditional,
        PARSER.parse_overrides(list(arguments)),
        lambda name: (searches or {})[name],
        known or {},
    )


def test_a_text_outside_the_grammar_names_its_key():
    with pytest.raises(ConfigError, match=r"hydra.sweeper.params.m.x=interval\(1"):
        space_of(params={"m.x": "interval(1"})


def test_conditions_of_a_referred_file_hold_inside_its_own():
    searches = {"svm": {"conditional": [{"when": {"task": "numbers"}, "params": {"m.e": "1,2"}}]}}
    entry = [{"when": {"model": "svm"}, "search": "svm"}]
    for task, expected in (("numbers", ["m.e (model=svm)"]), ("classes", [])):
        space = space_of("model=svm,rf", conditional=entry, searches=searches, known={"task": task})
        assert [p.name for p in space.parameters if p.when] == expected


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
