"""Samples of halving: from a fold's training rows alone, as the split divides rows."""

import numpy as np
import pandas as pd
import pytest

from student_perf.errors import ConfigError
from student_perf.experiment.prepare import prepare_data
from student_perf.sweep import rungs as module
from student_perf.sweep.rungs import check_rungs, draw_rungs, rung_sizes
from tests.conftest import compose_config

N_ROWS = 1_800
C = "model.C=tag(log,interval(0.0001,10))"


@pytest.fixture
def prepared(tmp_path):
    """Makes config and rows of a table with groups, times, weights, copies and a rare class."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "x": rng.normal(size=N_ROWS),
            "town": rng.integers(90, size=N_ROWS),
            "day": rng.integers(200, size=N_ROWS),
            "fold": rng.integers(3, size=N_ROWS),
            "heavy": rng.uniform(0.5, 2, size=N_ROWS),
            "y": rng.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1], size=N_ROWS),
        }
    )
    table.loc[::3, "x"] = table.loc[1::3, "x"].to_numpy()
    table.to_csv(tmp_path / "rows.csv", index=False)

    def prepare(*overrides):
        words = [f"dataset.path={tmp_path}/rows.csv", "dataset.target=y", "dataset=csv"]
        drop = "dataset.drop=[day,fold,heavy]"
        config = compose_config(*words, "tracking=off", drop, *overrides)
        return config, prepare_data(config)

    return prepare


SPLITS = {
    "kfold": ["split.n_splits=3"],
    "holdout": ["split=holdout"],
    "repeated": ["split=repeated_kfold", "split.n_splits=3", "split.n_repeats=2"],
    "groups": ["dataset.group=town", "split=group_kfold", "split.n_splits=3"],
    "stratified groups": ["dataset.group=town", "split=stratified_group_kfold"],
    "time": ["dataset.time=day", "dataset.drop=[fold,heavy]", "split=temporal"],
    "column": ["split=column", "split.column=fold", "dataset.drop=[day,heavy]"],
    "outer fold": ["split=nested", "split.n_splits=3", "split.outer_fold=1"],
}


def largest(data):
    """The first of the folds with the most training rows."""
    return max(data.split.folds, key=lambda fold: len(fold.train))


@pytest.mark.parametrize("split", SPLITS)
def test_a_sample_lies_in_the_next_one_and_in_a_folds_training_rows(prepared, split):
    config, data = prepared(*SPLITS[split])
    whole = largest(data)
    small, large = (rung.split.folds for rung in draw_rungs(config, data, 2))
    assert len(small) == len(large) == 1
    assert set(small[0].train) < set(large[0].train) < set(whole.train)
    assert not set(large[0].train) & {*data.split.test, *whole.validation}
    for share, (fold,) in ((9, small), (3, large)):
        assert fold.validation is whole.validation
        assert len(fold.train) == pytest.approx(len(whole.train) / share, rel=0.35)


def test_with_time_it_is_drawn_from_the_longest_past(prepared):
    config, data = prepared(*SPLITS["time"])
    (rung,) = draw_rungs(config, data, 1)
    assert rung.split.folds[0].validation is data.split.folds[-1].validation
    times = data.dataset.times
    assert times[rung.split.folds[0].train].max() < times[rung.split.folds[0].validation].min()


@pytest.mark.parametrize("split", ["groups", "stratified groups"])
def test_whole_groups_are_drawn(prepared, split):
    config, data = prepared(*SPLITS[split])
    whole, groups = largest(data).train, data.dataset.groups
    for rung in draw_rungs(config, data, 2):
        rows = rung.split.folds[0].train
        assert set(rows) == set(whole[np.isin(groups[whole], groups[rows])])


def test_copies_are_drawn_together_and_classes_in_proportion(prepared):
    words = ["split.keep_duplicates_together=true", "dataset.drop=[day,fold,heavy,town]"]
    config, data = prepared("split.n_splits=3", *words)
    copies, target = data.dataset.duplicate_groups, data.dataset.target
    whole = largest(data).train
    assert len(np.unique(copies[whole])) < len(whole)
    for rung in draw_rungs(config, data, 2):
        rows = rung.split.folds[0].train
        assert set(rows) == set(whole[np.isin(copies[whole], copies[rows])])
        shares = [np.bincount(target[some]) / len(some) for some in (rows, whole)]
        np.testing.assert_allclose(*shares, atol=0.06)


def test_without_copies_each_class_is_in_proportion_to_one_row(prepared):
    config, data = prepared("split.n_splits=3")
    target, whole = data.dataset.target, largest(data).train
    third, ninth = (
        np.bincount(target[r.split.folds[0].train]) for r in draw_rungs(config, data, 2)[::-1]
    )
    assert np.abs(third - np.bincount(target[whole]) / 3).max() <= 1
    assert np.abs(ninth - np.bincount(target[whole]) / 9).max() <= 1.5


def test_the_runs_seed_decides_the_rows(prepared):
    config, data = prepared("split.n_splits=3", "split.random_state=0")
    again, other = (prepared("split.n_splits=3", "split.random_state=0", f"seed={n}")[0]
                    for n in (config.seed, config.seed + 1))  # fmt: skip
    one, same, another = (
        draw_rungs(each, data, 2)[0].split.folds[0].train for each in (config, again, other)
    )
    np.testing.assert_array_equal(one, same)
    assert set(one) != set(another)


def test_too_few_rows_are_refused_with_what_helps(prepared, monkeypatch):
    config, data = prepared("split.n_splits=3")
    rungs = draw_rungs(config, data, 2)
    sizes = rung_sizes(data, rungs)
    message = f"first sample would have {sizes[0]:,} of a fold's {sizes[2]:,} training rows"
    with pytest.raises(ConfigError, match=f"{message}, and fewer than 2,000 .* pruner out$"):
        check_rungs(data, rungs)
    monkeypatch.setattr(module, "_FEWEST_ROWS", sizes[1])
    with pytest.raises(ConfigError, match=r"pruner out, or use '.*pruner_options=\{rungs: 1\}'"):
        check_rungs(data, rungs)
    check_rungs(data, rungs[1:])
    monkeypatch.setattr(module, "_FEWEST_ROWS", sizes[0])
    check_rungs(data, rungs)


def test_a_class_of_too_few_rows_is_refused(prepared, monkeypatch):
    monkeypatch.setattr(module, "_FEWEST_ROWS", 10)
    monkeypatch.setattr(module, "_FEWEST_OF_A_CLASS", 30)
    config, data = prepared("split.n_splits=3")
    with pytest.raises(
        ConfigError, match=r"class 'c' of 'y' would have 1. rows .* needs 30; leave"
    ):
        check_rungs(data, draw_rungs(config, data, 2))


def test_a_few_large_groups_are_refused(prepared):
    few = ["dataset.group=fold", "dataset.drop=[day,heavy]"]
    config, data = prepared(*few, "split=group_kfold", "split.n_splits=3", "split.test_size=0")
    with pytest.raises(ConfigError, match=r"whole groups, which takes 9 .* and there are 2; leave"):
        draw_rungs(config, data, 2)


def test_a_sweep_on_few_rows_is_refused_before_it_begins(plan_of):
    with pytest.raises(ConfigError, match=r"pruner=halving: its first sample would have \d+ of a"):
        plan_of(C, n_trials=3, pruner="halving")
    plan, _ = plan_of(C, n_trials=3)
    assert plan.rungs == ()
