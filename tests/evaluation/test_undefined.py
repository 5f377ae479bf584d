from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import GroupKFoldSplit, KFoldSplit, TemporalSplit
from student_perf.errors import DataError
from student_perf.evaluation.splits import Fold, Split, make_split
from student_perf.evaluation.undefined import (
    find_gaps,
    refuse_undefined,
    refuse_untaught,
    unknown_classes,
)

KFOLD = KFoldSplit("kfold", 0.0, 0, True, 3)
BY_SCHOOL = GroupKFoldSplit("group_kfold", 0.0, 0, True, 3, "school")


@pytest.fixture
def by_school(small_dataset):
    """Three schools: in `east` all are low, and nobody elsewhere but in `west` is high."""
    school = np.repeat(["east", "north", "west"], 20)
    target = np.concatenate([np.zeros(20, int), np.arange(20) % 2, np.arange(20) % 3])
    features = small_dataset.features.assign(school=pd.Series(school, dtype="str"))
    return replace(small_dataset, features=features, target=target)


def halves(n, *, first):
    """A split in two folds, the first of which is validated by `first`."""
    rest = np.setdiff1d(np.arange(n), first)
    folds = (Fold(rest, first), Fold(first, rest))
    return Split("kfold", np.empty(0, dtype=np.int64), np.arange(n), folds)


def test_folds_in_proportion_have_no_gaps(small_dataset):
    split = make_split(small_dataset, KFOLD)
    assert find_gaps(small_dataset, split, KFOLD) == []
    assert unknown_classes(small_dataset, split, KFOLD) == []


def test_a_fold_without_some_class_is_named_with_its_group_metrics_and_reason(by_school):
    split = make_split(by_school, BY_SCHOOL)
    gaps = {str(gap) for gap in find_gaps(by_school, split, BY_SCHOOL)}
    folds = {
        by_school.features["school"][fold.validation[0]]: number
        for number, fold in enumerate(split.folds, start=1)
    }
    assert gaps == {
        f"fold {folds['east']} of 3 (school 'east'): no validation row has the class 'mid', "
        "'high'; undefined there, and so without a mean: ROC AUC (one vs rest)",
        f"fold {folds['north']} of 3 (school 'north'): no validation row has the class 'high'; "
        "undefined there, and so without a mean: ROC AUC (one vs rest)",
    }


def test_a_class_in_no_training_row_is_said(by_school):
    split = make_split(by_school, BY_SCHOOL)
    (line,) = unknown_classes(by_school, split, BY_SCHOOL)
    assert line.endswith(
        "of 3 (school 'west'): no training row has the class 'high', so no model can learn it there"
    )


def test_grades_of_one_class_have_no_kappa_either(by_school):
    ordered = replace(by_school, ordered=True)
    split = make_split(ordered, BY_SCHOOL)
    metrics = {gap.fold.split("'")[1]: gap.metrics for gap in find_gaps(ordered, split, BY_SCHOOL)}
    assert metrics == {
        "east": ("roc_auc_ovr", "quadratic_weighted_kappa"),
        "north": ("roc_auc_ovr",),
    }


def test_a_constant_number_has_no_r2_and_no_ranks(small_dataset):
    target = np.concatenate([np.full(5, 7.0), np.arange(55.0)])
    numbers = replace(small_dataset, task="regression", target=target, classes=())
    gap, by_zero = find_gaps(numbers, halves(60, first=np.arange(5)), KFOLD)
    assert gap.metrics == ("r2", "spearman")
    assert gap.why == "every validation row has the target 7"
    assert by_zero.metrics == ("mean_absolute_percentage_error",)
    assert by_zero.why == "a validation row has the target 0"


def test_what_decides_must_be_defined_in_every_fold(by_school):
    split = make_split(by_school, BY_SCHOOL)
    gaps = find_gaps(by_school, split, BY_SCHOOL)
    refuse_undefined(gaps, ["accuracy", "log_loss", "fit_seconds"], by_school, "objective.metric")
    refuse_undefined([], ["roc_auc_ovr"], by_school, "objective.metric")
    with pytest.raises(DataError) as raised:
        refuse_undefined(gaps, ["accuracy", "roc_auc_ovr"], by_school, "objective.metric")
    line = str(raised.value)
    assert line.startswith("objective.metric=roc_auc_ovr: is undefined in fold ")
    assert "(school '" in line
    assert "no validation row has the class" in line
    assert "accuracy" in line.partition("choose a metric")[2]
    assert "roc_auc_ovr" not in line.partition("choose a metric")[2]
    assert line.endswith("or fewer folds")


def test_a_class_that_is_only_listed_is_to_be_taken_out(small_dataset):
    listed = replace(small_dataset, target=np.repeat([0, 2], 30))
    gaps = find_gaps(listed, make_split(listed, KFOLD), KFOLD)
    with pytest.raises(DataError, match=r"or take it out of dataset\.classes$"):
        refuse_undefined(gaps, ["roc_auc_ovr"], listed, "objective.metric")


def test_many_groups_are_counted(small_dataset):
    ids = pd.Series([f"g{i}" for i in range(60)], dtype="str")
    dataset = replace(small_dataset, features=small_dataset.features.assign(pupil=ids))
    config = replace(BY_SCHOOL, group="pupil")
    (gap, _) = find_gaps(dataset, halves(60, first=np.arange(20)), config)
    assert gap.fold == "fold 1 of 2 (pupil 'g0', 'g1', 'g2', 17 more)"


def test_a_fold_without_anything_to_learn_is_refused(small_dataset):
    config = TemporalSplit("temporal", 0.0, 0, False, 4)
    late = replace(small_dataset, times=np.arange(60.0), target=(np.arange(60) > 20).astype(int))
    with pytest.raises(DataError, match=r"fold 1 of 4: every training row has the target 'low'"):
        refuse_untaught(late, make_split(late, config), config)
    numbers = replace(late, task="regression", target=late.target.astype(float), classes=())
    with pytest.raises(DataError, match=r"the target '0\.0'"):
        refuse_untaught(numbers, make_split(numbers, config), config)
    refuse_untaught(small_dataset, make_split(small_dataset, KFOLD), KFOLD)
