import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from student_perf.errors import ConfigError, DataError
from student_perf.experiment import prepare as prepare_module
from student_perf.experiment.prepare import build_pipeline, prepare, prepare_data


def test_what_is_prepared_is_unfitted_and_keeps_the_test_rows_apart(compose_config):
    prepared = prepare(compose_config("tracking=off", "model=rf"))
    with pytest.raises(NotFittedError):
        check_is_fitted(prepared.estimator)
    split = prepared.split
    assert not set(split.test) & set(split.development)
    assert len(split.test) + len(split.development) == prepared.dataset.n_rows
    assert list(prepared.contract.columns) == list(prepared.dataset.features.columns)


def test_a_model_that_cannot_serve_is_refused_before_the_data_are_read(
    compose_config, grades, monkeypatch
):
    config = compose_config(
        "tracking=off",
        "dataset=csv",
        f"dataset.path={grades}",
        "dataset.target=hours",
        "dataset.task=regression",
        "model=logreg",
    )
    monkeypatch.setattr(prepare_module, "load_dataset", lambda *_: pytest.fail("were read"))
    with pytest.raises(ConfigError, match="model=logreg: has no regressor"):
        prepare(config)


def test_the_pipeline_takes_the_columns_of_the_dataset(compose_config):
    config = compose_config("tracking=off")
    data = prepare_data(config)
    steps = build_pipeline(config, data.dataset).named_steps
    ((kind, _, columns),) = steps["preprocess"].transformers
    assert (kind, columns) == ("numeric", data.dataset.numeric)


def test_folds_of_groups_that_hold_one_class_are_said_and_do_not_decide(compose_config, tmp_path):
    n = 90
    school = ["east", "north", "west"] * (n // 3)
    passed = ["yes" if s == "east" or i % 2 else "no" for i, s in enumerate(school)]
    table = pd.DataFrame({"school": school, "hours": range(n), "passed": passed})
    table.to_csv(tmp_path / "schools.csv", index=False)
    words = (
        "tracking=off",
        "dataset=csv",
        f"dataset.path={tmp_path / 'schools.csv'}",
        "dataset.target=passed",
        "guards.id_like=off",
        "split=group_kfold",
        "split.group=school",
        "split.n_splits=3",
        "split.test_size=0",
    )
    data = prepare_data(compose_config(*words))
    (line,) = [found.text for found in data.warnings if found.code == "SP303"]
    assert line.partition(" of 3 ")[2] == (
        "(school 'east'): no validation row has the class 'no'; undefined there, and so without a "
        "mean: ROC AUC (one vs rest)"
    )
    with pytest.raises(DataError, match=r"objective\.metric=roc_auc_ovr: is undefined in fold \d"):
        prepare_data(compose_config(*words, "objective=roc_auc_ovr"))


@pytest.fixture(scope="module")
def pupils(tmp_path_factory):
    """Ten rows of each of forty pupils, with a weight and a year."""
    rng = np.random.default_rng(0)
    pupil = rng.permutation(np.repeat(np.arange(40), 10))
    level, hours = rng.normal(size=40) * 2, rng.normal(size=(40, 3))
    table = pd.DataFrame(hours[pupil] + 0.1 * rng.normal(size=(400, 3)), columns=["a", "b", "c"])
    passed = np.where(level[pupil] + rng.normal(size=400) > 0, "yes", "no")
    more = {"student_id": pupil, "year": 2010 + pupil % 12, "w": 1 + pupil % 3, "passed": passed}
    path = tmp_path_factory.mktemp("data") / "pupils.csv"
    table.assign(**more).to_csv(path, index=False)
    return ["tracking=off", "dataset=csv", f"dataset.path={path}", "dataset.target=passed"]


@pytest.mark.slow
def test_which_split_the_rows_ask_for_is_said_or_stops_the_run(compose_config, pupils):
    words = [*pupils, "dataset.drop=[student_id,year,w]"]
    warnings = [found.text for found in prepare(compose_config(*words)).warnings]
    (line,) = [line for line in warnings if "student_id" in line]
    assert line.endswith("dataset.group=student_id split=stratified_group_kfold")
    quiet = compose_config(*words, "guards.split_advice=off")
    assert not [w for w in prepare(quiet).warnings if "student_id" in w.text]
    with pytest.raises(DataError, match=r"'student_id' .*; guards\.SP401=warn goes on"):
        prepare(compose_config(*words, "guards.split_advice=error"))


@pytest.mark.slow
def test_what_leaves_weights_out_is_said(compose_config, pupils):
    words = [*pupils, "dataset.weight=w", "dataset.group=student_id", "dataset.time=year"]
    words += ["split=temporal", "split.gap=1"]
    prepared = prepare(compose_config(*words))
    assert prepared.warnings == []
    assert prepared.contract.weight == "w"
    assert list(prepared.contract.columns) == ["a", "b", "c"]
    (line,) = prepare(compose_config(*words, "model=knn")).warnings
    assert line.text.startswith("the fit of KNeighborsClassifier takes no weights")


@pytest.fixture
def rare(tmp_path):
    """Options of rows with three classes, of which 'top' has three rows among those of a fold."""
    rows = "".join(f"{i % 17},{'low' if i % 2 else 'high'}\n" for i in range(60))
    rows += "".join(f"{i}.5,top\n" for i in range(5))
    (tmp_path / "rare.csv").write_text(f"hours,grade\n{rows}")
    return [
        "tracking=off",
        "dataset=csv",
        f"dataset.path={tmp_path / 'rare.csv'}",
        "dataset.target=grade",
        "split.n_splits=3",
        "split.test_size=0",
    ]


@pytest.mark.parametrize(
    ("model", "key", "fewer"),
    [
        (["model=calibrated"], "model.cv", "model.cv=3"),
        (["model=svm"], "model.classifier.cv", "model.classifier.cv=3"),
        (
            ["model=stacking", "model@model.members.linear=svm"],
            "model.members.linear.classifier.cv",
            "model.members.linear.classifier.cv=3",
        ),
    ],
)
def test_a_model_that_calibrates_on_more_parts_than_a_class_has_rows_is_refused(
    compose_config, rare, model, key, fewer
):
    words = f"^{key}=5: class 'top' of 'grade' has 3 training rows in a fold.*use {fewer}, or merge"
    with pytest.raises(ConfigError, match=words):
        prepare(compose_config(*rare, *model))
    prepare(compose_config(*rare, *model, fewer))


def test_a_set_of_copies_is_one_fact(compose_config, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    table["grade"] = rng.choice(["low", "high"], 60)
    pd.concat([table, table]).to_csv(tmp_path / "twice.csv", index=False)
    words = ("tracking=off", "dataset=csv", "dataset.target=grade")
    twice = prepare_data(compose_config(*words, f"dataset.path={tmp_path / 'twice.csv'}"))
    assert twice.dataset.groups.tolist() == [*range(60), *range(60)]
    table.to_csv(tmp_path / "once.csv", index=False)
    once = prepare_data(compose_config(*words, f"dataset.path={tmp_path / 'once.csv'}"))
    assert once.dataset.groups is None
