from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import KFoldSplit, NestedSplit, StratifiedGroupKFoldSplit
from student_perf.errors import DataError
from student_perf.evaluation.splits import make_split
from student_perf.evaluation.units import strata_of

KFOLD = KFoldSplit("kfold", 0.2, 0, True, 4)


@pytest.fixture
def in_classes(small_dataset):
    """Fifteen courses of unequal size, each with pupils of several grades."""
    rng = np.random.default_rng(0)
    course = rng.permutation(
        np.repeat(np.arange(15), [9, 9, 6, 6, 5, 5, 4, 4, 3, 3, 2, 1, 1, 1, 1])
    )
    return replace(small_dataset, dropped=pd.DataFrame({"course": course}))


def test_another_column_is_kept_in_proportion(small_dataset):
    sex = pd.Series(np.repeat(["f", "m"], [12, 48]), dtype="str")
    data = replace(small_dataset, dropped=pd.DataFrame({"sex": sex}))
    split = make_split(data, replace(KFOLD, stratify_by="sex"))
    for rows in (split.test, *(fold.validation for fold in split.folds)):
        assert 2 <= (sex[rows] == "f").sum() <= 3
    assert split.sha256 != make_split(data, KFOLD).sha256
    with pytest.raises(DataError, match=r"split.stratify_by=sx: no such column .* mean sex"):
        make_split(data, replace(KFOLD, stratify_by="sx"))


def test_numbers_and_missing_cells_are_strata_too(small_dataset):
    age = np.where(np.arange(60) % 6 == 0, np.nan, np.arange(60.0))
    strata = strata_of(replace(small_dataset, dropped=pd.DataFrame({"age": age})), "age")
    assert strata.names == ("value range 1 of 'age'", "value range 2 of 'age'", "missing 'age'")
    assert (strata.of_row[np.isnan(age)] == 2).all()
    assert np.bincount(strata.of_row).tolist() == [25, 25, 10]


def test_a_stratum_of_too_few_rows_is_named(small_dataset):
    sex = pd.Series(["x", *["f"] * 59], dtype="str")
    data = replace(small_dataset, dropped=pd.DataFrame({"sex": sex}))
    with pytest.raises(DataError, match="'x' of 'sex' has 1 row,"):
        make_split(data, replace(KFOLD, stratify_by="sex"))


@pytest.mark.parametrize("labels", [(4, 5, 6), ("d", "c", "b"), (0, 1)])
def test_a_rare_class_of_numbers_may_be_a_number_to_predict(small_dataset, labels):
    target = np.array([0, *[1] * 29, *[len(labels) - 1] * 30])
    data = replace(small_dataset, target=target, classes=labels)
    with pytest.raises(DataError, match=f"class '{labels[0]}' of 'grade' has 1 row") as raised:
        make_split(data, KFOLD)
    assert ("dataset.task=regression" in str(raised.value)) is (labels == (4, 5, 6))


def test_strata_keep_their_order_and_names_whichever_class_is_positive(small_dataset):
    passed = (np.arange(60) % 3 > 0).astype(int)
    data = replace(small_dataset, target=passed, classes=("fail", "pass"))
    turned = replace(data, target=1 - passed, classes=("pass", "fail"), is_turned=True)
    first, second = strata_of(data, None), strata_of(turned, None)
    np.testing.assert_array_equal(first.of_row, second.of_row)
    assert first.names == second.names == ("class 'fail' of 'grade'", "class 'pass' of 'grade'")


def test_listing_classes_in_another_order_draws_no_other_rows(small_dataset):
    passed = (np.arange(60) % 3 > 0).astype(int)
    found = replace(small_dataset, target=passed, classes=("fail", "pass"))
    listed = replace(found, target=1 - passed, classes=("pass", "fail"), is_listed=True)
    splits = [make_split(one, KFOLD) for one in (found, replace(found, is_listed=True), listed)]
    assert len({split.sha256 for split in splits}) == 1
    turned = replace(listed, target=passed, classes=("fail", "pass"), is_turned=True)
    assert make_split(turned, KFOLD).sha256 == splits[0].sha256


@pytest.mark.parametrize("kind", ["stratified_group_kfold", "nested"])
def test_groups_move_as_a_whole_and_every_fold_holds_every_class(in_classes, kind):
    config = StratifiedGroupKFoldSplit(kind, 0.2, 0, True, 4, "course")
    if kind == "nested":
        config = NestedSplit(kind, 0.2, 0, True, 4, 3, group="course")
    split = make_split(in_classes, config)
    course = in_classes.dropped["course"].to_numpy()
    assert not set(course[split.test]) & set(course[split.development])
    folds = [*split.folds, *(inner for fold in split.folds for inner in fold.inner)]
    assert len(folds) == (16 if kind == "nested" else 4)
    for fold in folds:
        assert not set(course[fold.train]) & set(course[fold.validation])
        assert set(in_classes.target[fold.validation]) == {0, 1, 2}
    held = np.concatenate([fold.validation for fold in split.folds])
    assert sorted(held) == split.development.tolist()
    assert make_split(in_classes, replace(config, random_state=1)).sha256 != split.sha256


def test_more_folds_than_groups_are_refused(in_classes):
    config = StratifiedGroupKFoldSplit("stratified_group_kfold", 0.2, 0, True, 13, "course")
    with pytest.raises(DataError, match=r"'course' has 12 groups .*use split.n_splits=12"):
        make_split(in_classes, config)
