from dataclasses import replace

import numpy as np
import pandas as pd

from student_perf.config.schema import GroupKFoldSplit
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


def test_a_listed_class_without_rows_is_said_once(small_dataset):
    found = findings_of(replace(small_dataset, target=np.repeat([0, 2], 30)))
    assert [str(one) for one in found] == [
        "SP301: class 'mid' of 'grade': has 0 rows to learn from; take it out of the list: "
        "'dataset.classes=[low,high]'"
    ]


def test_folds_of_another_target_are_named_with_their_groups(small_dataset):
    rng, n = np.random.default_rng(5), 400
    school = pd.Series(np.repeat(["north", "south", "west", "east"], n // 4), dtype="str")
    features = pd.DataFrame({"points": rng.normal(size=n), "school": school})
    by_school = GroupKFoldSplit("group_kfold", 0.0, 0, True, 4, "school")
    pass_rate = np.where(school == "west", 0.2, 0.7)
    data = replace(
        small_dataset, features=features, target=(rng.random(n) < pass_rate).astype(np.int64)
    )
    data = replace(data, classes=("fail", "pass"))
    found = [one for one in findings_of(data, split=by_school) if one.code == "SP304"]
    assert len(found) == 1
    assert "(school 'west'): " in found[0].text
    assert "of its rows are of class '" in found[0].text
    numbers = replace(
        data, task="regression", classes=(), target=5 * pass_rate + rng.normal(size=n)
    )
    (found,) = [one for one in findings_of(numbers, split=by_school) if one.code == "SP304"]
    assert "its target has a mean of" in found.text
    assert [one for one in findings_of(data) if one.code == "SP304"] == []
