from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.runs.artifacts import predictions_table
from student_perf.runs.predictions import fold_scores, load_predictions


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_metric_from_stored_predictions_is_the_one_of_the_run(
    small_dataset, tmp_path, task, weighted
):
    ordered = task == "classification"
    if weighted:
        weights, groups = np.arange(1.0, 61.0), np.arange(60) // 2
        small_dataset = replace(small_dataset, weights=weights, groups=groups)
    dataset = replace(small_dataset, features=small_dataset.features[["points"]], ordered=ordered)
    estimator = DecisionTreeClassifier(max_depth=2, random_state=0)
    if task == "regression":
        target = dataset.features["points"].to_numpy() ** 2
        dataset = replace(dataset, task=task, target=target, classes=())
        estimator = DecisionTreeRegressor(max_depth=2, random_state=0)
    split = make_split(dataset, KFoldSplit("kfold", 0.0, 0, True, 4))
    result = cross_validate(estimator, dataset, split)
    pq.write_table(
        predictions_table(dataset, result.row, result.fold, result.output), tmp_path / "p.parquet"
    )
    found = load_predictions(tmp_path / "p.parquet")
    assert found.task == task
    assert (found.row == result.row).all()
    assert (found.weights is not None) == weighted
    if weighted:
        assert found.weights.tolist() == (result.row + 1).tolist()
        assert found.groups.tolist() == (result.row // 2).tolist()
    for metric in dataset.metrics:
        assert fold_scores(found, metric) == pytest.approx(result.fold_scores[metric], abs=1e-15)
