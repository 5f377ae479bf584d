import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from student_perf.config.overrides import (
    accepted,
    declaration,
    element,
    in_quotes,
    literal,
    make_parser,
    quoted,
)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("dataset.target=año", "año"),
        ("dataset.path=~/x.csv", "~/x.csv"),
        ("dataset.path=/tmp/grades (1).csv", "/tmp/grades (1).csv"),
        ("dataset.path=grades(1).csv", "grades(1).csv"),
        ("dataset.path=a=b.csv", "a=b.csv"),
        (r"dataset.path=C:\dir\año.csv", r"C:\dir\año.csv"),
        ("dataset.path=/tmp/o'neil.csv", "/tmp/o'neil.csv"),
        ("dataset.path=/tmp/x[1] (2).csv", "/tmp/x[1] (2).csv"),
        ("dataset.drop=[año,edad]", ["año", "edad"]),
        ("+tags.x={a: ~/x, b: [ñ, 2]}", {"a": "~/x", "b": ["ñ", 2]}),
    ],
)
def test_a_text_gets_the_quotes_that_the_grammar_asks_for(word, expected):
    assert OverridesParser.create().parse_override(quoted(word)).value() == expected


def test_each_of_several_values_gets_its_own():
    override = OverridesParser.create().parse_override(quoted("dataset.path=~/a.csv,b (1).csv,c"))
    assert list(override.sweep_string_iterator()) == ["'~/a.csv'", "'b (1).csv'", "c"]


@pytest.mark.parametrize(
    "word",
    [
        "model=xgb", "seed=range(0,3)", "x='a b'", "x=${seed}", "x=", "~x",  # the grammar takes it
        "seed", "model.C=[1", "+tags.año=x", "x='a",  # quotes do not mend it
        "model.C=intervl(0,1)", "model.C=interval(0,1", "x=choice(ñ,b)",  # nor a mistyped call
        r"x=[é\,ñ]", r"x=año\,b", r"x=año\ b", r"x=ñ\\,b",  # nor what is escaped already
    ],
)  # fmt: skip
def test_what_is_no_text_stays_as_it_is(word):
    assert quoted(word) == word


def test_null_leaves_a_group_out_that_may_be_left_out():
    assert accepted("experiment=null") == "~experiment"
    assert accepted("search=null") == "~search"
    assert accepted("split=null") == "split=null"
    assert accepted("dataset.target=año") == "dataset.target='año'"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sort(range(2,9,4),reverse=true)", [6, 2]),  # 5, 1 by Hydra 1.3.8
        ("sort(range(2,9,4))", [2, 6]),
        ("sort(range(9,2,-3))", [3, 6, 9]),
        ("sort(range(9,2,-3),reverse=true)", [9, 6, 3]),
        ("sort(range(1,2),reverse=true)", [1]),
        ("tag(log,sort(range(1,9,3),reverse=true))", [7, 4, 1]),
        ("sort(3,1,2,reverse=true)", [3, 2, 1]),
        ("range(9,2,-3)", [9, 6, 3]),
    ],
)
def test_sorting_a_range_keeps_its_values(text, values):
    assert list(make_parser().parse_override(f"x={text}").sweep_iterator()) == values


def test_sorting_a_range_of_fractions_keeps_how_many_there_are():
    override = make_parser().parse_override("x=sort(range(0,1,0.3),reverse=true)")
    assert list(override.sweep_iterator()) == pytest.approx([0.9, 0.6, 0.3, 0.0])


@pytest.mark.parametrize(
    "text", ["a b", "null", "NaN", "[a,b]", "it's", "a\\'b\\", "a\\\n", "", "año"]
)
def test_a_text_comes_back_as_it_was(text):
    assert element(literal(text, "x")) == text
    assert element(in_quotes(text)) == text


@pytest.mark.parametrize(
    "name", ["sex", "Nota_1", "exam 1", "a.b", "G1/G2", "100 %", "2nd", "null"]
)
def test_a_line_that_declares_values_is_one_that_the_grammar_takes(name):
    line = declaration("dataset.categories", name, ["a b", "no", "sí"])
    if not line.startswith('"'):
        assert line.startswith("Hydra takes no such name")
        return
    value = OverridesParser.create().parse_override(line.strip('"')).value()
    assert (value[name] if isinstance(value, dict) else value) == ["a b", "no", "sí"]


@pytest.mark.parametrize("name", ["Calificación", "it's", "2nd"])
def test_a_name_that_the_grammar_refuses_gets_the_line_of_a_file(name):
    line = declaration("dataset.categories", name, ["no", "sí"])
    written = line.partition("below categories: ")[2].partition(" (python -m")[0]
    assert yaml.safe_load(written) == {name: ["no", "sí"]}
    assert "--write conf/dataset/NAME.yaml" in line
    line = declaration("dataset.categories", name, ["first", "...", "last"])
    assert "[first, ..., last]" in line
