from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.evaluation.strength import feature_strength
from tests.conftest import SMALL_CONFIG
from tests.evaluation.checked import KFOLD, findings_of, lines_of, with_column

NO_TEST = replace(KFOLD, test_size=0.0)


def test_honest_columns_pass(small_dataset):
    assert lines_of(small_dataset) == []


@pytest.mark.parametrize("text", [False, True])
def test_a_one_hot_column_of_the_target_is_found(small_dataset, text):
    leak = (small_dataset.target == 1).astype(float)
    values = pd.Series(np.where(leak, "yes", "no"), dtype="str") if text else leak
    (line,) = lines_of(with_column(small_dataset, "target_mid", values))
    assert line.startswith("column 'target_mid': determines the target 'grade'")


@pytest.mark.parametrize("noise", [0, 2])
def test_a_word_that_gives_the_target_away_is_found_among_others(small_dataset, noise):
    rng = np.random.default_rng(0)
    top = small_dataset.target == small_dataset.target.max()
    told = np.where(np.arange(60) < noise, ~top, top)
    texts = [f"has {'passed' if one else 'failed'} course {rng.integers(900)}" for one in told]
    texts = pd.Series(texts, dtype="str").mask(np.arange(60) >= 50)  # not everybody has a remark
    data = with_column(small_dataset, "remark", texts)
    data = replace(data, text=("remark",))
    if noise or len(data.classes) > 2:
        data = replace(data, target=top.astype(int), classes=("below", "top"))
    (line,) = [one for one in lines_of(data) if "remark" in one]
    word = "column 'remark', word 'failed': "
    assert line.startswith(word + ("alone it saves" if noise else "determines the target 'grade'"))


def test_a_left_out_grade_under_another_name_is_found(small_dataset):
    rng = np.random.default_rng(0)
    g2 = pd.Series(rng.integers(0, 6, 60), name="G2")
    setup = replace(SMALL_CONFIG, setup="B", setups={"A": [], "B": ["G2"]})
    data = replace(small_dataset, dropped=g2.to_frame())
    assert lines_of(data, setup) == []
    changed = g2.astype("float64")
    changed[0], changed[1] = (changed[0] + 1) % 6, np.nan
    noisy = g2 + rng.normal(0, 0.05, 60)
    for hidden in (g2 * 5.0, g2.map(lambda grade: f"g{grade}").astype("str"), changed, noisy):
        (line,) = lines_of(with_column(data, "second_period", hidden), setup)
        assert "column 'second_period': is 'G2' under another name" in line


def test_a_column_that_merely_resembles_a_left_out_one_passes(small_dataset):
    rng = np.random.default_rng(0)
    g2 = pd.Series(rng.integers(0, 6, 60), name="G2")
    rare = pd.Series((np.arange(60) == 7).astype(float), name="flag")
    setup = replace(SMALL_CONFIG, setup="B", setups={"B": ["G2", "flag"]})
    data = replace(small_dataset, dropped=pd.concat([g2, rare], axis=1))
    related = (g2 + rng.integers(-1, 2, 60)).astype("float64")
    other_rare = (np.arange(60) == 9).astype(float)
    for values in (related, other_rare, np.where(np.arange(60) < 30, g2, np.nan)):
        found = lines_of(with_column(data, "another", values), setup)
        assert not [line for line in found if "another name" in line]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_being_missing_can_be_the_leak(small_dataset, task):
    rng = np.random.default_rng(2)
    target = rng.integers(0, 2, 60)
    only_for_one = pd.Series(np.where(target == 1, rng.normal(0, 1, 60), np.nan))
    now_and_then = only_for_one.where(rng.random(60) < 0.5)
    assert feature_strength(only_for_one, target, task) == pytest.approx(1)
    assert feature_strength(now_and_then, target, task) < 0.9
    data = replace(small_dataset, target=target, classes=("no", "yes"))
    (line,) = lines_of(with_column(data, "passed_on", only_for_one))
    assert line.startswith("column 'passed_on': determines the target 'grade'")


@pytest.fixture
def parts(small_dataset):
    """400 rows with three independent columns above zero and one around it."""
    rng = np.random.default_rng(5)
    features = pd.DataFrame(rng.uniform(1, 9, (400, 3)), columns=["a", "b", "c"])
    features["d"] = rng.normal(0, 3, 400)
    return replace(small_dataset, features=features, task="regression", classes=())


@pytest.mark.parametrize(
    ("make", "columns", "relation"),
    [
        (lambda t: t.a + 2 * t.b, ("a", "b"), "a linear relation"),
        (lambda t: t.c - t.d, ("c", "d"), "a linear relation"),
        (lambda t: t.a / t.b, ("a", "b"), "a product or ratio"),
        (lambda t: t.a * t.d, ("a", "d"), "a product"),
    ],
)
@pytest.mark.parametrize("task", ["regression", "classification"])
def test_two_columns_that_make_up_the_target_are_named(parts, task, make, columns, relation):
    score = make(parts.features).to_numpy()
    if task == "classification":
        bands = np.digitize(score, np.quantile(score, [0.3, 0.7]))
        data = replace(parts, task=task, target=bands, classes=("low", "mid", "high"))
    else:
        noise = np.random.default_rng(0).normal(0, 0.05 * score.std(), 400)
        data = replace(parts, target=score + noise)
    (found,) = findings_of(data)
    assert found.code == "SP103"
    assert found.text.startswith(f"columns '{columns[0]}' and '{columns[1]}': by {relation} they ")
    assert "add to dataset.drop" in found.text


def test_a_score_behind_noisy_bands_is_named_alone(parts):
    rng = np.random.default_rng(1)
    bands = np.digitize(parts.features["a"], [3, 5, 7])
    noisy = np.where(rng.random(400) < 0.08, rng.integers(0, 4, 400), bands)
    data = replace(parts, task="classification", target=noisy, classes=tuple("ABCD"))
    (found,) = findings_of(data)
    assert found.code == "SP103"
    assert found.text.startswith("column 'a': alone it saves ")


def test_a_strong_column_is_named_with_the_one_that_closes_the_rest(parts):
    rng = np.random.default_rng(4)
    age = rng.normal(50, 10, 400)
    ahead = rng.normal(0, 2, 400)
    made = with_column(
        replace(parts, target=age + rng.normal(0, 0.3, 400)), "model_age", age + ahead
    )
    (found,) = findings_of(with_column(made, "ahead", ahead))
    assert found.code == "SP103"
    assert found.text.startswith("columns 'model_age' and 'ahead': by a linear relation they ")


def test_honest_columns_that_say_much_pass(parts):
    rng = np.random.default_rng(2)
    t = parts.features
    target = (t.a + t.b + t.c + rng.normal(0, 1.5, 400)).to_numpy()
    assert findings_of(replace(parts, target=target)) == []


def test_a_column_that_was_cut_from_the_target_is_named(parts):
    rng = np.random.default_rng(3)
    data = replace(parts, target=rng.normal(60, 10, 400))
    passed = pd.Series(np.where(data.target >= 60, "yes", "no"), dtype="str")
    (found,) = findings_of(with_column(data, "passed", passed))
    assert found.code == "SP105"
    assert found.text.startswith("column 'passed': its 2 values divide 'grade' without overlap")
    passed[int(np.argmax(data.target))] = "no"
    assert findings_of(with_column(data, "passed", passed), split=NO_TEST) == []
