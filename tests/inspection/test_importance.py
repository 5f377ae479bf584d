from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from student_perf.config.schema import HoldoutSplit, KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection import importance
from student_perf.inspection.importance import PermutationImportance

SPLIT = KFoldSplit("kfold", 0.2, 0, True, 4)
HOLDOUT = HoldoutSplit("holdout", 0.2, 0, True, 0.25)


@pytest.fixture
def data(small_dataset):
    """`points` decides the class, `noise` and the text `school` do not."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, 3, 400)
    features = pd.DataFrame(
        {
            "noise": rng.normal(size=400),
            "points": target + rng.normal(0, 0.3, 400),
            "school": pd.Series(rng.choice(["north", "south"], 400), dtype="str"),
        }
    )
    return replace(small_dataset, features=features, target=target)


class NumbersOnly(StandardScaler):
    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X[["noise", "points"]], y)

    def transform(self, X, copy=None):
        return super().transform(X[["noise", "points"]])


def measure(dataset, model, metric, n_repeats=5, split=SPLIT):
    split = make_split(dataset, split)
    measured = PermutationImportance(dataset, metric, n_repeats, seed=0)
    pipeline = make_pipeline(NumbersOnly(), model)
    cross_validate(pipeline, dataset, split, on_fitted=measured.add_fold)
    return measured, split, pipeline


def test_signal_is_large_noise_near_zero_and_an_unused_column_exactly_zero(data):
    measured, _, _ = measure(data, LogisticRegression(), "accuracy")
    table = measured.table()
    assert table["column"][0] == "points"
    by_column = table.set_index("column")
    assert 0.4 < by_column.loc["points", "low"] < by_column.loc["points", "importance"]
    assert by_column.loc["points", "importance"] == pytest.approx(measured.of_folds[:, 1].mean())
    assert abs(by_column.loc["noise", "importance"]) < 0.02
    assert by_column.loc["noise", "low"] <= by_column.loc["noise", "importance"]
    np.testing.assert_array_equal(by_column.loc["school"], [0, 0, 0, 0])


def test_a_loss_counts_the_other_way_round(data):
    numbers = replace(data, task="regression", target=data.target.astype(float), classes=())
    measured, _, _ = measure(numbers, LinearRegression(), "root_mean_squared_error")
    by_column = measured.table().set_index("column")["importance"]
    assert by_column["points"] > 0.5
    assert abs(by_column["noise"]) < 0.02


@pytest.mark.slow
def test_mean_agrees_with_scikit_learn(data):
    measured, split, pipeline = measure(data, LogisticRegression(), "accuracy", n_repeats=60)
    for number, fold in enumerate(split.folds):
        pipeline.fit(data.features.iloc[fold.train], data.target[fold.train])
        theirs = permutation_importance(
            pipeline,
            data.features.iloc[fold.validation],
            data.target[fold.validation],
            scoring="accuracy",
            n_repeats=60,
            random_state=1,
        )
        error = 4 * theirs.importances_std / np.sqrt(60) + 1e-12
        assert (abs(measured.of_folds[number] - theirs.importances_mean) < 2 * error).all()


def test_one_call_for_all_columns_gives_what_a_call_for_each_gives(data, monkeypatch):
    at_once, _, _ = measure(data, LogisticRegression(), "accuracy")
    monkeypatch.setattr(importance, "_ROWS_PER_CALL", 1)
    one_by_one, _, _ = measure(data, LogisticRegression(), "accuracy")
    np.testing.assert_array_equal(at_once.of_folds, one_by_one.of_folds)


def test_a_single_validation_part_gives_an_interval_by_its_rows(data):
    measured, _, _ = measure(data, LogisticRegression(), "accuracy", split=HOLDOUT)
    by_column = measured.table().set_index("column")
    assert by_column.loc["points", "low"] > 0.3
    assert by_column.loc["noise", "low"] < 0 < by_column.loc["noise", "high"]
    assert by_column["std"].isna().all()


def test_a_large_fold_is_sampled(data, monkeypatch):
    monkeypatch.setattr(importance, "_ROWS_PER_REPEAT", 6)
    measured, _, _ = measure(data, LogisticRegression(), "accuracy")
    assert {len(one.unit) for one in measured.intact} == {30}
    by_column = measured.table().set_index("column")["importance"]
    assert by_column["points"] > 0.3
    assert by_column["school"] == 0
