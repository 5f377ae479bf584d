from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from student_perf.config.schema import HoldoutSplit, KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.learning_curve import _nested_order, learning_curve


def points_only(features):
    return features[["points"]]


PIPELINE = make_pipeline(FunctionTransformer(points_only), LogisticRegression())


def evaluated(dataset, config):
    split = make_split(dataset, config)
    return split, cross_validate(PIPELINE, dataset, split, train_scores=True)


def test_parts_are_nested_and_hold_the_classes_in_proportion(small_dataset):
    rows = np.arange(10, 60)  # 10, 20 and 20 of the three classes
    order = _nested_order(small_dataset, rows, seed=0)
    assert sorted(order) == rows.tolist()
    assert set(small_dataset.target[order[:3]]) == {0, 1, 2}
    for n in (10, 25, 40):
        counts = np.bincount(small_dataset.target[order[:n]])
        assert abs(counts - n * np.array([0.2, 0.4, 0.4])).max() <= 1


@pytest.mark.slow
def test_every_share_is_what_a_plain_loop_gives(small_dataset):
    split, result = evaluated(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    curve = learning_curve(PIPELINE, small_dataset, split, result, "accuracy", seed=3)
    assert curve["share"].tolist() == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert curve["n_train"].is_monotonic_increasing
    expected = []
    for number, fold in enumerate(split.folds):
        order = _nested_order(small_dataset, fold.train, 3 + number)
        part = order[: round(0.4 * len(order))]
        fitted = clone(PIPELINE).fit(small_dataset.features.iloc[part], small_dataset.target[part])
        guess = fitted.predict(small_dataset.features.iloc[fold.validation])
        expected.append((guess == small_dataset.target[fold.validation]).mean())
    assert curve["score"][1] == np.mean(expected)
    assert curve["low"][1] < curve["score"][1] < curve["high"][1]


@pytest.mark.slow
def test_the_last_point_is_the_cross_validation_itself(small_dataset):
    split, result = evaluated(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    last = learning_curve(PIPELINE, small_dataset, split, result, "accuracy").iloc[-1]
    estimate = result.estimates["accuracy"]
    assert last["score"] == estimate.mean
    assert (last["low"], last["high"]) == pytest.approx((estimate.low, estimate.high))
    assert last["train_score"] == result.train_scores["accuracy"].mean()


def test_numbers_and_a_single_part(small_dataset):
    numbers = replace(small_dataset, task="regression", target=np.linspace(0, 1, 60), classes=())
    split = make_split(numbers, HoldoutSplit("holdout", 0.2, 0, True, 0.25))
    result = cross_validate(DummyRegressor(), numbers, split, train_scores=True)
    curve = learning_curve(DummyRegressor(), numbers, split, result, "mean_absolute_error")
    assert (curve["low"] < curve["score"]).all()
    assert curve["score"].notna().all()
