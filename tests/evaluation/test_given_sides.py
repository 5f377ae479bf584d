from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import ColumnSplit, TemporalSplit
from student_perf.errors import DataError
from student_perf.evaluation.splits import make_split

TEMPORAL = TemporalSplit("temporal", 0.2, 0, False, 4)
BY_COLUMN = ColumnSplit("column", 0.0, 0, False, "Split")


@pytest.fixture
def in_time(small_dataset):
    """Sixty rows of twenty times, three each, in no order."""
    times = np.random.default_rng(0).permutation(np.repeat(np.arange(20.0), 3))
    return replace(small_dataset, times=times)


def by_column(dataset, words):
    column = pd.DataFrame({"Split": np.resize(np.asarray(words, dtype=object), 60)})
    return replace(dataset, dropped=column.infer_objects())


@pytest.mark.parametrize("gap", [0, 2])
def test_windows_expand_and_the_latest_rows_are_the_test_part(in_time, gap):
    split = make_split(in_time, replace(TEMPORAL, gap=gap))
    times = in_time.times
    assert sorted(times[split.test]) == sorted(np.repeat(np.arange(16.0, 20.0), 3))
    assert times[split.development].max() == 15 - gap
    known = 0
    for fold in split.folds:
        first, last = times[fold.validation].min(), times[fold.validation].max()
        # All that is older by more than the gap trains, and nothing else.
        assert set(fold.train) == set(np.flatnonzero(times < first - gap))
        assert set(fold.validation) == set(np.flatnonzero((times >= first) & (times <= last)))
        assert len(fold.train) > known
        known = len(fold.train)
    assert times[split.folds[-1].validation].max() == 15 - gap
    assert split.n_validated == len(np.concatenate([fold.validation for fold in split.folds]))
    assert split.n_validated < len(split.development)


def test_no_seed_changes_the_windows_and_the_order_of_rows_does_not_matter(in_time):
    split = make_split(in_time, TEMPORAL)
    assert make_split(in_time, replace(TEMPORAL, random_state=7)).sha256 == split.sha256
    order = np.argsort(in_time.times, kind="stable")
    ordered = make_split(replace(in_time, times=in_time.times[order]), TEMPORAL)
    for fold, same in zip(split.folds, ordered.folds, strict=True):
        assert set(fold.validation) == set(order[same.validation])


def test_a_time_of_many_rows_stays_whole(in_time):
    times = np.where(np.arange(60) < 40, 5.0, np.arange(60))
    split = make_split(replace(in_time, times=times), TEMPORAL)
    for fold in split.folds:
        assert times[fold.train].max() < times[fold.validation].min()


@pytest.mark.parametrize(
    ("n_times", "gap", "message"),
    [
        (4, 0, r"has 3 different times .* makes it need 5; use split.n_splits=2"),
        (3, 0, "name a column with more times"),
        (6, 3, "use a smaller split.gap"),
        (1, 0, "name a column with more times"),
    ],
)
def test_too_few_times_are_refused_with_what_to_type(in_time, n_times, gap, message):
    few = replace(in_time, times=np.resize(np.arange(float(n_times)), 60))
    with pytest.raises(DataError, match=message):
        make_split(few, replace(TEMPORAL, gap=gap))


@pytest.mark.parametrize("words", [["trn", "val", "tst"], ["Train ", "VALID", "test"]])
def test_named_sides_are_taken(small_dataset, words):
    split = make_split(by_column(small_dataset, words), BY_COLUMN)
    (fold,) = split.folds
    assert fold.train.tolist() == list(range(0, 60, 3))
    assert fold.validation.tolist() == list(range(1, 60, 3))
    assert split.test.tolist() == list(range(2, 60, 3))
    assert sorted([*fold.train, *fold.validation]) == split.development.tolist()


@pytest.mark.parametrize(
    ("words", "n_test"), [([0, 1, 2], 0), ([1.0, 2.0, 10.0], 0), (["1", "2", "10", "test"], 15)]
)
def test_numbers_are_folds(small_dataset, words, n_test):
    split = make_split(by_column(small_dataset, words), BY_COLUMN)
    assert [fold.validation[0] for fold in split.folds] == [0, 1, 2]
    assert len(split.test) == n_test
    for fold in split.folds:
        assert sorted([*fold.train, *fold.validation]) == split.development.tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "test"], r"no row says val.*use split=kfold 'dataset.drop=\[Split\]"),
        (["val", "test"], "no row says train"),
        (["train", "val", "holdout"], r"holdout \(20\) rows"),
        (["train", "val", None], r"missing \(20\) rows"),
        (["train", "val", 1], "number of a fold"),
        ([3], "the single fold 3"),
        ([0.5, 1], r"0.5 \(30\)"),
        ([-1, 0, 1], r"-1 \(20\) rows; .* a fold from 0"),
        ([0, 1], r"0 and 1 mark a side .*column: Split, values: {0: train, 1: val}}\]'; to keep"),
    ],
)
def test_other_cells_are_counted_and_refused(small_dataset, words, message):
    with pytest.raises(DataError, match=message):
        make_split(by_column(small_dataset, words), BY_COLUMN)


@pytest.mark.parametrize(
    ("name", "values"), [("is_test", "0: train"), ("isTrain", "0: val"), ("fold", None)]
)
def test_a_flag_is_not_taken_for_two_folds(small_dataset, name, values):
    flagged = replace(small_dataset, dropped=pd.DataFrame({name: np.resize([0, 1], 60)}))
    config = replace(BY_COLUMN, column=name)
    if values is None:
        assert len(make_split(flagged, config).folds) == 2
        return
    with pytest.raises(DataError, match=rf"column: {name}, values: {{{values}"):
        make_split(flagged, config)
