import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import CategoricalDistribution as Categorical
from optuna.distributions import FloatDistribution as Float
from optuna.distributions import IntDistribution as Int

from student_perf.errors import ConfigError
from student_perf.sweep.grammar import parse_parameter
from student_perf.sweep.space import Parameter

PARSER = OverridesParser.create()


def parse(text):
    return parse_parameter(PARSER.parse_override(text))


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


@pytest.mark.parametrize(
    "text", ["range(2,9,3)", "range(0,1,0.25)", "interval(0,1)", "tag(log,int(interval(1,64)))",
             "a,null,'[x]',1.5,true", "[a,b],[c]"],
)  # fmt: skip
def test_the_text_of_a_space_gives_it_again(text):
    one = parse(f"m.x={text}")
    assert parse(f"m.x={one.text.strip(chr(34))}").distribution == one.distribution
