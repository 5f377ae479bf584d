import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from student_perf.api.words import as_overrides, keep_table, literal
from student_perf.errors import ConfigError


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 3, -0.5, 1e-9, "plain", "two words", "", "true", "null", "1.0", "a=b"),
        *("it's", "a\\", "C:\\data\\x", "\\'", "año", "${x}", "[1]", "a,b", "{a: 1}", "#x"),
        *([1, "a b", None], {"a": 1, "b c": [True]}, [], {}),
    ],
)
def test_a_value_comes_back_as_it_was(value):
    (override,) = OverridesParser.create().parse_overrides([f"x={literal(value, 'x')}"])
    assert override.value() == value
    assert not override.is_sweep_override()


def test_strings_and_mappings_may_be_mixed():
    words = ["model=xgb", {"seed": 1, "tags": {"team": "b"}}, "split=holdout"]
    assert as_overrides(words) == ["model=xgb", "seed=1", "tags={team:b}", "split=holdout"]


def test_a_value_without_a_form_is_refused():
    with pytest.raises(ConfigError, match="x: 'a:b' cannot be a key on a command line"):
        as_overrides([{"x": {"a:b": 1}}])
    with pytest.raises(ConfigError, match=r"seed=<object .*: is a object; give a number"):
        as_overrides([{"seed": object()}])


def test_a_table_is_kept_once_under_its_hash(workspace):
    table = pd.DataFrame({"hours": [1.5, 2.5], "grade": ["a", "b"]}, index=[7, 9])
    words = keep_table(table, "grade")
    assert keep_table(table.reset_index(drop=True), "grade") == words
    (file,) = (workspace / "data").iterdir()
    assert words == ["dataset=parquet", f"dataset.path={file}", "dataset.target=grade"]
    pd.testing.assert_frame_equal(pd.read_parquet(file), table.reset_index(drop=True))
    other = keep_table(table.assign(hours=[1.5, 2.6]), "grade")
    assert other[1] != words[1]


@pytest.mark.parametrize(
    ("columns", "target", "message"),
    [
        (["a", "b"], "c", "target=c: the table needs this column"),
        (["a", "a"], "a", "each name once"),
        (["a", "b"], None, "data and target belong together"),
        (None, "a", "data and target belong together"),
    ],
)
def test_a_table_without_its_target_is_refused(workspace, columns, target, message):
    table = None if columns is None else pd.DataFrame([[1, 2]], columns=columns)
    with pytest.raises(ConfigError, match=message):
        keep_table(table, target)
    assert not (workspace / "data").exists()
