import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.preprocessing import OneHotEncoder

from student_perf import encoders
from student_perf.encoders import (
    CategoryCodes,
    CategoryShares,
    CrossFittedTargetEncoder,
    Imputer,
    OneHot,
    Words,
    categorical_columns,
    plain_name,
)
from student_perf.errors import ConfigError

ORDER = {"grade": ["Average", "Good", "Vg", "Excellent"]}


def table(grades, schools):
    return pd.DataFrame({"grade": grades, "school": schools}, dtype="str")


TRAIN = table(["Vg", "Average", "Excellent"], ["south", "north", None])
NEW = table(["Good", "Excellent", None, "Superb"], ["north", "west", "south", "north"])


def test_codes_follow_the_declared_order_or_else_the_sorted_values():
    codes = CategoryCodes(ORDER).fit(TRAIN).transform(NEW)
    # Good is known from the declaration alone; west, Superb and a missing grade are not.
    np.testing.assert_array_equal(codes, [[1, 0], [3, -1], [-1, 1], [-1, 0]])
    assert codes.dtype == np.float64


def test_the_code_of_unknown_values_can_be_chosen():
    codes = CategoryCodes(ORDER, unknown_value=9.0).fit(TRAIN).transform(NEW)
    assert codes[1, 1] == codes[2, 0] == codes[3, 0] == 9.0


def test_shares_are_those_of_the_rows_of_the_fit():
    train = table(["Vg", "Vg", "Good", "Vg"], ["north", "south", "north", "west"])
    encoder = clone(CategoryShares()).fit(train)
    new = table(["Good", "Vg", "Superb"], ["north", "unknown", "west"])
    np.testing.assert_array_equal(encoder.transform(new), [[0.25, 0.5], [0.75, 0], [0, 0.25]])
    assert list(encoder.get_feature_names_out()) == ["grade", "school"]


def test_categories_stay_categories_and_unknown_ones_are_missing():
    encoder = clone(CategoryCodes(ORDER, output="category")).fit(TRAIN)
    out = encoder.transform(NEW.set_index(pd.Index([7, 8, 9, 10])))
    assert out["grade"].cat.categories.tolist() == ORDER["grade"]
    assert out["school"].cat.categories.tolist() == ["north", "south"]
    assert out.isna().to_numpy().tolist() == [
        [False, False],
        [False, True],
        [True, False],
        [True, False],
    ]
    assert out.index.tolist() == [7, 8, 9, 10]
    assert categorical_columns(out) == encoder.get_feature_names_out().tolist()
    assert categorical_columns(out.assign(grade=1.0)) == ["school"]
    assert categorical_columns(out.to_numpy()) == []


def test_refuses_other_outputs_and_an_unfitted_use():
    with pytest.raises(ConfigError, match=r"output=code: must be codes or category"):
        CategoryCodes(output="code").fit(TRAIN)
    with pytest.raises(NotFittedError):
        CategoryCodes().transform(TRAIN)


@pytest.mark.parametrize("numbers", [False, True])
def test_target_encoding_by_hand_and_from_other_rows(numbers):
    rng = np.random.default_rng(0)
    column = rng.choice(["a", "b", "c"], (60, 1)).astype(object)
    target = rng.integers(0, 3, 60)
    kind = float if numbers else int
    encoder = CrossFittedTargetEncoder(smooth=2.0, cv=3, random_state=1)
    trained = encoder.fit_transform(column, target.astype(kind))
    answers = encoder.transform(np.array([["a"], ["new"]], dtype=object))
    # with m rows' worth of the overall mean: (sum + m * mean) / (count + m)
    in_a, values = column[:, 0] == "a", np.eye(3)[target] if not numbers else target[:, None]
    mean = values.mean(axis=0)
    expected = (values[in_a].sum(axis=0) + 2 * mean) / (in_a.sum() + 2)
    np.testing.assert_allclose(answers, [expected, mean])
    parts = (KFold if numbers else StratifiedKFold)(3, shuffle=True, random_state=1)
    for train, rest in parts.split(column, target):
        alone = CrossFittedTargetEncoder(smooth=2.0).fit(column[train], target[train].astype(kind))
        np.testing.assert_allclose(trained[rest], alone.transform(column[rest]))


def test_target_encoding_checks_its_parameters():
    with pytest.raises(ValueError, match="'cv'"):
        CrossFittedTargetEncoder(cv=1).fit(np.array([["a"], ["b"]]), np.array([0.5, 1.5]))


@pytest.mark.parametrize("min_frequency", [None, 5, 0.1])
@pytest.mark.parametrize("as_table", [True, False])
def test_one_hot_learns_what_scikit_learn_does(monkeypatch, min_frequency, as_table):
    monkeypatch.setattr(encoders, "_COUNTED_AT_ONCE", 30)  # so that few rows are thinned too
    rng = np.random.default_rng(0)
    shares = [rng.dirichlet(np.full(9, 0.3)) for _ in range(4)]
    words = {f"word_{i}": rng.choice(list("abcdefghi"), 200, p=p) for i, p in enumerate(shares)}
    table = pd.DataFrame(words) if as_table else np.array(pd.DataFrame(words), dtype=object)
    known = {
        "handle_unknown": "infrequent_if_exist",
        "min_frequency": min_frequency,
        "sparse_output": False,
    }
    ours, theirs = OneHot(**known).fit(table), OneHotEncoder(**known).fit(table)
    np.testing.assert_array_equal(ours.transform(table), theirs.transform(table))
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert vars(ours).keys() == vars(theirs).keys()


@pytest.mark.parametrize(
    "known",
    [
        {"strategy": "median"},
        {"strategy": "median", "add_indicator": True},
        {"strategy": "median", "missing_values": -1.0},
        {"strategy": "median", "keep_empty_features": True},
        {"strategy": "mean"},
    ],
)
@pytest.mark.parametrize("as_table", [True, False])
@pytest.mark.filterwarnings("ignore:Skipping features")
def test_an_imputer_learns_what_scikit_learn_does(monkeypatch, known, as_table):
    monkeypatch.setattr(encoders, "_COUNTED_AT_ONCE", 30)  # so that few rows take the short way
    rng = np.random.default_rng(0)
    columns = {"whole": rng.integers(0, 9, 202) / 1, "gaps": rng.lognormal(size=202)}
    table = pd.DataFrame(
        columns | {"marked": rng.choice([-1.0, 2.0], 202), "even": rng.random(202)}
    )
    if known.get("missing_values") is None:
        table.loc[::3, "gaps"] = np.nan
        table["empty"] = np.nan
    rows = table if as_table else table.to_numpy()
    ours, theirs = Imputer(**known).fit(rows), SimpleImputer(**known).fit(rows)
    np.testing.assert_array_equal(ours.statistics_, theirs.statistics_)
    np.testing.assert_array_equal(ours.transform(rows[:9]), theirs.transform(rows[:9]))
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert vars(ours).keys() == vars(theirs).keys()


def test_an_imputer_leaves_words_to_scikit_learn(monkeypatch):
    monkeypatch.setattr(encoders, "_COUNTED_AT_ONCE", 2)
    with pytest.raises(ValueError, match="median strategy with non-numeric data"):
        Imputer(strategy="median").fit(TRAIN)


def test_plain_names_hold_nothing_that_boosting_libraries_refuse():
    assert plain_name("numeric", 'share <50> [%]: "a", {b}') == "share _50_ _%__ _a__ _b_"
    assert plain_name("categorical", "Class_ X_Percentage") == "Class_ X_Percentage"


TEXTS = pd.DataFrame(
    {
        "note": pd.Series(
            ["Good work", "good, LATE", None, "trabajó bien", "good work"], dtype="str"
        ),
        "more": pd.Series(["a day", "a day", "a week", "day", "none"], dtype="str"),
    }
)


def test_words_are_those_of_scikit_learn_column_by_column():
    words = Words(min_df=2, ngram=2).fit(TEXTS)
    assert words.get_feature_names_out().tolist() == [
        "note: good", "note: good work", "note: work", "more: day"
    ]  # fmt: skip
    options = {"min_df": 2, "ngram_range": (1, 2), "strip_accents": "unicode"}
    parts = [
        TfidfVectorizer(**options).fit_transform(TEXTS[name].fillna("")).toarray() for name in TEXTS
    ]
    np.testing.assert_array_equal(words.transform(TEXTS), np.hstack(parts))
    assert not words.transform(TEXTS)[2, :3].any(), "a missing text has no words"
    new = pd.DataFrame({"note": ["never seen"], "more": ["DAY"]}, dtype="str")
    np.testing.assert_array_equal(words.transform(new), [[0, 0, 0, 1]])


def test_accents_do_not_count_and_the_most_frequent_words_are_kept():
    names = Words(min_df=1, max_features=1).fit(TEXTS).get_feature_names_out()
    assert names.tolist() == ["note: good", "more: day"]
    assert "note: trabajo" in Words(min_df=1).fit(TEXTS).get_feature_names_out()
    with pytest.raises(ConfigError, match=r"text\.words\.min_df=9: no word of 'note' occurs in so"):
        Words(min_df=9).fit(TEXTS)
