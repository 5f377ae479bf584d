from dataclasses import replace

import numpy as np

from tests.evaluation.checked import KFOLD, findings_of, lines_of


def test_shared_rows_are_counted_unless_kept_together(small_dataset):
    features = small_dataset.features.copy()
    features.iloc[1::2] = features.iloc[::2].to_numpy()
    doubled = replace(small_dataset, features=features.astype(small_dataset.features.dtypes))
    assert lines_of(doubled) == []
    (line,) = lines_of(doubled, split=replace(KFOLD, keep_duplicates_together=False))
    assert "held-out rows have the features of a training row" in line


def test_a_fold_without_a_metric_is_named_if_people_look_at_it(small_dataset):
    target = np.arange(60.0)
    numbers = replace(small_dataset, task="regression", target=target, classes=())
    assert lines_of(numbers) == []  # the 0 leaves MAPE undefined, which nobody has asked for


def test_a_class_with_few_training_rows_is_named(small_dataset):
    target = np.repeat([0, 1, 2], [30, 22, 8])
    (found,) = findings_of(replace(small_dataset, target=target))
    assert found.code == "SP301"
    assert found.text.startswith("class 'high' of 'grade': has 4 training rows")
