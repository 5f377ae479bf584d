from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import (
    GroupKFoldSplit,
    HoldoutSplit,
    KFoldSplit,
    NestedSplit,
    RepeatedKFoldSplit,
)
from student_perf.data import load_dataset
from student_perf.errors import DataError
from student_perf.evaluation.splits import make_split
from tests.tiers import few_fast

CONFIGS = [
    HoldoutSplit("holdout", 0.2, 0, True, 0.25),
    KFoldSplit("kfold", 0.2, 0, True, 4),
    RepeatedKFoldSplit("repeated_kfold", 0.2, 0, True, 4, 3),
]


@pytest.fixture(params=["classification", "regression"])
def dataset(request, small_dataset):
    if request.param == "classification":
        return small_dataset
    numbers = np.linspace(0, 10, 60)
    return replace(small_dataset, task="regression", target=numbers, classes=())


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_no_row_is_on_two_sides(dataset, config):
    split = make_split(dataset, config)
    assert sorted([*split.test, *split.development]) == list(range(60))
    assert len(split.test) == 12
    for fold in split.folds:
        assert not set(fold.train) & set(fold.validation)
        assert not (set(fold.train) | set(fold.validation)) & set(split.test)
        assert len(fold.train) + len(fold.validation) == len(split.development)


@pytest.mark.parametrize("config", CONFIGS[1:], ids=lambda c: c.kind)
def test_every_development_row_is_validated_once_per_repeat(dataset, config):
    split = make_split(dataset, config)
    counts = np.bincount(np.concatenate([f.validation for f in split.folds]), minlength=60)
    assert set(counts[split.development]) == {split.n_repeats}
    assert set(counts[split.test]) == {0}
    assert len(split.folds) == 4 * split.n_repeats


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_class_shares_hold_on_every_side(small_dataset, config):
    split = make_split(small_dataset, config)
    sides = [split.test, *(f.train for f in split.folds), *(f.validation for f in split.folds)]
    for rows in sides:
        counts = np.bincount(small_dataset.target[rows], minlength=3)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("dataset", ["regression"], indirect=True)
def test_numbers_are_spread_over_the_folds(dataset):
    split = make_split(dataset, CONFIGS[1])
    means = [dataset.target[fold.validation].mean() for fold in split.folds]
    assert max(means) - min(means) < 2.0


def test_the_seed_decides_and_the_hash_shows_it(small_dataset):
    first, again = (make_split(small_dataset, CONFIGS[1]) for _ in range(2))
    other = make_split(small_dataset, replace(CONFIGS[1], random_state=1))
    assert first.sha256 == again.sha256
    assert first.sha256 != other.sha256


@pytest.mark.parametrize(
    "split",
    few_fast(
        [
            *("kfold", "holdout", "repeated_kfold", "nested", "stratified_group_kfold"),
            "kfold split.stratify_by=sex",
        ],
        2,
    ),
)
def test_the_positive_class_draws_no_other_rows(compose_config, tmp_path, split):
    rng = np.random.default_rng(0)
    columns = {
        "hours": rng.normal(size=90),
        "sex": rng.choice(["f", "m"], 90),
        "course": rng.choice(list("abcdefghijkl"), 90),
        "grade": rng.choice(["fail", "pass"], 90, p=[0.4, 0.6]),
    }
    pd.DataFrame(columns).to_csv(tmp_path / "pupils.csv", index=False)
    words = [f"dataset.path={tmp_path / 'pupils.csv'}", "dataset.target=grade"]
    words += ["dataset=csv", *f"split={split}".split()]
    words += ["dataset.group=course"] * ("group" in split)

    def made(positive):
        config = compose_config(*words, f"dataset.positive={positive}")
        dataset = load_dataset(config.dataset)
        return dataset, make_split(dataset, config.split)

    (undeclared, drawn), (turned, same), (_, also) = map(made, ("null", "fail", "pass"))
    assert (undeclared.classes, turned.classes) == (("fail", "pass"), ("pass", "fail"))
    assert drawn.sha256 == same.sha256 == also.sha256
    for fold, other in zip(drawn.folds, same.folds, strict=True):
        for inner, another in zip(fold.inner, other.inner, strict=True):
            np.testing.assert_array_equal(inner.train, another.train)
    # The ledger counts a look at test rows by these two.
    assert undeclared.sha256 == turned.sha256
    np.testing.assert_array_equal(drawn.test, same.test)


def test_without_test_part_all_rows_are_used(small_dataset):
    split = make_split(small_dataset, replace(CONFIGS[1], test_size=0.0))
    assert len(split.test) == 0
    assert len(split.development) == 60


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            KFoldSplit("kfold", 0.2, 0, True, 17),
            r"class 'low' of 'grade' has 16 rows .*n_splits=16",
        ),
        (KFoldSplit("kfold", 0.01, 0, True, 5), "each side needs at least 3"),
        (HoldoutSplit("holdout", 0.2, 0, True, 0.99), "split.validation_size=0.99"),
    ],
)
def test_too_few_rows_are_refused(small_dataset, config, message):
    with pytest.raises(DataError, match=message):
        make_split(small_dataset, config)


def test_a_class_of_one_row_is_named(small_dataset):
    target = small_dataset.target.copy()
    target[target == 2] = 1
    target[0] = 2
    lonely = replace(small_dataset, target=target)
    with pytest.raises(DataError, match="class 'high' of 'grade' has 1 row"):
        make_split(lonely, CONFIGS[1])


def doubled(dataset):
    """Every second row repeats the features of the one before."""
    features = dataset.features.copy()
    features.iloc[1::2] = features.iloc[::2].to_numpy()
    return replace(dataset, features=features.astype(dataset.features.dtypes))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda c: c.kind)
def test_identical_feature_rows_stay_on_one_side(small_dataset, config):
    data = doubled(small_dataset)
    split = make_split(data, config)
    sides = [split.test, *(fold.validation for fold in split.folds)]
    for rows in sides:
        assert set(rows // 2 * 2) | set(rows // 2 * 2 + 1) == set(rows)
    apart = make_split(data, replace(config, keep_duplicates_together=False))
    assert any(
        len(set(rows // 2)) > len(rows) / 2 for rows in (apart.test, apart.folds[0].validation)
    )


def test_missing_cells_count_as_equal_when_rows_are_compared(small_dataset):
    text = pd.Series(["x", None, None], dtype="str")
    features = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": text})
    assert replace(small_dataset, features=features).duplicate_groups.tolist() == [0, 1, 1]


def test_groups_move_as_a_whole(small_dataset):
    schools = pd.DataFrame({"school_id": np.repeat(np.arange(12), 5)})
    data = replace(small_dataset, dropped=schools)
    split = make_split(data, GroupKFoldSplit("group_kfold", 0.2, 0, True, 3, "school_id"))
    seen = schools["school_id"].to_numpy()
    for fold in split.folds:
        assert not set(seen[fold.train]) & set(seen[fold.validation])
        assert not set(seen[fold.train]) & set(seen[split.test])
    assert set(seen[split.development]) | set(seen[split.test]) == set(range(12))


def test_rows_without_a_group_are_not_one_group(small_dataset):
    students = pd.DataFrame({"student": [None if i % 4 == 3 else f"s{i}" for i in range(60)]})
    data = replace(small_dataset, dropped=students)
    message = r"split.group=student: 15 of 60 rows have no value \(first: row 3\); every row needs"
    for config in (
        GroupKFoldSplit("group_kfold", 0.2, 0, True, 3, "student"),
        NestedSplit("nested", 0.2, 0, True, 4, 3, group="student"),
    ):
        with pytest.raises(DataError, match=message):
            make_split(data, config)


@pytest.mark.parametrize(
    ("group", "message"),
    [("scool", "did you mean school"), ("school", "'school' has 2 groups outside the test part")],
)
def test_group_columns_that_do_not_serve(small_dataset, group, message):
    with pytest.raises(DataError, match=message):
        make_split(small_dataset, GroupKFoldSplit("group_kfold", 0.0, 0, True, 5, group))


def test_inner_folds_lie_within_the_outer_training_rows(small_dataset):
    split = make_split(small_dataset, NestedSplit("nested", 0.2, 0, True, 4, 3))
    plain = make_split(small_dataset, CONFIGS[1])
    for fold, same in zip(split.folds, plain.folds, strict=True):
        np.testing.assert_array_equal(fold.validation, same.validation)
        assert len(fold.inner) == 3
        held = np.concatenate([inner.validation for inner in fold.inner])
        assert sorted(held) == fold.train.tolist()
        for inner in fold.inner:
            assert not set(inner.train) & set(inner.validation)
            assert not set(inner.train) & set(fold.validation)
    assert split.sha256 == plain.sha256  # scores of the outer folds can be paired


def test_one_outer_fold_is_a_split_of_its_own(small_dataset):
    whole = make_split(small_dataset, NestedSplit("nested", 0.2, 0, True, 4, 3))
    part = make_split(small_dataset, NestedSplit("nested", 0.2, 0, True, 4, 3, 2))
    np.testing.assert_array_equal(part.test, whole.folds[2].validation)
    np.testing.assert_array_equal(part.development, whole.folds[2].train)
    assert len(part.folds) == 3
    for fold, inner in zip(part.folds, whole.folds[2].inner, strict=True):
        np.testing.assert_array_equal(fold.validation, inner.validation)
    assert not set(part.test) & set(whole.test)
