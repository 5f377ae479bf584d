import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import OneHotEncoder

from student_perf.sweep import evaluate
from student_perf.sweep.evaluate import TrialEvaluator
from tests.conftest import compose_config
from tests.hostile import CHANGES, RAISED, Drawing, Shares, change_in_place
from tests.tiers import few_fast

TRIALS = [
    [["model=logreg", "model.C=0.1"], ["model=logreg", "model.C=10"], ["model=rf"]],
    [["model=xgb"], ["model=xgb", "model.max_bin=16"], ["model=xgb", "model.max_depth=2"]],
    [["model=logreg", "preprocess.numeric.impute.strategy=mean"], ["model=logreg"]],
    [["model=logreg", "seed=1"], ["model=logreg", "seed=2"]],
    [["dataset=econmath_score", "model=xgb"], ["dataset=econmath_score", "model=rf"]],
    [["model=xgb", "preprocess=native"], ["model=xgb", "preprocess=native", "model.max_depth=2"]],
]


@pytest.mark.parametrize("trials", few_fast(TRIALS, 1))
def test_with_and_without_caching_all_figures_are_equal_to_the_last_digit(workspace, trials):
    cached = TrialEvaluator()
    small = ["tracking=off", "split.n_splits=2"]
    for overrides in [*trials, trials[0]]:
        few = [] if "logreg" in str(overrides) else ["model.n_estimators=5"]
        config = compose_config(*small, *overrides, *few)
        one = cached.evaluate(config)
        two = TrialEvaluator(caching=False).evaluate(config)
        np.testing.assert_array_equal(one.output, two.output)
        for metric, scores in two.fold_scores.items():
            np.testing.assert_array_equal(one.fold_scores[metric], scores)


@pytest.mark.slow
def test_data_and_preprocessing_are_made_once(workspace, monkeypatch):
    from sklearn.compose import ColumnTransformer

    fits = []
    original = ColumnTransformer.fit_transform

    def counted(self, *args, **kwargs):
        fits.append(1)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(ColumnTransformer, "fit_transform", counted)
    evaluator = TrialEvaluator()
    configs = [compose_config("tracking=off", f"model.C={c}") for c in (0.1, 1, 10)]
    for config in configs:
        evaluator.evaluate(config)
    assert len(fits) == 5
    assert evaluator.data(configs[0]) is evaluator.data(configs[1])


@pytest.fixture
def numbers(tmp_path):
    """A table with two columns of text, whose encoding a linear model would centre in place."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "city": rng.choice(["a", "b", "c"], 150),
            "job": rng.choice(["x", "y"], 150),
            "hours": rng.normal(5, 2, 150),
        }
    )
    table["points"] = 3 * table["hours"] + 4 * (table["city"] == "a") + rng.normal(0, 4, 150)
    table.to_csv(tmp_path / "points.csv", index=False)
    words = [f"dataset.path={tmp_path / 'points.csv'}", "dataset.target=points"]
    return ["tracking=off", "dataset=csv", *words, "dataset.task=regression", "split.n_splits=3"]


@pytest.mark.parametrize("model", ["ridge", "elastic_net"])
@pytest.mark.slow
def test_a_fit_in_place_gives_the_figures_of_copies_in_every_order(numbers, model):
    in_place, evaluator = TrialEvaluator(), TrialEvaluator()
    for alpha in (0.1, 10, 0.1):
        words = [*numbers, f"model={model}", f"model.regressor.alpha={alpha}"]
        one = in_place.evaluate(compose_config(*words, "+model.regressor.copy_X=false"))
        two = evaluator.evaluate(compose_config(*words))
        np.testing.assert_array_equal(one.output, two.output)


def with_model(monkeypatch, evaluator, estimator, *words):
    with monkeypatch.context() as patched:
        patched.setattr(evaluate, "build_estimator", lambda *_, **__: estimator)
        return evaluator.evaluate(compose_config("tracking=off", "split.n_splits=3", *words))


@pytest.mark.parametrize(
    "words",
    [["model=logreg"], ["model=hist_gb", "model.max_iter=3", "preprocess=native"]],
    ids=["array", "table"],
)
@pytest.mark.slow
def test_a_trial_that_changes_its_data_reaches_no_other(workspace, monkeypatch, grades, words):
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    config = compose_config("tracking=off", "split.n_splits=3", *data, *words)
    evaluator, alone = TrialEvaluator(), TrialEvaluator()
    expected = alone.evaluate(config)
    for _ in range(2):  # the second time from the cache
        with_model(monkeypatch, evaluator, Shares(changes_data=True), *data, *words)
        np.testing.assert_array_equal(evaluator.evaluate(config).output, expected.output)


@pytest.mark.parametrize("kind", ["csr", "object", "table"])
def test_copies_share_no_memory_and_keep_the_order(kind):
    fortran = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    table = {
        "csr": OneHotEncoder().fit_transform([["a"], ["b"], ["a"]]),
        "object": fortran.astype(object, order="K"),
        "table": pd.DataFrame({"x": pd.Categorical(["a", "b"]), "y": [1.0, 2.0]}),
    }[kind]
    before, copied = evaluate._copy(table), evaluate._copy(table)
    if kind == "object":
        assert copied.flags.f_contiguous
        assert not np.shares_memory(copied, table)
        return
    change_in_place(copied)
    if kind == "table":
        pd.testing.assert_frame_equal(table, before)
    else:
        np.testing.assert_array_equal(table.toarray(), before.toarray())


@pytest.mark.parametrize("name", few_fast([*CHANGES, *RAISED]))
def test_trials_after_one_that_misbehaves_are_equal_to_the_last_bit(workspace, monkeypatch, name):
    evaluator = TrialEvaluator()
    alone = with_model(monkeypatch, evaluator, Drawing())
    hostile = Shares(in_fit={**CHANGES, **RAISED}[name])
    if name in RAISED:
        with pytest.raises(Exception):  # noqa: B017, PT011 (and nothing that ends a process)
            with_model(monkeypatch, evaluator, hostile)
    else:
        with_model(monkeypatch, evaluator, hostile)
    after = with_model(monkeypatch, evaluator, Drawing())
    np.testing.assert_array_equal(after.output, alone.output)


@pytest.mark.slow
def test_groups_that_one_split_names_are_no_feature_of_its_trial_alone(grades):
    words = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "guards.SP401=off"]
    evaluator = TrialEvaluator()
    plain, grouped = (
        evaluator.data(compose_config(*words, *split)).dataset
        for split in (
            (),
            ("split=group_kfold", "split.group=paid", "split.n_splits=2", "split.test_size=0"),
        )
    )
    assert ("paid" in plain.features, "paid" in grouped.features) == (True, False)
