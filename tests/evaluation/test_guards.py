import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import GuardsConfig, KFoldSplit
from student_perf.errors import DataError
from student_perf.evaluation.guards import check_guards, feature_strength, label_noise_limit
from student_perf.evaluation.splits import make_split
from tests.conftest import SMALL_CONFIG

KFOLD = KFoldSplit("kfold", 0.2, 0, True, 4)
WARN = GuardsConfig(*["warn"] * 5)


def warnings_of(dataset, config=SMALL_CONFIG, guards=WARN, split=KFOLD):
    parts = make_split(dataset, split)
    return check_guards(dataset, parts, config, guards)


def with_column(dataset, name, values):
    return replace(dataset, features=dataset.features.assign(**{name: values}))


def test_honest_columns_pass(small_dataset):
    assert warnings_of(small_dataset) == []


@pytest.mark.parametrize("text", [False, True])
def test_a_one_hot_column_of_the_target_is_found(small_dataset, text):
    leak = (small_dataset.target == 1).astype(float)
    values = pd.Series(np.where(leak, "yes", "no"), dtype="str") if text else leak
    (line,) = warnings_of(with_column(small_dataset, "target_mid", values))
    assert line.startswith("column 'target_mid': determines the target 'grade'")


def test_an_error_names_the_column_and_the_way_on(small_dataset):
    leaky = with_column(small_dataset, "copy", small_dataset.target * 2.0)
    with pytest.raises(DataError, match=r"column 'copy'.*guards\.leaking_feature=warn"):
        warnings_of(leaky, guards=replace(WARN, leaking_feature="error"))
    assert warnings_of(leaky, guards=replace(WARN, leaking_feature="off")) == []


def test_a_rescaled_number_is_a_leak_and_a_noisy_one_is_not():
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 200)
    assert feature_strength(pd.Series(np.exp(y)), y, "regression") == pytest.approx(1)
    assert feature_strength(pd.Series(y + rng.normal(0, 0.3, 200)), y, "regression") < 0.99
    names = pd.Series(np.where(y > 0, "a", "b"), dtype="str")
    assert 0.4 < feature_strength(names, y, "regression") < 0.9


def test_strength_of_one_class_against_the_rest_matches_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 90)
    values = pd.Series(rng.normal(0, 1, 90) + y)
    areas = [roc_auc_score(y == code, values) for code in range(3)]
    expected = max(max(area, 1 - area) for area in areas)
    assert feature_strength(values, y, "classification") == pytest.approx(expected)


def test_identifiers_and_constants_are_named(small_dataset):
    bad = small_dataset.features.assign(
        student=[f"s{i}" for i in range(60)],
        number=np.random.default_rng(0).permutation(60).astype(float),
        empty=np.nan,
        same=1.0,
    )
    lines = warnings_of(replace(small_dataset, features=bad.astype({"student": "str"})))
    named = {line.split("'")[1]: line for line in lines}
    assert named.keys() == {"student", "number", "empty", "same"}
    assert "identifier" in named["student"]
    assert "missing in every row" in named["empty"]
    assert "same value in every row" in named["same"]


def test_a_left_out_grade_under_another_name_is_found(small_dataset):
    rng = np.random.default_rng(0)
    g2 = pd.Series(rng.integers(0, 6, 60), name="G2")
    setup = replace(SMALL_CONFIG, setup="B", setups={"A": [], "B": ["G2"]})
    data = replace(small_dataset, dropped=g2.to_frame())
    assert warnings_of(data, setup) == []
    changed = g2.astype("float64")
    changed[0], changed[1] = (changed[0] + 1) % 6, np.nan
    noisy = g2 + rng.normal(0, 0.05, 60)
    for hidden in (g2 * 5.0, g2.map(lambda grade: f"g{grade}").astype("str"), changed, noisy):
        (line,) = warnings_of(with_column(data, "second_period", hidden), setup)
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
        found = warnings_of(with_column(data, "another", values), setup)
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
    (line,) = warnings_of(with_column(data, "passed_on", only_for_one))
    assert line.startswith("column 'passed_on': determines the target 'grade'")


def test_shared_rows_are_counted_unless_kept_together(small_dataset):
    features = small_dataset.features.copy()
    features.iloc[1::2] = features.iloc[::2].to_numpy()
    doubled = replace(small_dataset, features=features.astype(small_dataset.features.dtypes))
    assert warnings_of(doubled) == []
    (line,) = warnings_of(doubled, split=replace(KFOLD, keep_duplicates_together=False))
    assert "held-out rows have the features of a training row" in line


def test_label_noise_ceiling_by_hand(small_dataset):
    features = pd.DataFrame({"x": [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]})
    target = np.array([0, 0, 1, 1, 0, 2])
    data = replace(small_dataset, features=features, target=target)
    assert label_noise_limit(data) == pytest.approx((2 + 1 + 1) / 6)
    numbers = replace(data, task="regression", target=target.astype(float), classes=())
    residuals = np.array([-1 / 3, -1 / 3, 2 / 3, 0.5, -0.5, 0])
    assert label_noise_limit(numbers) == pytest.approx(np.sqrt((residuals**2).mean()))


def test_guards_look_at_development_rows_only(small_dataset):
    split = make_split(small_dataset, KFOLD)
    values = np.ones(60)
    values[split.test] = 2.0
    data = with_column(small_dataset, "c", values)
    lines = check_guards(data, split, SMALL_CONFIG, WARN)
    assert ["same value" in line for line in lines] == [True]


def test_the_targets_own_one_hot_columns_stop_a_run_and_flatter_it_without_the_guard(
    train, workspace, grades
):
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    leak = "dataset.clean=[{step:one_hot,columns:[grade]}]"
    outcome = train(*data, leak)
    assert outcome.code == 1
    assert "column 'grade_" in outcome.err
    accuracy = []
    for overrides in ([], [leak, "guards.leaking_feature='off'"]):
        assert train(*data, *overrides, "report.importance=false").code == 0
        newest = max(workspace.glob("outputs/*/*/metrics.json"), key=lambda p: p.stat().st_mtime)
        accuracy.append(json.loads(newest.read_text())["metrics"]["accuracy"]["mean"])
    assert accuracy[0] < 0.6
    assert accuracy[1] > 0.95


def test_weights_count_in_what_contradictory_rows_leave(small_dataset):
    features = pd.DataFrame({"a": [1.0, 1.0, 2.0]})
    weights = np.array([3.0, 1.0, 4.0])
    data = replace(small_dataset, features=features, target=np.array([0, 1, 0]), weights=weights)
    assert label_noise_limit(data) == pytest.approx(7 / 8)
    numbers = replace(data, task="regression", target=np.array([0.0, 4.0, 0.1]), classes=())
    # Around the weighted mean 1: three times 1 and once 9, over all weight.
    assert label_noise_limit(numbers) == pytest.approx(np.sqrt((3 * 1 + 9) / 8))
    alone = replace(numbers, features=pd.DataFrame({"a": [1.0, 3.0, 2.0]}))
    assert label_noise_limit(alone) == 0
