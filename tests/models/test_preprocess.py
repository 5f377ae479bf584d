import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.errors import ConfigError
from student_perf.models.preprocess import build_preprocessor, build_steps
from tests.models.zoo import PREPROCESSINGS


def table():
    return pd.DataFrame(
        {
            "hours": [1.0, np.nan, 3.0, 5.0],
            "school": pd.Series(["n", "s", None, "n"], dtype="str"),
        }
    )


def test_default_imputes_scales_and_encodes(compose_config):
    steps = build_steps(compose_config().preprocess | {"name": "x"})
    out = build_preprocessor(steps, ["hours"], ["school"]).fit_transform(table())
    # median 3 fills the gap; below min_frequency all categories share one column
    hours = np.array([1.0, 3.0, 3.0, 5.0])
    np.testing.assert_allclose(out[:, 0], (hours - hours.mean()) / hours.std())
    np.testing.assert_array_equal(out[:, 1:].sum(axis=1), 1)


def test_a_missing_category_is_one_of_its_own(compose_config):
    config = compose_config("preprocess.categorical.encode.min_frequency=1").preprocess
    transformer = build_preprocessor(build_steps(config), [], ["school"]).fit(table())
    assert list(transformer.get_feature_names_out()) == ["school_missing", "school_n", "school_s"]


def test_columns_outside_the_list_are_dropped_and_empty_kinds_left_out(compose_config):
    steps = build_steps(compose_config().preprocess)
    out = build_preprocessor(steps, ["hours"], []).fit_transform(table())
    assert out.shape == (4, 1)


def test_a_kind_without_steps_passes_through():
    steps = build_steps({"name": "plain", "numeric": None})
    out = build_preprocessor(steps, ["hours"], []).fit_transform(table())
    np.testing.assert_array_equal(out[:, 0], table()["hours"])


GRADED = pd.DataFrame(
    {
        "hours": np.tile([1.0, 2.0, np.nan, 4.0], 30),
        "grade": pd.Series(["Vg", "Average", "Excellent", "Good"] * 30, dtype="str"),
        "school": pd.Series(["s", "n", None, "w", "n"] * 24, dtype="str"),
    }
)
ORDER = {"grade": ["Average", "Good", "Vg", "Excellent"], "other": ["a"]}


def built(config, categories=None):
    steps = build_steps(config.preprocess)
    return build_preprocessor(steps, ["hours"], ["grade", "school"], categories)


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_unknown_categories_are_no_error(compose_config, name):
    target = np.arange(120) % 3
    transformer = built(compose_config(f"preprocess={name}"), ORDER).fit(GRADED, target)
    new = GRADED.head(4).assign(school=pd.Series(["x", None, "n", "y"], dtype="str"))
    out = transformer.transform(new)
    assert out.shape[0] == 4
    if name not in ("native", "raw"):
        assert np.isfinite(np.asarray(out, dtype=float)).all()
        np.testing.assert_array_equal(out[0, -1], out[3, -1])  # x and y are the same: unknown


def test_ordinal_keeps_the_declared_order(compose_config):
    config = compose_config("preprocess=ordinal", "~preprocess.categorical.scale")
    out = built(config, ORDER).fit_transform(GRADED)
    assert out[:4, 1].tolist() == [2, 0, 3, 1]
    assert out[:5, 2].tolist() == [1, 0, -1, 2, 0]  # sorted, and -1 for the missing one


def test_an_order_in_the_file_wins_over_the_declared_one(compose_config):
    config = compose_config(
        "preprocess=ordinal",
        "~preprocess.categorical.scale",
        "preprocess.categorical.encode.categories={grade: [Vg, Good]}",
    )
    assert built(config, ORDER).fit_transform(GRADED)[:4, 1].tolist() == [0, -1, -1, 1]


def test_native_gives_numbers_with_gaps_and_categoricals(compose_config):
    odd = GRADED.rename(columns={"hours": "hours <5> [%]"})
    steps = build_steps(compose_config("preprocess=native").preprocess)
    out = build_preprocessor(steps, ["hours <5> [%]"], ["grade", "school"], ORDER).fit_transform(
        odd
    )
    assert out.columns.tolist() == ["hours _5_ _%_", "grade", "school"]
    np.testing.assert_array_equal(out["hours _5_ _%_"], GRADED["hours"])
    assert out["grade"].cat.categories.tolist() == ORDER["grade"]
    assert out["grade"].astype("str").tolist() == GRADED["grade"].tolist()


def test_steps_on_all_columns_see_what_the_kinds_have_prepared(compose_config):
    config = compose_config("preprocess=k_best", "preprocess.all.select.k=2")
    transformer = built(config)
    target = (GRADED["grade"] == "Vg").to_numpy().astype(np.int64)
    assert transformer.fit_transform(GRADED, target).shape == (120, 2)
    assert "grade_Vg" in transformer.get_feature_names_out()


def test_the_first_category_can_be_left_out(compose_config):
    words = (
        "preprocess.categorical.encode.drop=first",
        "preprocess.categorical.impute.strategy=constant",
    )
    names = [
        list(built(compose_config(*w)).fit(GRADED).get_feature_names_out()) for w in ((), words)
    ]
    assert set(names[0]) - set(names[1]) == {"grade_Average", "school_missing"}


def test_raw_changes_nothing(compose_config):
    out = built(compose_config("preprocess=raw")).fit_transform(GRADED)
    pd.testing.assert_frame_equal(out, GRADED)


@pytest.mark.parametrize(
    ("dataset", "target"),
    [("econmath", np.arange(120) % 3), ("econmath_score", np.arange(120.0) % 7)],
)
def test_target_encoding_is_fitted_on_other_rows(compose_config, dataset, target):
    config = compose_config(
        "preprocess=target_encode", f"dataset={dataset}", "~preprocess.categorical.scale"
    )
    transformer = built(config)
    trained = transformer.fit_transform(GRADED, target)[:, 1:]
    # per column: a share for each of three classes, or one mean even where numbers are whole
    assert trained.shape[1] == (6 if dataset == "econmath" else 2)
    answered = transformer.transform(GRADED)[:, 1:]
    assert (trained != answered).any()
    rows = (GRADED["grade"] == "Vg").to_numpy()
    if dataset == "econmath_score":
        # Micci-Barreca's empirical Bayes: between the category's mean and the overall one
        low, high = sorted([target[rows].mean(), target.mean()])
        assert low <= answered[rows, 0].min() <= answered[rows, 0].max() <= high


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"numbers": {}}, "is not a kind of column"),
        ({"output": "table", "all": {"x": {}}}, "its steps take figures"),
        ({"output": "frame"}, "preprocess.output=frame: must be array or table"),
        ({"numeric": {"scale": "standard"}}, "a step is a group"),
        ({"numeric": {"scale": {"_target_": "os.system"}}}, "only classes below"),
    ],
)
def test_refuses_other_shapes(config, message):
    with pytest.raises(ConfigError, match=message):
        build_steps(config)


def test_words_come_from_the_training_rows_of_a_fold_only(compose_config, tmp_path):
    told = ["good work this week"] * 30 + ["late and tired today"] * 30
    told[0] = "unheard"
    rows = pd.DataFrame({"note": told, "passed": ["yes"] * 30 + ["no"] * 30, "n": range(60)})
    rows.to_csv(tmp_path / "notes.csv", index=False)
    config = compose_config(
        "dataset=csv", f"dataset.path={tmp_path / 'notes.csv'}", "dataset.target=passed",
        "dataset.text=[note]", "preprocess.text.words.min_df=1",
    )  # fmt: skip
    dataset = load_dataset(config.dataset)
    assert (dataset.text, dataset.categorical, dataset.numeric) == (("note",), [], ["n"])
    steps = build_steps(config.preprocess)
    prepared = build_preprocessor(steps, ["n"], [], {}, dataset.text)
    for rows_of_fit, is_known in ((np.arange(60), True), (np.arange(1, 60), False)):
        prepared.fit(dataset.rows(rows_of_fit))
        names = prepared.get_feature_names_out().tolist()
        assert ("note: unheard" in names) == is_known
    assert not prepared.transform(dataset.features)[0, 1:].any()


def test_a_config_of_earlier_times_has_the_same_words(compose_config):
    config = compose_config().preprocess
    ((_, named),) = build_steps(config).kinds["text"].steps
    ((_, unnamed),) = (
        build_steps({k: v for k, v in config.items() if k != "text"}).kinds["text"].steps
    )
    assert named.get_params() == unnamed.get_params()
