import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.columns import as_text, matching
from student_perf.errors import DataError

TEXT = "quiz_1,quiz_2,course,sex,passed\n" + "".join(
    f"{i % 5},{i % 3},{(9254, 33)[i % 2]},{'fm'[i % 2]},{i % 4 == 0}\n" for i in range(40)
)


@pytest.fixture
def load(tmp_path, compose_config):
    (tmp_path / "t.csv").write_text(TEXT)
    words = ["dataset=csv", f"dataset.path={tmp_path / 't.csv'}", "dataset.target=passed"]
    return lambda *more: load_dataset(compose_config(*words, *more).dataset)


def test_keep_and_drop_take_patterns(load):
    assert list(load("dataset.keep=[quiz_*]").features) == ["quiz_1", "quiz_2"]
    assert list(load("dataset.drop=[quiz_?,sex]").features) == ["course"]
    both = load("dataset.keep=[quiz_*,sex]", "dataset.drop=[quiz_1]")
    assert list(both.features) == ["quiz_2", "sex"]
    assert list(both.dropped) == ["quiz_1", "course"]


def test_declared_codes_are_categories_whatever_their_type(load):
    assert load("dataset.categorical=[course]").categorical == ["course", "sex"]
    declared = load("+dataset.categories.course=[33,9254]")
    assert declared.features["course"].unique().tolist() == ["9254", "33"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("dataset.keep=[quizz_1]", r"dataset\.keep=quizz_1: no such column; did you mean quiz_1"),
        ("dataset.drop=[quizz_*]", r"dataset\.drop=quizz_\*: no column matches"),
        ("dataset.categorical=[curse]", "did you mean course"),
        ("dataset.subgroups=[sexx]", "did you mean sex"),
        ("+dataset.ranges.curse=[0,5]", r"dataset\.ranges\.curse: no such column; did you mean"),
        ("+dataset.categories.curse=[0,5]", r"dataset\.categories\.curse: no such column"),
        ("+dataset.ranges.sex=[0,5]", r"dataset\.ranges\.sex: the column holds text like 'f'"),
        ("dataset.keep=[passed]", "leaves no feature column"),
        ("dataset.group=curse", r"dataset\.group=curse: no such column .* did you mean course"),
        ("dataset.time=quiz", r"dataset\.time=quiz: no such column"),
        ("dataset.weight=quizz_1", r"dataset\.weight=quizz_1: no such column"),
        ("dataset.weight=sex", r"dataset\.weight=sex: 'f' is not a number above 0 \(40 rows"),
        ("dataset.weight=quiz_1", r"dataset\.weight=quiz_1: '0' is not a number above 0 \(8 rows"),
    ],
)
def test_every_section_checks_its_names(load, word, message):
    with pytest.raises(DataError, match=message):
        load(word)


def test_true_and_false_are_labels_as_written(load):
    assert load().classes == ("False", "True")
    assert load("dataset.classes=[True,False]").classes == ("True", "False")


def test_codes_with_gaps_have_no_fraction():
    assert as_text(pd.Series([1.0, None, 3.0])).tolist()[::2] == ["1", "3"]
    assert matching(["a*b"], ["a*b", "axb"], "k") == ["a*b"]  # a name wins over a pattern


def test_declared_facts_are_no_features_unless_they_are_asked_for(load):
    facts = ["dataset.group=course", "dataset.time=quiz_1"]
    declared = load(*facts)
    assert list(declared.features) == ["quiz_2", "sex"]
    assert list(declared.dropped) == ["quiz_1", "course"]
    asked = load(*facts, "dataset.keep=['*']")
    assert list(asked.features) == ["quiz_1", "quiz_2", "course", "sex"]
    assert list(load(*facts, "dataset.keep=[sex]").features) == ["sex"]


@pytest.mark.parametrize("kind", ["group_kfold", "nested"])
def test_groups_that_a_split_names_are_those_of_the_rows(load, kind):
    declared, named = load("dataset.group=course"), load(f"split={kind}", "split.group=course")
    assert named.groups.tolist() == declared.groups.tolist()
    assert list(named.features) == list(declared.features)
    kept = load(f"split={kind}", "split.group=course", "dataset.keep=['*']")
    assert "course" in kept.features
    with pytest.raises(
        DataError, match=r"split\.group=curse: no such column .* did you mean course"
    ):
        load(f"split={kind}", "split.group=curse")


def test_a_row_without_a_declared_group_is_refused(load):
    holes = "{step: map_values, column: course, values: {33: null}}"
    with pytest.raises(DataError, match=r"dataset\.group=course: 20 of 40 rows have no value .*"):
        load("dataset.group=course", f"dataset.clean=[normalise_text,{holes}]")
    with pytest.raises(DataError, match=r"split\.group=course: 20 of 40 rows have no value .*"):
        load("split=nested", "split.group=course", f"dataset.clean=[normalise_text,{holes}]")


def test_the_columns_of_weights_and_of_a_given_split_are_never_features(load):
    weighted = load("dataset.weight=course", "dataset.keep=['*']")
    assert list(weighted.features) == ["quiz_1", "quiz_2", "sex"]
    assert weighted.weights.tolist()[:3] == [9254.0, 33.0, 9254.0]
    given = load("split=column", "split.column=course", "dataset.keep=['*']")
    assert list(given.features) == ["quiz_1", "quiz_2", "sex"]
